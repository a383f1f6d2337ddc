"""Whether the policies of an instance's role allow an action on a resource. Pure.

Supports Effect, Action and Resource, with wildcards. Anything else in a statement is an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
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


def resources(action: str, parameters: Mapping[str, str], prefix: str) -> list[str]:
    """The ARNs that a request is about.

    `prefix` is like "arn:aws:ec2:REGION:ACCOUNT". Raises KeyError for unknown actions.
    """
    return [f"{prefix}:{kind}/{parameters.get(name, '')}" for kind, name in ACTIONS[action]] or ["*"]


def denied(policies: Iterable[str], action: str, arns: Iterable[str]) -> str | None:
    """The first resource on which the action is not allowed.

    None if it is allowed. Raises ValueError as described above.
    """
    statements = [statement for policy in policies for statement in _statements(policy)]
    for arn in arns:
        effects = {each["Effect"] for each in statements if _covers(each, f"ec2:{action}", arn)}
        if effects != {"Allow"}:
            return arn
    return None


def _statements(policy: str) -> list[Mapping[str, Any]]:
    found = json.loads(policy)["Statement"]
    statements = found if isinstance(found, list) else [found]
    for statement in statements:
        if more := statement.keys() - KNOWN:
            raise ValueError(f"the sandbox's IAM does not implement {', '.join(sorted(more))} in a policy")
    return statements


def _covers(statement: Mapping[str, Any], action: str, arn: str) -> bool:
    """Actions match in upper or lower case. A resource that means everything is only covered by "*", not by an ARN."""
    named = any(fnmatchcase(action.lower(), each.lower()) for each in _listed(statement["Action"]))
    return named and any(fnmatchcase(arn, each) for each in _listed(statement["Resource"]))


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
