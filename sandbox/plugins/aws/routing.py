"""EC2 route table, route, and a table's association with a subnet. Left out: routes inside the table, and IPv6."""

from __future__ import annotations

import zlib
from typing import Any

from sandbox.plugins.aws.api import API, found_tags, retag, specified
from sandbox.plugins.aws.kind import Kind, exactly_one
from sandbox.plugins.aws.lookup import described, first, network_address
from sandbox.plugins.aws.propagation import propagated
from sandbox.plugins.framework.table import Call, Failure, Input
from sandbox.plugins.framework.values import Values

ROUTE_TARGETS = {"gatewayId": "GatewayId", "natGatewayId": "NatGatewayId", "networkInterfaceId": "NetworkInterfaceId"}


def make_table(call: Call) -> str:
    answer = API.ec2.create_route_table(VpcId=call.inputs["vpcId"], **specified(call, "route-table"))
    return str(answer["RouteTable"]["RouteTableId"])


def change_table(call: Call) -> None:
    retag(call, call.id)


def find_table(call: Call, identity: str) -> Values | None:
    table = described("describe_route_tables", "RouteTables", RouteTableIds=[identity])
    if table is None:
        return None
    return {
        "arn": API.arn(f"route-table/{identity}"),
        "ownerId": table["OwnerId"],
        "vpcId": table["VpcId"],
        **found_tags(call, table.get("Tags")),
    }


def make_route(call: Call) -> str:
    given = call.inputs
    API.ec2.create_route(
        RouteTableId=given["routeTableId"], DestinationCidrBlock=given["destinationCidrBlock"], **_target(given)
    )
    return f"r-{given['routeTableId']}{zlib.crc32(given['destinationCidrBlock'].encode())}"


def change_route(call: Call) -> None:
    API.ec2.replace_route(
        RouteTableId=call.inputs["routeTableId"],
        DestinationCidrBlock=call.inputs["destinationCidrBlock"],
        **_target(call.inputs),
    )


def _target(given: Values) -> dict[str, str]:
    return {key: given[name] for name, key in ROUTE_TARGETS.items() if given.get(name)}


def find_route(call: Call, identity: str) -> Values | None:
    known = call.state | call.inputs
    table = described("describe_route_tables", "RouteTables", RouteTableIds=[known["routeTableId"]])
    routes = table["Routes"] if table else []
    route = first([each for each in routes if each.get("DestinationCidrBlock") == known["destinationCidrBlock"]])
    if route is None or route.get("GatewayId") == "local":
        return None
    targets = {name: route[key] for name, key in ROUTE_TARGETS.items() if route.get(key)}
    return {
        "routeTableId": known["routeTableId"],
        "destinationCidrBlock": route["DestinationCidrBlock"],
        "origin": route.get("Origin", ""),
        "state": route.get("State", ""),
        **targets,
    }


def remove_route(call: Call) -> None:
    table, block = call.state["routeTableId"], call.state["destinationCidrBlock"]
    API.ec2.delete_route(RouteTableId=table, DestinationCidrBlock=block)


def check_route(values: Values) -> list[Failure]:
    return [*network_address(values, "destinationCidrBlock"), *exactly_one(values, *ROUTE_TARGETS)]


def make_association(call: Call) -> str:
    chosen = {"SubnetId": call.inputs["subnetId"], "RouteTableId": call.inputs["routeTableId"]}
    return str(propagated(call, lambda: API.ec2.associate_route_table(**chosen))["AssociationId"])


def change_association(call: Call) -> None:
    association = _association(call)
    API.ec2.replace_route_table_association(
        AssociationId=association["RouteTableAssociationId"], RouteTableId=call.inputs["routeTableId"]
    )


def find_association(call: Call, identity: str) -> Values | None:
    association = _association(call)
    return association and {"subnetId": association["SubnetId"], "routeTableId": association["RouteTableId"]}


def _association(call: Call) -> Any:
    """Found by its subnet, which can only have one: the id changes with the table, and Pulumi keeps the first."""
    subnet = (call.state | call.inputs)["subnetId"]
    table = described(
        "describe_route_tables", "RouteTables", Filters=[{"Name": "association.subnet-id", "Values": [subnet]}]
    )
    return first([each for each in table["Associations"] if each.get("SubnetId") == subnet]) if table else None


def remove_association(call: Call) -> None:
    association = _association(call)
    if association:
        API.ec2.disassociate_route_table(AssociationId=association["RouteTableAssociationId"])


TABLE = Kind(
    "aws:ec2/routeTable:RouteTable",
    noun="EC2 Route Table",
    inputs={"vpcId": Input(str, required=True, replaces=True)},
    outputs=("arn", "ownerId"),
    make=make_table,
    find=find_table,
    change=change_table,
    remove=lambda call: API.ec2.delete_route_table(RouteTableId=call.id),
)

ROUTE = Kind(
    "aws:ec2/route:Route",
    noun="EC2 Route",
    inputs={
        "routeTableId": Input(str, required=True, replaces=True),
        "destinationCidrBlock": Input(str, required=True, replaces=True),
        **dict.fromkeys(ROUTE_TARGETS, Input(str)),
    },
    outputs=("origin", "state"),
    make=make_route,
    find=find_route,
    change=change_route,
    remove=remove_route,
    check=check_route,
    tagged=False,
)

ASSOCIATION = Kind(
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
    noun="EC2 Route Table Association",
    inputs={
        "subnetId": Input(str, required=True, replaces=True),
        "routeTableId": Input(str, required=True),
    },
    make=make_association,
    find=find_association,
    change=change_association,
    remove=remove_association,
    tagged=False,
)
