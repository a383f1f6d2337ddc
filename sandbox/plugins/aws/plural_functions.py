"""Look-ups with any number of results, including none: getVpcs, getSubnets, getInstances."""

from __future__ import annotations

from typing import Any

from sandbox.plugins.aws.api import API
from sandbox.plugins.aws.functions import FILTERS, TAGS, filters_of
from sandbox.plugins.framework.table import Call, Function, Input
from sandbox.plugins.framework.values import Values


def _ids(call: Call, ids: list[str]) -> Values:
    return {**call.inputs, "id": API.region, "ids": ids, "region": API.region}


def get_vpcs(call: Call) -> Values:
    found = API.ec2.describe_vpcs(Filters=filters_of(call.inputs, {}))["Vpcs"]
    return _ids(call, [each["VpcId"] for each in found])


def get_subnets(call: Call) -> Values:
    found = API.ec2.describe_subnets(Filters=filters_of(call.inputs, {}))["Subnets"]
    return _ids(call, [each["SubnetId"] for each in found])


def get_instances(call: Call) -> Values:
    """Running instances, unless other states are named."""
    given = call.inputs
    states = {"Name": "instance-state-name", "Values": given.get("instanceStateNames") or ["running"]}
    filters = [*filters_of({**given, "tags": given.get("instanceTags")}, {}), states]
    pages = API.ec2.get_paginator("describe_instances").paginate(Filters=filters)
    found: list[Any] = [
        each for page in pages for reservation in page["Reservations"] for each in reservation["Instances"]
    ]
    return {
        **_ids(call, [each["InstanceId"] for each in found]),
        "privateIps": [each.get("PrivateIpAddress", "") for each in found],
        "publicIps": [each["PublicIpAddress"] for each in found if each.get("PublicIpAddress")],
        "ipv6Addresses": [],
    }


PLURAL_FUNCTIONS = (
    Function("aws:ec2/getVpcs:getVpcs", inputs={"filters": FILTERS, "tags": TAGS}, run=get_vpcs),
    Function("aws:ec2/getSubnets:getSubnets", inputs={"filters": FILTERS, "tags": TAGS}, run=get_subnets),
    Function(
        "aws:ec2/getInstances:getInstances",
        inputs={"filters": FILTERS, "instanceTags": TAGS, "instanceStateNames": Input(list, each=Input(str))},
        run=get_instances,
    ),
)
