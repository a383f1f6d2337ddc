"""EC2 subnet. Leaves out IPv6, IPAM and outposts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.plugins.aws.api import API, found_tags, retag, specified
from sandbox.plugins.aws.kind import Kind, exactly_one, not_both, only
from sandbox.plugins.aws.lookup import described, network_address
from sandbox.plugins.framework.table import Call, Failure, Input
from sandbox.plugins.framework.values import Values

SUBNET_ATTRIBUTES = {
    "mapPublicIpOnLaunch": "MapPublicIpOnLaunch",
    "enableResourceNameDnsARecordOnLaunch": "EnableResourceNameDnsARecordOnLaunch",
}
SUBNET_OFF = ("assignIpv6AddressOnCreation", "enableDns64", "enableResourceNameDnsAaaaRecordOnLaunch", "ipv6Native")
OFF = Input(bool, default=False)


def make_subnet(call: Call) -> str:
    given = call.inputs
    zone = {"AvailabilityZone": "availabilityZone", "AvailabilityZoneId": "availabilityZoneId"}
    chosen = {key: given[name] for key, name in zone.items() if given.get(name)}
    answer = API.ec2.create_subnet(
        VpcId=given["vpcId"], CidrBlock=given["cidrBlock"], **chosen, **specified(call, "subnet")
    )
    return str(answer["Subnet"]["SubnetId"])


def finish_subnet(call: Call, identity: str) -> None:
    _modify_subnet(call, identity, dict.fromkeys(SUBNET_ATTRIBUTES, False))


def change_subnet(call: Call) -> None:
    _modify_subnet(call, call.id, call.state)
    retag(call, call.id)


def _modify_subnet(call: Call, identity: str, old: Mapping[str, Any]) -> None:
    for name, attribute in SUBNET_ATTRIBUTES.items():
        if call.inputs[name] != old.get(name):
            API.ec2.modify_subnet_attribute(SubnetId=identity, **{attribute: {"Value": call.inputs[name]}})


def find_subnet(call: Call, identity: str) -> Values | None:
    subnet = described("describe_subnets", "Subnets", SubnetIds=[identity])
    if subnet is None:
        return None
    names = subnet.get("PrivateDnsNameOptionsOnLaunch") or {}
    return {
        "arn": API.arn(f"subnet/{identity}"),
        "vpcId": subnet["VpcId"],
        "cidrBlock": subnet["CidrBlock"],
        "availabilityZone": subnet["AvailabilityZone"],
        "availabilityZoneId": subnet["AvailabilityZoneId"],
        "mapPublicIpOnLaunch": subnet["MapPublicIpOnLaunch"],
        "enableResourceNameDnsARecordOnLaunch": bool(names.get("EnableResourceNameDnsARecord")),
        "privateDnsHostnameTypeOnLaunch": names.get("HostnameType", "ip-name"),
        "ownerId": subnet["OwnerId"],
        **found_tags(call, subnet.get("Tags")),
    }


def check_subnet(values: Values) -> list[Failure]:
    return [
        *network_address(values, "cidrBlock", smallest=28, largest=16),
        *exactly_one(values, "cidrBlock"),
        *not_both(values, "availabilityZone", "availabilityZoneId"),
        *only(values, **dict.fromkeys(SUBNET_OFF, False)),
    ]


SUBNET = Kind(
    "aws:ec2/subnet:Subnet",
    noun="EC2 Subnet",
    inputs={
        "vpcId": Input(str, required=True, replaces=True),
        "cidrBlock": Input(str, replaces=True),
        "availabilityZone": Input(str, replaces=True),
        "availabilityZoneId": Input(str, replaces=True),
        **dict.fromkeys(SUBNET_ATTRIBUTES, OFF),
        **dict.fromkeys(SUBNET_OFF, OFF),
    },
    computed=("cidrBlock", "availabilityZone", "availabilityZoneId"),
    outputs=("arn", "ownerId", "privateDnsHostnameTypeOnLaunch"),
    write_only=SUBNET_OFF,
    not_imported=("availabilityZoneId",),
    make=make_subnet,
    finish=finish_subnet,
    find=find_subnet,
    change=change_subnet,
    remove=lambda call: API.ec2.delete_subnet(SubnetId=call.id),
    check=check_subnet,
)
