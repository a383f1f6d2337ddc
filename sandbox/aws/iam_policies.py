"""Whether policies allow an action on a resource. Pure.

Supports Effect, Action and Resource, with wildcards; and Condition with OPERATORS, if the caller says what a request
contains. Anything else in a statement is an error.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

KNOWN = {"Sid", "Effect", "Action", "Resource"}
# For each action, the type of resource in the ARN and the parameter that names it; empty means everything.
ACTIONS: Mapping[str, Sequence[tuple[str, str]]] = {
    "DescribeInstances": (),
    "DescribeVolumes": (),
    "AttachVolume": (("volume", "VolumeId"), ("instance", "InstanceId")),
    "DetachVolume": (("volume", "VolumeId"), ("instance", "InstanceId")),
    "AssignPrivateIpAddresses": (("network-interface", "NetworkInterfaceId"),),
    "UnassignPrivateIpAddresses": (("network-interface", "NetworkInterfaceId"),),
    "TerminateInstances": (("instance", "InstanceId.1"),),
}

# A value and a wanted one; the value is None where the request has no such key.
OPERATORS: Mapping[str, Callable[[str | None, str], bool]] = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringNotEquals": lambda value, wanted: value != wanted,
    "StringLike": lambda value, wanted: value is not None and fnmatchcase(value, wanted),
    "ArnLike": lambda value, wanted: value is not None and fnmatchcase(value, wanted),
    "Null": lambda value, wanted: (value is None) == (wanted == "true"),
}


def resources(action: str, parameters: Mapping[str, str], prefix: str) -> list[str]:
    """The ARNs that a request is about.

    `prefix` is like "arn:aws:ec2:REGION:ACCOUNT". Raises KeyError for unknown actions.
    """
    return [f"{prefix}:{kind}/{parameters.get(name, '')}" for kind, name in ACTIONS[action]] or ["*"]


def denied(
    policies: Iterable[str],
    action: str,
    arns: Iterable[str],
    keys: Callable[[str], Mapping[str, str]] | None = None,
) -> str | None:
    """The first resource on which the action is not allowed, or None. Raises ValueError as described above.

    An action without a service is one of EC2's. `keys` returns what a request says about a resource, for conditions.
    """
    statements = [statement for policy in policies for statement in _statements(policy, keys is not None)]
    action = action if ":" in action else f"ec2:{action}"
    for arn in arns:
        said = keys(arn) if keys else {}
        effects = {each["Effect"] for each in statements if _covers(each, action, arn) and _meets(each, said)}
        if effects != {"Allow"}:
            return arn
    return None


def _statements(policy: str, conditions: bool) -> list[Mapping[str, Any]]:
    found = json.loads(policy)["Statement"]
    statements = found if isinstance(found, list) else [found]
    for statement in statements:
        if more := statement.keys() - (KNOWN | {"Condition"} if conditions else KNOWN):
            raise ValueError(f"the sandbox's IAM does not implement {', '.join(sorted(more))} in a policy")
    return statements


def _covers(statement: Mapping[str, Any], action: str, arn: str) -> bool:
    """Actions match in upper or lower case. A resource that means everything is only covered by "*", not by an ARN."""
    named = any(fnmatchcase(action.lower(), each.lower()) for each in _listed(statement["Action"]))
    return named and any(fnmatchcase(arn, each) for each in _listed(statement["Resource"]))


def _meets(statement: Mapping[str, Any], said: Mapping[str, str]) -> bool:
    return all(
        any(OPERATORS[operator](said.get(key), each) for each in _listed(wanted))
        for operator, keys in statement.get("Condition", {}).items()
        for key, wanted in keys.items()
    )


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
