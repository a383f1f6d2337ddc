"""Whether the policies of an instance's role allow an action on a resource. Pure.

Knows Effect, Action and Resource, with wildcards. Anything else in a statement is an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

KNOWN = {"Sid", "Effect", "Action", "Resource"}
# What each action is asked about: the kind in the ARN, and the parameter that names the resource; none: everything.
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
    """The ARNs that a request is about; `prefix` is like "arn:aws:ec2:REGION:ACCOUNT". KeyError: no known action."""
    return [f"{prefix}:{kind}/{parameters.get(name, '')}" for kind, name in ACTIONS[action]] or ["*"]


def denied(policies: Iterable[str], action: str, arns: Iterable[str]) -> str | None:
    """The first resource that the action is not allowed on; None where it may be done. ValueError: see the module."""
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
    """Actions in any case; a resource that is everything is covered by no ARN, only by "*"."""
    named = any(fnmatchcase(action.lower(), each.lower()) for each in _listed(statement["Action"]))
    return named and any(fnmatchcase(arn, each) for each in _listed(statement["Resource"]))


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
