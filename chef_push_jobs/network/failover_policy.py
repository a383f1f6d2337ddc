"""Failover of the backends on AWS: the IAM policy for what keepalived does.

Pure. Source: docs/chef.md, HA providers. The resources are in components/high_availability.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

# Exactly what keepalived does. EC2 only grants the first two on all resources.
LOOKS = ("ec2:DescribeInstances", "ec2:DescribeVolumes")
MOVES_VOLUME = ("ec2:AttachVolume", "ec2:DetachVolume")
MOVES_ADDRESS = ("ec2:AssignPrivateIpAddresses",)


def assumed_by_machines() -> str:
    """The role's trust policy: machines may assume it."""
    statement = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def permissions(volume: str, machines: Mapping[str, str]) -> str:
    """The role's policy.

    `volume` is the volume's ARN, `machines` are the backends' ARNs with their network interfaces' ids.
    """
    interfaces = [f"{arn.rpartition(':')[0]}:network-interface/{identity}" for arn, identity in machines.items()]
    rows: Sequence[tuple[str, Sequence[str], Sequence[str] | str]] = (
        ("Look", LOOKS, "*"),
        ("MoveVolume", MOVES_VOLUME, [volume, *machines]),
        ("MoveAddress", MOVES_ADDRESS, interfaces),
    )
    statements = [{"Sid": name, "Effect": "Allow", "Action": list(what), "Resource": on} for name, what, on in rows]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
