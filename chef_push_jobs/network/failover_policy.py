"""Failover of the backends on AWS: the address that moves, what keepalived may do, how the data volume is prepared.

Pure. Source: docs/chef.md, HA providers. The resources are in components/high_availability.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

# Everything that keepalived does, and nothing else. The first ones know no resource: EC2 grants them on all or none.
LOOKS = ("ec2:DescribeInstances", "ec2:DescribeVolumes")
MOVES_VOLUME = ("ec2:AttachVolume", "ec2:DetachVolume")
MOVES_ADDRESS = ("ec2:AssignPrivateIpAddresses",)


def assumed_by_machines() -> str:
    """The trust policy of the role: machines may have it."""
    statement = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def permissions(volume: str, machines: Mapping[str, str]) -> str:
    """The role's policy, of the ARN of the volume and those of the backends with their network interfaces' ids."""
    interfaces = [f"{arn.rpartition(':')[0]}:network-interface/{identity}" for arn, identity in machines.items()]
    rows: Sequence[tuple[str, Sequence[str], Sequence[str] | str]] = (
        ("Look", LOOKS, "*"),
        ("MoveVolume", MOVES_VOLUME, [volume, *machines]),
        ("MoveAddress", MOVES_ADDRESS, interfaces),
    )
    statements = [{"Sid": name, "Effect": "Allow", "Action": list(what), "Resource": on} for name, what, on in rows]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
