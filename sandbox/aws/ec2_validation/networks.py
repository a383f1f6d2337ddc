"""VPCs, subnets, route tables and internet gateways: what EC2 refuses and moto does not.

Error codes and messages are those of the EC2 API.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from sandbox.aws.ec2_validation.refusals import Arguments, group_of, refuse

SUBNET_PREFIXES = range(16, 29)


# What depends on what


def interfaces(backend: Any, vpc_id: str) -> list[Any]:
    return [interface for interface in backend.enis.values() if interface.vpc_id == vpc_id]


def all_groups(backend: Any) -> list[Any]:
    return [group for groups in backend.groups.values() for group in groups.values()]


def vpc_unused(backend: Any, arguments: Arguments) -> None:
    vpc_id = arguments["vpc_id"]
    attached = any(gateway.vpc and gateway.vpc.id == vpc_id for gateway in backend.internet_gateways.values())
    groups = any(group.vpc_id == vpc_id and not group.is_default for group in all_groups(backend))
    if attached or groups or interfaces(backend, vpc_id):
        refuse("DependencyViolation", f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")


def subnet_unused(backend: Any, arguments: Arguments) -> None:
    subnet_id = arguments["subnet_id"]
    if any(interface.subnet.id == subnet_id for interface in backend.enis.values()):
        refuse("DependencyViolation", f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")


def security_group_unused(backend: Any, arguments: Arguments) -> None:
    group_id = arguments["group_id"]
    if not group_id:
        refuse("InvalidParameterValue", "security groups of a VPC are deleted by their id")
    group = group_of(backend, group_id)
    if group.is_default:
        refuse("CannotDelete", f'the specified group: "{group_id}" name: "default" cannot be deleted by a user')
    used = any(group in interface.group_set for interface in backend.enis.values())
    if used or any(_refers_to(other, group_id) for other in all_groups(backend) if other.id != group_id):
        refuse("DependencyViolation", f"resource {group_id} has a dependent object")


def _refers_to(group: Any, group_id: str) -> bool:
    return any(rule.source_group.get("GroupId") == group_id for rule in (*group.ingress_rules, *group.egress_rules))


def route_table_not_main(backend: Any, arguments: Arguments) -> None:
    table_id = arguments["route_table_id"]
    if backend.get_route_table(table_id).main_association_id is not None:
        refuse("DependencyViolation", f"The routeTable '{table_id}' has dependencies and cannot be deleted.")


# Networks


def network_address(backend: Any, arguments: Arguments) -> None:
    block = arguments["cidr_block"]
    try:
        ipaddress.IPv4Network(block)
    except ValueError:
        refuse(
            "InvalidParameterValue",
            f"Value ({block}) for parameter cidrBlock is invalid. This is not a valid CIDR block.",
        )


def subnet_sized(backend: Any, arguments: Arguments) -> None:
    network_address(backend, arguments)
    block = arguments["cidr_block"]
    if ipaddress.IPv4Network(block).prefixlen not in SUBNET_PREFIXES:
        refuse("InvalidSubnet.Range", f"The CIDR '{block}' is invalid.")


def vpc_without_gateway(backend: Any, arguments: Arguments) -> None:
    vpc_id = arguments["vpc_id"]
    if any(gateway.vpc and gateway.vpc.id == vpc_id for gateway in backend.internet_gateways.values()):
        refuse("InvalidParameterValue", f"Network {vpc_id} already has an internet gateway attached")


def vpc_without_public_addresses(backend: Any, arguments: Arguments) -> None:
    vpc_id = arguments["vpc_id"]
    if any(interface.public_ip for interface in interfaces(backend, vpc_id)):
        refuse(
            "DependencyViolation",
            f"Network {vpc_id} has some mapped public address(es). "
            "Please unmap those public address(es) before detaching the gateway.",
        )


def association_new(backend: Any, arguments: Arguments) -> None:
    subnet_id, table = arguments["subnet_id"], backend.get_route_table(arguments["route_table_id"])
    if subnet_id is None:
        refuse("UnsupportedOperation", "only subnets can be associated with a route table here")
    if backend.get_subnet(subnet_id).vpc_id != table.vpc_id:
        refuse("InvalidParameterValue", f"Route table {table.id} and subnet {subnet_id} belong to different networks")
    if any(subnet_id in other._associations.values() for other in backend.route_tables.values() if other is not table):
        refuse(
            "Resource.AlreadyAssociated",
            f"the specified association for route table {table.id} conflicts with an existing association",
        )


def gateway_reachable(backend: Any, arguments: Arguments) -> None:
    gateway_id, table = arguments["gateway_id"], backend.get_route_table(arguments["route_table_id"])
    if gateway_id is None or not gateway_id.startswith("igw-"):
        return
    gateway = backend.get_internet_gateway(gateway_id)
    if gateway.vpc is None or gateway.vpc.id != table.vpc_id:
        refuse(
            "InvalidParameterValue",
            f"route table {table.id} and network gateway {gateway_id} belong to different networks",
        )
