"""EC2 internet gateway, attached to one VPC or none."""

from __future__ import annotations

from sandbox.plugins.aws.api import API, found_tags, retag, specified
from sandbox.plugins.aws.kind import Kind
from sandbox.plugins.aws.lookup import described, first
from sandbox.plugins.framework.table import Call, Input
from sandbox.plugins.framework.values import Values


def make_gateway(call: Call) -> str:
    answer = API.ec2.create_internet_gateway(**specified(call, "internet-gateway"))
    return str(answer["InternetGateway"]["InternetGatewayId"])


def finish_gateway(call: Call, identity: str) -> None:
    if call.inputs.get("vpcId"):
        API.ec2.attach_internet_gateway(InternetGatewayId=identity, VpcId=call.inputs["vpcId"])


def change_gateway(call: Call) -> None:
    old, new = call.state.get("vpcId"), call.inputs.get("vpcId")
    if new and new != old:
        _detach(call, old)
        finish_gateway(call, call.id)
    retag(call, call.id)


def find_gateway(call: Call, identity: str) -> Values | None:
    gateway = described("describe_internet_gateways", "InternetGateways", InternetGatewayIds=[identity])
    if gateway is None:
        return None
    return {
        "arn": API.arn(f"internet-gateway/{identity}"),
        "ownerId": gateway.get("OwnerId", ""),
        "vpcId": (first(gateway.get("Attachments")) or {}).get("VpcId", ""),
        **found_tags(call, gateway.get("Tags")),
    }


def remove_gateway(call: Call) -> None:
    _detach(call, call.state.get("vpcId"))
    API.ec2.delete_internet_gateway(InternetGatewayId=call.id)


def _detach(call: Call, vpc_id: str | None) -> None:
    if not vpc_id:
        return
    try:
        API.ec2.detach_internet_gateway(InternetGatewayId=call.id, VpcId=vpc_id)
    except API.ec2.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "Gateway.NotAttached":
            raise


GATEWAY = Kind(
    "aws:ec2/internetGateway:InternetGateway",
    noun="EC2 Internet Gateway",
    inputs={"vpcId": Input(str)},
    computed=("vpcId",),
    outputs=("arn", "ownerId"),
    make=make_gateway,
    finish=finish_gateway,
    find=find_gateway,
    change=change_gateway,
    remove=remove_gateway,
)
