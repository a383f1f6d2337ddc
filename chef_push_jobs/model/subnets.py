"""The subnets of a VPC that the stack creates: address blocks, zones, and which ones are private. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from chef_push_jobs.model.topology import Role

# Addresses that EC2 keeps in each subnet: network, router, DNS, one for later use; and the last one, broadcast.
RESERVED_FIRST, RESERVED_LAST = 4, 1
# For each value of network.private, the tiers that are private.
PRIVATE: dict[str, tuple[Role, ...]] = {
    "none": (),
    "backends": (Role.BACKEND,),
    "servers": (Role.BACKEND, Role.FRONTEND),
}


@dataclass(frozen=True)
class Subnet:
    """`number` counts the VPC's blocks; `zone` is None if AWS chooses; `role` is None if there are no servers in it."""

    name: str
    number: int
    role: Role | None
    zone: str | None
    private: bool


def planned(
    private: str, zones: Sequence[str], *, frontends: bool, balancer: bool, internet: bool
) -> tuple[Subnet, ...]:
    """One for the backends, which share a zone; one per zone for the frontends; public ones where those are private.

    Source: docs/chef.md, HA providers.

    A public `balancer` needs public subnets in all zones; `internet` (a bastion or NAT gateway) needs one in the first
    zone. Frontends have the odd numbers and public subnets the even ones, so that one more zone moves no block.
    """
    within: Sequence[str | None] = zones or (None,)
    tiers = PRIVATE[private]
    found = [Subnet("backend", 0, Role.BACKEND, within[0], Role.BACKEND in tiers)]
    if frontends:
        found += [
            Subnet(_name("frontend", n), 2 * n + 1, Role.FRONTEND, zone, Role.FRONTEND in tiers)
            for n, zone in enumerate(within)
        ]
    if all(subnet.private for subnet in found) and (balancer or internet):
        chosen = within if balancer else within[:1]
        found += [Subnet(_name("public", n), 2 * n + 2, None, zone, private=False) for n, zone in enumerate(chosen)]
    return tuple(found)


def _name(tier: str, number: int) -> str:
    return f"{tier}-{number}" if number else tier


def room(vpc: str) -> int:
    """How many subnets fit into the VPC of this network."""
    return 1 << (_prefix(vpc) - ipaddress.IPv4Network(vpc).prefixlen)


def block(vpc: str, number: int) -> str:
    """A quarter of a small VPC, or a /20 of a large one."""
    blocks = ipaddress.IPv4Network(vpc).subnets(new_prefix=_prefix(vpc))
    return str(next(found for position, found in enumerate(blocks) if position == number))


def backend_subnet(vpc: str) -> ipaddress.IPv4Network:
    """The backends' subnet in a VPC that the stack creates."""
    return ipaddress.IPv4Network(block(vpc, 0))


def _prefix(vpc: str) -> int:
    return max(20, ipaddress.IPv4Network(vpc).prefixlen + 2)


def default_vip(subnet: ipaddress.IPv4Network) -> str:
    """The last usable address: EC2 assigns addresses from anywhere, people from the start."""
    return str(subnet[-1 - RESERVED_LAST])


def is_usable(address: str, subnet: ipaddress.IPv4Network) -> bool:
    """Whether a server in the subnet can have the address."""
    found = ipaddress.IPv4Address(address)
    return found in subnet and subnet[RESERVED_FIRST] <= found <= subnet[-1 - RESERVED_LAST]
