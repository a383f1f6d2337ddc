"""Asks the EC2 API for existing firewall rules and machines, because rules added by hand are in no state.

Region, endpoint and credentials are those of the stack's AWS provider. Changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

# Neither has type hints.
import boto3  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

from chef_push_jobs.cli.doctor.observations import Cloud, Machine
from chef_push_jobs.engine.stack_state import ObservedRule
from chef_push_jobs.model.shown import line

TIMES = Config(connect_timeout=5, read_timeout=15, retries={"total_max_attempts": 2})


def look(config: Mapping[str, str], groups: Sequence[str], machines: Sequence[str]) -> Cloud:
    """Asks for these groups and machines; `config` has the stack's `aws:…` settings."""
    try:
        ec2 = _client(config)
        found = _all(ec2, "describe_security_group_rules", [{"Name": "group-id", "Values": list(groups)}])
        rules = {rule["SecurityGroupRuleId"]: _rule(rule) for page in found for rule in page["SecurityGroupRules"]}
        found = _all(ec2, "describe_instances", [{"Name": "instance-id", "Values": list(machines)}]) if machines else []
        instances = [one for page in found for reservation in page["Reservations"] for one in reservation["Instances"]]
    except (BotoCoreError, ClientError, ValueError, KeyError, TypeError) as error:
        return Cloud({}, {}, line(str(error)))
    return Cloud(rules, {one["InstanceId"]: _machine(one) for one in instances})


def _client(config: Mapping[str, str]) -> Any:
    """Connects like the stack's provider: its settings define profile or keys, role, region and endpoints."""
    session = boto3.Session(
        profile_name=config.get("aws:profile"),
        region_name=config.get("aws:region"),
        aws_access_key_id=config.get("aws:accessKey"),
        aws_secret_access_key=config.get("aws:secretKey"),
        aws_session_token=config.get("aws:token"),
    )
    endpoints = {name: url for entry in json.loads(config.get("aws:endpoints", "[]")) for name, url in entry.items()}
    for role in json.loads(config.get("aws:assumeRoles", "[]")):
        sts = session.client("sts", endpoint_url=endpoints.get("sts"), config=TIMES)
        more = {"ExternalId": role["externalId"]} if "externalId" in role else {}
        given = sts.assume_role(RoleArn=role["roleArn"], RoleSessionName="doctor", **more)["Credentials"]
        session = boto3.Session(
            region_name=config.get("aws:region"),
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )
    return session.client("ec2", endpoint_url=endpoints.get("ec2"), config=TIMES)


def _all(ec2: Any, operation: str, filters: Sequence[Mapping[str, object]]) -> list[Mapping[str, Any]]:
    return list(ec2.get_paginator(operation).paginate(Filters=filters))


def _rule(found: Mapping[str, Any]) -> ObservedRule:
    group = found.get("ReferencedGroupInfo", {}).get("GroupId")
    peer = group or found.get("CidrIpv4") or found.get("CidrIpv6") or found.get("PrefixListId") or "?"
    return ObservedRule(
        found["GroupId"], found["IsEgress"], found["IpProtocol"], _ports(found, "FromPort", "ToPort"), str(peer)
    )


def _ports(found: Mapping[str, Any], low: str, high: str) -> tuple[int, int]:
    return int(found.get(low, -1)), int(found.get(high, -1))


def _machine(found: Mapping[str, Any]) -> Machine:
    return Machine(found["State"]["Name"], frozenset(group["GroupId"] for group in found["SecurityGroups"]))
