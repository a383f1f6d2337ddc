"""EC2 VPC. Leaves out IPv6 and IPAM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.plugins.aws.api import API, found_tags, retag, specified
from sandbox.plugins.aws.kind import Kind, exactly_one
from sandbox.plugins.aws.lookup import described, first, network_address
from sandbox.plugins.framework.table import Call, Failure, Input
from sandbox.plugins.framework.values import UNKNOWN, Values

VPC_ATTRIBUTES = {
    "enableDnsSupport": "EnableDnsSupport",
    "enableDnsHostnames": "EnableDnsHostnames",
    "enableNetworkAddressUsageMetrics": "EnableNetworkAddressUsageMetrics",
}


def make_vpc(call: Call) -> str:
    given = call.inputs
    answer = API.ec2.create_vpc(
        CidrBlock=given["cidrBlock"], InstanceTenancy=given["instanceTenancy"], **specified(call, "vpc")
    )
    return str(answer["Vpc"]["VpcId"])


def finish_vpc(call: Call, identity: str) -> None:
    defaults = {"enableDnsSupport": True, "enableDnsHostnames": False, "enableNetworkAddressUsageMetrics": False}
    _modify_vpc(call, identity, defaults)


def change_vpc(call: Call) -> None:
    _modify_vpc(call, call.id, call.state)
    retag(call, call.id)


def _modify_vpc(call: Call, identity: str, old: Mapping[str, Any]) -> None:
    for name, attribute in VPC_ATTRIBUTES.items():
        if name in call.inputs and call.inputs[name] != old.get(name):
            API.ec2.modify_vpc_attribute(VpcId=identity, **{attribute: {"Value": call.inputs[name]}})


def find_vpc(call: Call, identity: str) -> Values | None:
    vpc = described("describe_vpcs", "Vpcs", VpcIds=[identity])
    if vpc is None:
        return None
    inside = [{"Name": "vpc-id", "Values": [identity]}]
    tables = API.ec2.describe_route_tables(Filters=[*inside, {"Name": "association.main", "Values": ["true"]}])
    groups = API.ec2.describe_security_groups(Filters=[*inside, {"Name": "group-name", "Values": ["default"]}])
    lists = API.ec2.describe_network_acls(Filters=[*inside, {"Name": "default", "Values": ["true"]}])
    main = (first(tables["RouteTables"]) or {}).get("RouteTableId", "")
    return {
        "arn": API.arn(f"vpc/{identity}"),
        "cidrBlock": vpc["CidrBlock"],
        "instanceTenancy": vpc["InstanceTenancy"],
        "ownerId": vpc["OwnerId"],
        "dhcpOptionsId": vpc.get("DhcpOptionsId", ""),
        "mainRouteTableId": main,
        "defaultRouteTableId": main,
        "defaultSecurityGroupId": (first(groups["SecurityGroups"]) or {}).get("GroupId", ""),
        "defaultNetworkAclId": (first(lists["NetworkAcls"]) or {}).get("NetworkAclId", ""),
        **{name: _vpc_attribute(identity, attribute) for name, attribute in VPC_ATTRIBUTES.items()},
        **found_tags(call, vpc.get("Tags")),
    }


def _vpc_attribute(identity: str, attribute: str) -> bool:
    name = attribute[0].lower() + attribute[1:]
    return bool(API.ec2.describe_vpc_attribute(VpcId=identity, Attribute=name)[attribute]["Value"])


def check_vpc(values: Values) -> list[Failure]:
    tenancy = (
        [] if values.get("instanceTenancy") in ("default", "dedicated", None, UNKNOWN) else ["default or dedicated"]
    )
    return [
        *network_address(values, "cidrBlock", smallest=28, largest=16),
        *exactly_one(values, "cidrBlock"),
        *(Failure("instanceTenancy", f"expected {allowed}") for allowed in tenancy),
    ]


VPC = Kind(
    "aws:ec2/vpc:Vpc",
    noun="EC2 VPC",
    inputs={
        "cidrBlock": Input(str, replaces=True),
        "instanceTenancy": Input(str, default="default", replaces=True),
        "enableDnsSupport": Input(bool, default=True),
        "enableDnsHostnames": Input(bool),
        "enableNetworkAddressUsageMetrics": Input(bool),
    },
    computed=("cidrBlock", "enableDnsHostnames", "enableNetworkAddressUsageMetrics"),
    outputs=(
        *("arn", "ownerId", "dhcpOptionsId", "mainRouteTableId", "defaultRouteTableId"),
        *("defaultSecurityGroupId", "defaultNetworkAclId"),
    ),
    make=make_vpc,
    finish=finish_vpc,
    find=find_vpc,
    change=change_vpc,
    remove=lambda call: API.ec2.delete_vpc(VpcId=call.id),
    check=check_vpc,
)
