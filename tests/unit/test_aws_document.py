"""docs/aws.md says what the program needs and makes on AWS: it must not lag behind."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import botocore.session  # type: ignore[import-untyped]  # publishes no types
import pytest

from chef_push_jobs.engine.aws_advice import ADVICE

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "aws.md").read_text()
POLICY = json.loads(re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)[0])
ALLOWED = [statement for statement in POLICY["Statement"] if statement["Effect"] == "Allow"]
PLUGIN = sorted((ROOT / "sandbox" / "plugins" / "aws").glob("*.py"))
# A client of the stand-in: its method calls are the actions.
CALLED = re.compile(r"""(?:API\.|client\(")(ec2|elbv2|iam|route53|sts)(?:"\))?\.([a-z_]+)\(""")
DESCRIBED = re.compile(r'described\(\s*"([a-z_]+)"')
PAGED = re.compile(r"""(?:API\.|client\(")(ec2|elbv2|iam|route53|sts)(?:"\))?\.get_paginator\(\s*"([a-z_]+)""")
NO_ACTIONS = {"get_paginator", "get_waiter"}  # methods of every client
SERVICES = {"elbv2": "elasticloadbalancing"}


def permitted(action: str) -> bool:
    """Whether some statement of the document's policy allows it, on whatever resource."""
    allowed = [each for statement in ALLOWED for each in statement["Action"]]
    return any(fnmatchcase(action, pattern) for pattern in allowed)


def actions(text: str) -> Iterator[str]:
    calls = [*CALLED.findall(text), *PAGED.findall(text), *(("ec2", method) for method in DESCRIBED.findall(text))]
    for service, method in calls:
        if method not in NO_ACTIONS:
            yield f"{SERVICES.get(service, service)}:{''.join(word.title() for word in method.split('_'))}"


def resources() -> set[str]:
    """The types of AWS resources that the program makes or looks up, as it names them: ec2.Vpc."""
    found = set()
    for path in (ROOT / "components").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and (name := ast.unparse(node.func)).startswith("aws."):
                found.add(name.removeprefix("aws."))
    return {name for name in found if name.count(".") == 1 and not name.endswith("Args")}


def ec2(*names: str) -> set[str]:
    return {f"ec2:{name}" for name in names}


def elb(*names: str) -> set[str]:
    return {f"elasticloadbalancing:{name}" for name in names}


def iam(*names: str) -> set[str]:
    return {f"iam:{name}" for name in names}


ZONE = {
    f"route53:{name}" for name in ("GetHostedZone", "ListResourceRecordSets", "ChangeResourceRecordSets", "GetChange")
}
RULE = ec2("ModifySecurityGroupRules")
# What Terraform's AWS provider calls to make, change and remove a resource of each type of the program, by its source
# (hashicorp/terraform-provider-aws, internal/service). Describe… and tags of EC2 and load balancers, all types need.
CALLS: dict[str, set[str]] = {
    "ec2.Instance": ec2(
        *("RunInstances", "TerminateInstances", "StartInstances", "StopInstances", "ModifyInstanceAttribute"),
        *("ModifyInstanceMetadataOptions", "ModifyNetworkInterfaceAttribute", "ModifyVolume"),
        *("AssociateIamInstanceProfile", "ReplaceIamInstanceProfileAssociation", "DisassociateIamInstanceProfile"),
    )
    | iam("PassRole"),
    "ec2.KeyPair": ec2("ImportKeyPair", "DeleteKeyPair"),
    "ec2.Vpc": ec2("CreateVpc", "ModifyVpcAttribute", "DeleteVpc"),
    "ec2.Subnet": ec2("CreateSubnet", "ModifySubnetAttribute", "DeleteSubnet"),
    "ec2.SubnetCidrReservation": ec2(
        "CreateSubnetCidrReservation", "GetSubnetCidrReservations", "DeleteSubnetCidrReservation"
    ),
    "ec2.InternetGateway": ec2(
        "CreateInternetGateway", "AttachInternetGateway", "DetachInternetGateway", "DeleteInternetGateway"
    ),
    "ec2.RouteTable": ec2("CreateRouteTable", "DeleteRouteTable", "DisassociateRouteTable"),
    "ec2.Route": ec2("CreateRoute", "ReplaceRoute", "DeleteRoute"),
    "ec2.RouteTableAssociation": ec2("AssociateRouteTable", "ReplaceRouteTableAssociation", "DisassociateRouteTable"),
    "ec2.Eip": ec2("AllocateAddress", "DisassociateAddress", "ReleaseAddress"),
    "ec2.NatGateway": ec2("CreateNatGateway", "DeleteNatGateway"),
    "ec2.SecurityGroup": ec2("CreateSecurityGroup", "RevokeSecurityGroupEgress", "DeleteSecurityGroup"),
    "vpc.SecurityGroupIngressRule": RULE | ec2("AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"),
    "vpc.SecurityGroupEgressRule": RULE | ec2("AuthorizeSecurityGroupEgress", "RevokeSecurityGroupEgress"),
    "ebs.Volume": ec2("CreateVolume", "ModifyVolume", "DeleteVolume"),
    "ec2.VolumeAttachment": ec2("AttachVolume", "DetachVolume"),
    "lb.LoadBalancer": elb(
        *(
            "CreateLoadBalancer",
            "ModifyLoadBalancerAttributes",
            "SetSecurityGroups",
            "SetSubnets",
            "DeleteLoadBalancer",
        ),
    )
    | iam("CreateServiceLinkedRole"),
    "lb.Listener": elb("CreateListener", "ModifyListener", "ModifyListenerAttributes", "DeleteListener"),
    "lb.TargetGroup": elb("CreateTargetGroup", "ModifyTargetGroup", "ModifyTargetGroupAttributes", "DeleteTargetGroup"),
    "lb.TargetGroupAttachment": elb("RegisterTargets", "DeregisterTargets"),
    "route53.Record": ZONE,
    "iam.Role": iam(
        *("CreateRole", "GetRole", "UpdateRole", "UpdateRoleDescription", "UpdateAssumeRolePolicy", "DeleteRole"),
        *("PutRolePermissionsBoundary", "TagRole", "UntagRole", "ListRoleTags", "ListRolePolicies"),
        *("ListAttachedRolePolicies", "ListInstanceProfilesForRole", "RemoveRoleFromInstanceProfile"),
    ),
    "iam.RolePolicy": iam("PutRolePolicy", "GetRolePolicy", "DeleteRolePolicy"),
    "iam.InstanceProfile": iam(
        *("CreateInstanceProfile", "GetInstanceProfile", "DeleteInstanceProfile", "AddRoleToInstanceProfile"),
        *("RemoveRoleFromInstanceProfile", "TagInstanceProfile", "UntagInstanceProfile", "ListInstanceProfileTags"),
    ),
    "ec2.get_ami": ec2("GetInstanceUefiData"),
    "the provider itself": {"sts:GetCallerIdentity"},
    "tags": ec2("CreateTags", "DeleteTags") | elb("AddTags", "RemoveTags"),
}
# What is asked about no tag at all, and what is about something without tags too: something new, or an interface.
ANY = ec2("DeleteSubnetCidrReservation", "ImportKeyPair", "CreateVpc", "AllocateAddress")
NEW = ec2("RunInstances", "CreateSubnet", "CreateRouteTable", "CreateNatGateway", "CreateSecurityGroup")
# These two are asked about the tag by a pattern, which means their like.
NEW |= ec2("CreateVolume", "CreateInternetGateway", "DisassociateAddress", "ModifyNetworkInterfaceAttribute")
# What patterns allow beyond the provider's calls, and only on what has the tag.
BEYOND = ec2("CreateEgressOnlyInternetGateway", "DeleteEgressOnlyInternetGateway", "ImportVolume")


def statements(action: str) -> list[dict[str, Any]]:
    return [each for each in ALLOWED if any(fnmatchcase(action, one) for one in each["Action"])]


def conditions(action: str) -> list[str]:
    """The keys that statements for an action ask about, all together; a statement without any asks about \"\"."""
    asked = [list(each.get("Condition", {}).values()) for each in statements(action)]
    return [key for values in asked for key in ([name for value in values for name in value] or [""])]


@pytest.mark.parametrize("kind", CALLS)
def test_every_call_of_the_real_provider_is_permitted(kind: str) -> None:
    assert {action for action in CALLS[kind] if not permitted(action)} == set()


def test_nothing_is_permitted_that_the_provider_does_not_call() -> None:
    called = set().union(*CALLS.values())
    named = {action for statement in ALLOWED for action in statement["Action"] if "*" not in action}
    assert named - called == set()


def test_a_pattern_permits_what_is_meant_and_little_else() -> None:
    session = botocore.session.get_session()
    there_are = {
        f"{service}:{operation}"
        for service, model in (("ec2", "ec2"), ("elasticloadbalancing", "elbv2"))
        for operation in session.get_service_model(model).operation_names
        if not operation.startswith("Describe")
    }
    patterns = {action for statement in ALLOWED for action in statement["Action"] if "*" in action}
    meant = {action for action in there_are for pattern in patterns if fnmatchcase(action, pattern)}
    assert meant - set().union(*CALLS.values()) == BEYOND
    assert all(conditions(action) == ["aws:ResourceTag/stack"] for action in BEYOND)


def test_every_type_of_the_program_has_its_calls() -> None:
    assert {name for name in resources() if ".get_" not in name} <= CALLS.keys()


@pytest.mark.parametrize("action", sorted(action for calls in CALLS.values() for action in calls if "ec2:" in action))
def test_what_there_is_is_known_by_its_tag_and_what_is_made_is_asked_for_none(action: str) -> None:
    if action == "ec2:CreateTags":
        assert set(conditions(action)) == {"aws:ResourceTag/stack", "ec2:CreateAction", "aws:RequestTag/stack"}
    elif action in ANY or action.startswith("ec2:Get"):
        assert conditions(action) == [""], "the provider tags root volumes and rules afterwards"
    elif action in NEW:
        assert sorted(conditions(action)) == ["", "aws:ResourceTag/stack"]
        assert all(each["Resource"] != "*" for each in statements(action) if "Condition" not in each)
    else:
        assert conditions(action) == ["aws:ResourceTag/stack"]


WITHIN = iam("CreateRole", "PutRolePolicy", "DeleteRolePolicy", "PutRolePermissionsBoundary")


@pytest.mark.parametrize("action", sorted(WITHIN))
def test_a_role_is_made_within_its_boundary_alone(action: str) -> None:
    assert conditions(action) == ["iam:PermissionsBoundary"]
    assert not permitted("iam:DeleteRolePermissionsBoundary")


@pytest.mark.parametrize("service", ["iam", "elasticloadbalancing", "route53"])
def test_what_has_a_name_is_narrowed_by_it(service: str) -> None:
    own = [each for each in ALLOWED if all(one.startswith(f"{service}:") for one in each["Action"])]
    assert own and all("*" not in each["Resource"] for each in own if isinstance(each["Resource"], list))
    assert all(each["Resource"] != "*" for each in own)


@pytest.mark.parametrize("module", PLUGIN, ids=lambda path: path.stem)
def test_every_action_that_the_resources_call_is_permitted(module: Path) -> None:
    missing = {action for action in actions(module.read_text()) if not permitted(action)}
    assert missing == set(), "the policy in docs/aws.md lacks these"


def test_the_actions_are_found_in_the_source() -> None:
    found = {action for module in PLUGIN for action in actions(module.read_text())}
    assert {"ec2:CreateVpc", "ec2:DescribeSubnets", "ec2:RunInstances"} <= found


def test_nothing_but_the_projects_own_services_is_permitted_as_a_whole() -> None:
    wide = [each for statement in ALLOWED for each in statement["Action"] if each.endswith(":*")]
    assert wide == [] and not permitted("iam:CreateUser") and not permitted("ec2:CreateSnapshot")


def test_the_policy_fits_into_one_managed_policy() -> None:
    """IAM counts no white space; 6,144 characters are the limit, also with longer names than in the document."""
    text = json.dumps(POLICY, separators=(",", ":")).replace("production", "production-of-chef-in-europe")
    assert len(text) <= 6144


def test_every_resource_of_the_program_is_listed() -> None:
    listed = set(re.findall(r"^\| `([a-z0-9]+\.[A-Za-z_]+)`", TEXT, re.MULTILINE))
    looked_up = {name for name in resources() if ".get_" in name}
    assert resources() - looked_up <= listed, f"docs/aws.md lacks {resources() - looked_up - listed}"


@pytest.mark.parametrize("code", ADVICE)
def test_every_refusal_is_listed_with_its_advice(code: str) -> None:
    advice = ADVICE[code]
    assert f"| `{code}` | {advice[0].upper()}{advice[1:]}. |" in TEXT
