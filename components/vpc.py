"""The VPC and its subnets: a new one with its routes to the internet, or an existing one as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from chef_push_jobs.model.subnets import Subnet, block
from chef_push_jobs.model.topology import Role
from chef_push_jobs.network.security_groups import ANYWHERE

from .component import tags


@dataclass(frozen=True)
class PlacedSubnet:
    """A subnet with machines.

    `ready` is their route to the internet; it must exist before them and outlive their public addresses.
    """

    id: pulumi.Input[str]
    availability_zone: pulumi.Input[str]
    private: bool = False
    ready: Sequence[pulumi.Resource] = ()


@dataclass(frozen=True)
class Vpc:
    """`servers` are the subnets by role, `public` those of a bastion and a public load balancer.

    `nat` is the public address that private servers use for outgoing connections.
    """

    id: pulumi.Input[str]
    servers: Mapping[Role, Sequence[PlacedSubnet]]
    public: Sequence[PlacedSubnet]
    nat: pulumi.Input[str] | None = None


@dataclass(frozen=True)
class ManagedVpcArgs:
    """`cidr` is the VPC's address range; `nat` says whether private subnets have a NAT gateway."""

    cidr: str
    subnets: Sequence[Subnet]
    nat: bool
    tags: Mapping[str, str]


class ManagedVpc:
    """Not a component: its resources have names that begin with `name`, and are children of the parent in `opts`."""

    def __init__(self, name: str, args: ManagedVpcArgs, opts: pulumi.ResourceOptions) -> None:
        self._name, self._args, self._opts = name, args, opts
        self._vpc = aws.ec2.Vpc(
            name, cidr_block=args.cidr, enable_dns_hostnames=True, tags=tags(args.tags, name), opts=opts
        )
        made = {subnet: self._subnet(subnet) for subnet in args.subnets}
        gateway = aws.ec2.InternetGateway(
            f"{name}-internet", vpc_id=self._vpc.id, tags=tags(args.tags, f"{name}-internet"), opts=opts
        )
        to_internet = self._routes(f"{name}-routes", f"{name}-to-internet", gateway_id=gateway.id)
        public = [self._joined(subnet, made[subnet], to_internet) for subnet in args.subnets if not subnet.private]
        private: list[tuple[Subnet, PlacedSubnet]] = []
        nat_address: pulumi.Output[str] | None = None
        if any(subnet.private for subnet in args.subnets):
            nat = self._nat(public[0][1], gateway) if args.nat else None
            nat_address = nat.public_ip if nat else None
            out = self._routes(f"{name}-private-routes", f"{name}-to-nat", nat_gateway_id=nat.id if nat else None)
            private = [self._joined(subnet, made[subnet], out) for subnet in args.subnets if subnet.private]
        joined = [*public, *private]
        servers = {role: [place for subnet, place in joined if subnet.role is role] for role in Role}
        doors = [place for subnet, place in public if subnet.role is None]
        door_tier = Role.FRONTEND if servers[Role.FRONTEND] else Role.BACKEND
        self.vpc = Vpc(self._vpc.id, servers, doors or servers[door_tier], nat_address)

    def _subnet(self, subnet: Subnet) -> aws.ec2.Subnet:
        name = f"{self._name}-{subnet.name}"
        return aws.ec2.Subnet(
            name,
            vpc_id=self._vpc.id,
            cidr_block=block(self._args.cidr, subnet.number),
            availability_zone=subnet.zone,
            tags=tags(self._args.tags, name),
            opts=self._opts,
        )

    def _routes(
        self,
        name: str,
        route: str,
        *,
        gateway_id: pulumi.Input[str] | None = None,
        nat_gateway_id: pulumi.Input[str] | None = None,
    ) -> tuple[aws.ec2.RouteTable, list[pulumi.Resource]]:
        """A route table, with a default route if there is a gateway."""
        table = aws.ec2.RouteTable(name, vpc_id=self._vpc.id, tags=tags(self._args.tags, name), opts=self._opts)
        if gateway_id is None and nat_gateway_id is None:
            return table, []
        made = aws.ec2.Route(
            route,
            route_table_id=table.id,
            destination_cidr_block=ANYWHERE,
            gateway_id=gateway_id,
            nat_gateway_id=nat_gateway_id,
            opts=self._opts,
        )
        return table, [made]

    def _joined(
        self, subnet: Subnet, made: aws.ec2.Subnet, routes: tuple[aws.ec2.RouteTable, list[pulumi.Resource]]
    ) -> tuple[Subnet, PlacedSubnet]:
        table, ways = routes
        association = aws.ec2.RouteTableAssociation(
            f"{self._name}-{subnet.name}", subnet_id=made.id, route_table_id=table.id, opts=self._opts
        )
        return subnet, PlacedSubnet(made.id, made.availability_zone, subnet.private, [association, *ways])

    def _nat(self, place: PlacedSubnet, gateway: aws.ec2.InternetGateway) -> aws.ec2.NatGateway:
        """One for all zones, because private servers only need it for packages, and AWS charges by the hour."""
        name = f"{self._name}-nat"
        after = pulumi.ResourceOptions.merge(self._opts, pulumi.ResourceOptions(depends_on=[gateway]))
        address = aws.ec2.Eip(name, domain="vpc", tags=tags(self._args.tags, name), opts=after)
        return aws.ec2.NatGateway(
            name, allocation_id=address.id, subnet_id=place.id, tags=tags(self._args.tags, name), opts=after
        )
