"""EC2 elastic IP address and NAT gateway. Leaves out addresses of instances, private and regional gateways."""

from __future__ import annotations

from sandbox.plugins.aws.api import API, POLL_SECONDS, found_tags, retag, specified
from sandbox.plugins.aws.kind import Kind, only
from sandbox.plugins.aws.lookup import described, first
from sandbox.plugins.framework.table import Call, Failure, Input, PluginError
from sandbox.plugins.framework.values import Values

ENDED = ("deleted", "failed")


def make_address(call: Call) -> str:
    return str(API.ec2.allocate_address(Domain="vpc", **specified(call, "elastic-ip"))["AllocationId"])


def find_address(call: Call, identity: str) -> Values | None:
    address = described("describe_addresses", "Addresses", AllocationIds=[identity])
    if address is None:
        return None
    return {
        "arn": API.arn(f"elastic-ip/{identity}"),
        "allocationId": identity,
        "domain": address["Domain"],
        "publicIp": address["PublicIp"],
        "associationId": address.get("AssociationId", ""),
        **found_tags(call, address.get("Tags")),
    }


def make_nat(call: Call) -> str:
    answer = API.ec2.create_nat_gateway(
        SubnetId=call.inputs["subnetId"],
        AllocationId=call.inputs["allocationId"],
        ConnectivityType=call.inputs["connectivityType"],
        **specified(call, "natgateway"),
    )
    return str(answer["NatGateway"]["NatGatewayId"])


def finish_nat(call: Call, identity: str) -> None:
    while (gateway := _described_nat(identity)) and gateway["State"] == "pending":
        call.wait(POLL_SECONDS)
    if gateway is None:
        raise PluginError("unexpected state 'failed', wanted target 'available'")


def _described_nat(identity: str) -> Values | None:
    gateway: Values | None = described("describe_nat_gateways", "NatGateways", NatGatewayIds=[identity])
    return None if gateway is None or gateway["State"] in ENDED else gateway


def find_nat(call: Call, identity: str) -> Values | None:
    gateway = _described_nat(identity)
    if gateway is None:
        return None
    address = first(gateway.get("NatGatewayAddresses")) or {}
    return {
        "subnetId": gateway["SubnetId"],
        "connectivityType": gateway.get("ConnectivityType", ""),
        "allocationId": address.get("AllocationId", ""),
        "associationId": address.get("AssociationId", ""),
        "networkInterfaceId": address.get("NetworkInterfaceId", ""),
        "privateIp": address.get("PrivateIp", ""),
        "publicIp": address.get("PublicIp", ""),
        **found_tags(call, gateway.get("Tags")),
    }


def remove_nat(call: Call) -> None:
    API.ec2.delete_nat_gateway(NatGatewayId=call.id)
    while _described_nat(call.id) is not None:
        call.wait(POLL_SECONDS)


def check_address(values: Values) -> list[Failure]:
    return only(values, domain="vpc")


ADDRESS = Kind(
    "aws:ec2/eip:Eip",
    noun="EC2 EIP",
    inputs={"domain": Input(str, replaces=True)},
    computed=("domain",),
    outputs=("arn", "allocationId", "associationId", "publicIp"),
    make=make_address,
    find=find_address,
    change=lambda call: retag(call, call.id),
    remove=lambda call: API.ec2.release_address(AllocationId=call.id),
    check=check_address,
)

NAT = Kind(
    "aws:ec2/natGateway:NatGateway",
    noun="EC2 NAT Gateway",
    inputs={
        "subnetId": Input(str, required=True, replaces=True),
        "allocationId": Input(str, required=True, replaces=True),
        "connectivityType": Input(str, default="public", replaces=True),
    },
    outputs=("associationId", "networkInterfaceId", "privateIp", "publicIp"),
    make=make_nat,
    finish=finish_nat,
    find=find_nat,
    change=lambda call: retag(call, call.id),
    remove=remove_nat,
    check=lambda values: only(values, connectivityType="public"),
)
