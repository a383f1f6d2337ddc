"""IAM role with its boundary, its inline policy, and instance profile. Leaves out managed policies."""

from __future__ import annotations

import json
from typing import Any

from sandbox.plugins.aws.api import API, default_tags, listed, wanted_tags
from sandbox.plugins.aws.kind import Kind, generated_name
from sandbox.plugins.framework.table import Call, Failure, Input
from sandbox.plugins.framework.values import UNKNOWN, Values

NAME = Input(str, default=generated_name, replaces=True)
PATH = Input(str, default="/", replaces=True)


def iam() -> Any:
    return API.client("iam")


def _got(method: str, key: str, **request: Any) -> Any:
    """The result of a Get… request, or None."""
    try:
        answer = getattr(iam(), method)(**request)
        return answer[key] if key else answer
    except iam().exceptions.NoSuchEntityException:
        return None


def same_document(text: str) -> str:
    """A policy in one form: spaces and the order of keys have no meaning."""
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except ValueError:
        return text


def _document(found: Any, known: str | None) -> str:
    """As the program wrote it, if that says the same; boto3 has already decoded it."""
    text = found if isinstance(found, str) else json.dumps(found)
    return known if known is not None and same_document(known) == same_document(text) else text


def _document_failures(values: Values, name: str) -> list[Failure]:
    text = values.get(name)
    if text is None or text is UNKNOWN:
        return []
    try:
        parsed = json.loads(text)
    except ValueError as error:
        return [Failure(name, f"contains an invalid JSON policy: {error}")]
    return [] if isinstance(parsed, dict) else [Failure(name, "contains an invalid JSON policy: it is no object")]


def _tags(call: Call, tags: list[dict[str, str]] | None) -> Values:
    everything = {tag["Key"]: tag["Value"] for tag in tags or []}
    given, default = call.inputs.get("tags"), default_tags(call.config)
    own = {key: value for key, value in everything.items() if default.get(key) != value or key in (given or {})}
    return {"tagsAll": everything} | ({"tags": own} if own or given is not None else {})


def _retag(call: Call, kind: str, **about: str) -> None:
    new, old = wanted_tags(call), dict(call.state.get("tagsAll") or {})
    if dropped := sorted(old.keys() - new.keys()):
        getattr(iam(), f"untag_{kind}")(**about, TagKeys=dropped)
    if changed := {key: value for key, value in new.items() if old.get(key) != value}:
        getattr(iam(), f"tag_{kind}")(**about, Tags=listed(changed))


# Roles


def make_role(call: Call) -> str:
    given = call.inputs
    named = {"Description": "description", "PermissionsBoundary": "permissionsBoundary"}
    described = {key: given[name] for key, name in named.items() if given.get(name)}
    answer = iam().create_role(
        RoleName=given["name"],
        AssumeRolePolicyDocument=given["assumeRolePolicy"],
        Path=given["path"],
        MaxSessionDuration=given["maxSessionDuration"],
        Tags=listed(wanted_tags(call)),
        **described,
    )
    return str(answer["Role"]["RoleName"])


def find_role(call: Call, identity: str) -> Values | None:
    role = _got("get_role", "Role", RoleName=identity)
    if role is None:
        return None
    return {
        "arn": role["Arn"],
        "name": role["RoleName"],
        "path": role["Path"],
        "description": role.get("Description", ""),
        "assumeRolePolicy": _document(role["AssumeRolePolicyDocument"], call.inputs.get("assumeRolePolicy")),
        "maxSessionDuration": role.get("MaxSessionDuration", 3600),
        "uniqueId": role["RoleId"],
        "createDate": role["CreateDate"].isoformat(),
        **_boundary(role.get("PermissionsBoundary") or {}),
        **_tags(call, role.get("Tags")),
    }


def _boundary(found: dict[str, str]) -> Values:
    arn = found.get("PermissionsBoundaryArn")
    return {"permissionsBoundary": arn} if arn else {}


def _bound(identity: str, boundary: str | None) -> None:
    if boundary:
        iam().put_role_permissions_boundary(RoleName=identity, PermissionsBoundary=boundary)
    else:
        iam().delete_role_permissions_boundary(RoleName=identity)


def change_role(call: Call) -> None:
    new, old = call.inputs, call.state
    if same_document(new["assumeRolePolicy"]) != same_document(old["assumeRolePolicy"]):
        iam().update_assume_role_policy(RoleName=call.id, PolicyDocument=new["assumeRolePolicy"])
    if any(new.get(name) != old.get(name) for name in ("description", "maxSessionDuration")):
        iam().update_role(
            RoleName=call.id, Description=new.get("description", ""), MaxSessionDuration=new["maxSessionDuration"]
        )
    if new.get("permissionsBoundary") != old.get("permissionsBoundary"):
        _bound(call.id, new.get("permissionsBoundary"))
    _retag(call, "role", RoleName=call.id)


# Inline policies


def put_policy(call: Call) -> str:
    given = call.inputs
    iam().put_role_policy(RoleName=given["role"], PolicyName=given["name"], PolicyDocument=given["policy"])
    return f"{given['role']}:{given['name']}"


def change_policy(call: Call) -> None:
    put_policy(call)


def find_policy(call: Call, identity: str) -> Values | None:
    role, name = identity.split(":", 1)
    found = _got("get_role_policy", "", RoleName=role, PolicyName=name)
    if found is None:
        return None
    return {"role": role, "name": name, "policy": _document(found["PolicyDocument"], call.inputs.get("policy"))}


def remove_policy(call: Call) -> None:
    role, name = call.id.split(":", 1)
    iam().delete_role_policy(RoleName=role, PolicyName=name)


# Instance profiles


def make_profile(call: Call) -> str:
    given = call.inputs
    answer = iam().create_instance_profile(
        InstanceProfileName=given["name"], Path=given["path"], Tags=listed(wanted_tags(call))
    )
    return str(answer["InstanceProfile"]["InstanceProfileName"])


def finish_profile(call: Call, identity: str) -> None:
    if call.inputs.get("role"):
        iam().add_role_to_instance_profile(InstanceProfileName=identity, RoleName=call.inputs["role"])


def find_profile(call: Call, identity: str) -> Values | None:
    profile = _got("get_instance_profile", "InstanceProfile", InstanceProfileName=identity)
    if profile is None:
        return None
    roles = [role["RoleName"] for role in profile["Roles"]]
    return {
        "arn": profile["Arn"],
        "name": profile["InstanceProfileName"],
        "path": profile["Path"],
        "uniqueId": profile["InstanceProfileId"],
        "createDate": profile["CreateDate"].isoformat(),
        **({"role": roles[0]} if roles else {}),
        **_tags(call, profile.get("Tags")),
    }


def change_profile(call: Call) -> None:
    if call.inputs.get("role") != call.state.get("role"):
        _without_role(call)
        finish_profile(call, call.id)
    _retag(call, "instance_profile", InstanceProfileName=call.id)


def _without_role(call: Call) -> None:
    if call.state.get("role"):
        iam().remove_role_from_instance_profile(InstanceProfileName=call.id, RoleName=call.state["role"])


def remove_profile(call: Call) -> None:
    _without_role(call)
    iam().delete_instance_profile(InstanceProfileName=call.id)


ROLE = Kind(
    "aws:iam/role:Role",
    noun="IAM Role",
    inputs={
        "name": NAME,
        "path": PATH,
        "assumeRolePolicy": Input(str, required=True),
        "description": Input(str),
        "maxSessionDuration": Input(int, default=3600),
        "permissionsBoundary": Input(str),
        "forceDetachPolicies": Input(bool, default=False),
    },
    outputs=("arn", "uniqueId", "createDate"),
    write_only=("forceDetachPolicies",),
    named="name",
    normal={"assumeRolePolicy": same_document},
    make=make_role,
    find=find_role,
    change=change_role,
    remove=lambda call: iam().delete_role(RoleName=call.id),
    check=lambda values: _document_failures(values, "assumeRolePolicy"),
    regional=False,
)

ROLE_POLICY = Kind(
    "aws:iam/rolePolicy:RolePolicy",
    noun="IAM Role Policy",
    inputs={
        "name": NAME,
        "role": Input(str, required=True, replaces=True),
        "policy": Input(str, required=True),
    },
    named="name",
    normal={"policy": same_document},
    make=put_policy,
    find=find_policy,
    change=change_policy,
    remove=remove_policy,
    check=lambda values: _document_failures(values, "policy"),
    tagged=False,
    regional=False,
)

PROFILE = Kind(
    "aws:iam/instanceProfile:InstanceProfile",
    noun="IAM Instance Profile",
    inputs={"name": NAME, "path": PATH, "role": Input(str)},
    outputs=("arn", "uniqueId", "createDate"),
    named="name",
    make=make_profile,
    finish=finish_profile,
    find=find_profile,
    change=change_profile,
    remove=remove_profile,
    regional=False,
)

KINDS = (ROLE, ROLE_POLICY, PROFILE)
