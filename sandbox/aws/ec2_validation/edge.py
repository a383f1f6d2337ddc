"""Load balancers, NAT gateways and elastic addresses: what AWS refuses and moto does not, and what moto forgets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.elbv2.models import elbv2_backends

from sandbox.aws.ec2_validation.networks import security_group_unused, subnet_unused, vpc_without_public_addresses
from sandbox.aws.ec2_validation.refusals import Arguments, group_of, refuse


def _balancers(backend: Any) -> Iterator[Any]:
    yield from elbv2_backends[backend.account_id][backend.region_name].load_balancers.values()


def subnet_without_balancer(backend: Any, arguments: Arguments) -> None:
    """A load balancer has an interface in each of its subnets."""
    subnet_unused(backend, arguments)
    subnet_id = arguments["subnet_id"]
    if any(subnet.id == subnet_id for balancer in _balancers(backend) for subnet in balancer.subnets):
        refuse("DependencyViolation", f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")


def security_group_without_balancer(backend: Any, arguments: Arguments) -> None:
    security_group_unused(backend, arguments)
    group_id = arguments["group_id"]
    if any(group_id in (balancer.security_groups or ()) for balancer in _balancers(backend)):
        refuse("DependencyViolation", f"resource {group_id} has a dependent object")


def gateway_without_balancer(backend: Any, arguments: Arguments) -> None:
    """A public load balancer has public addresses."""
    vpc_without_public_addresses(backend, arguments)
    vpc_id = arguments["vpc_id"]
    if any(each.vpc_id == vpc_id and each.scheme == "internet-facing" for each in _balancers(backend)):
        refuse("DependencyViolation", f"Network {vpc_id} has some mapped public address(es).")


def address_unused(backend: Any, arguments: Arguments) -> None:
    allocation_id = arguments["allocation_id"]
    for address in backend.address_by_allocation([allocation_id]):
        if address.association_id is not None:
            refuse("InvalidIPAddress.InUse", f"Address {address.public_ip} is in use.")


def nat_possible(backend: Any, arguments: Arguments) -> None:
    """A public NAT gateway must be in a subnet of a VPC with an internet gateway, according to the VPC's routes."""
    subnet = backend.get_subnet(arguments["subnet_id"])
    if not any(gateway.vpc and gateway.vpc.id == subnet.vpc_id for gateway in backend.internet_gateways.values()):
        refuse("Gateway.NotAttached", f"Network {subnet.vpc_id} has no Internet gateway attached")


def nat_exists(backend: Any, arguments: Arguments) -> None:
    gateway = backend.nat_gateways.get(arguments["nat_gateway_id"])
    if gateway is None or gateway.state == "deleted":
        refuse("NatGatewayNotFound", f"The Nat Gateway {arguments['nat_gateway_id']} was not found")


def nat_addressed(backend: Any, arguments: Arguments, gateway: Any) -> None:
    """Moto gives its interface an address of no subnet."""
    interface = gateway._eni
    address = interface.subnet.get_available_subnet_ip(interface)
    gateway.private_ip = interface.private_ip_address = address
    gateway.address_set[0]["privateIp"] = address


def nat_forgotten(backend: Any, arguments: Arguments, gateway: Any) -> None:
    """Moto keeps the interface of a deleted gateway, and the association of the elastic address."""
    interface = gateway._eni
    backend.disassociate_address(address=interface.public_ip)
    interface.subnet.del_subnet_ip(interface.private_ip_address)
    backend.delete_network_interface(interface.id)


def balancer_unprotected(backend: Any, arguments: Arguments) -> None:
    balancer = backend.load_balancers.get(arguments["arn"])
    if balancer is not None and balancer.attrs.get("deletion_protection.enabled") == "true":
        refuse(
            "OperationNotPermitted",
            f"Load balancer '{balancer.arn}' cannot be deleted because deletion protection is enabled",
        )


def balancer_possible(backend: Any, arguments: Arguments) -> None:
    """Its security groups are in its own VPC, and it has at most one subnet per zone."""
    subnets = [backend.ec2_backend.get_subnet(id) for id in arguments["subnet_ids"]]
    zones = [subnet.availability_zone for subnet in subnets]
    if len(set(zones)) < len(zones):
        refuse("InvalidConfigurationRequest", "A load balancer cannot be attached to multiple subnets in the same zone")
    for group_id in arguments["security_groups"] or []:
        if group_of(backend.ec2_backend, group_id).vpc_id != subnets[0].vpc_id:
            refuse("InvalidConfigurationRequest", "One or more security groups are invalid")
