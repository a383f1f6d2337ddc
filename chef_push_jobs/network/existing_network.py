"""Requirements for the existing VPC and zones that a stack uses. Pure.

`components/existing_network.py` asks AWS. If there is no existing VPC and no zone is named, it asks nothing.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle

from chef_push_jobs.config.settings import Settings
from chef_push_jobs.model.problems import Problem
from chef_push_jobs.model.subnets import is_usable


@dataclass(frozen=True)
class ExistingSubnet:
    """`free` is the number of unused addresses; `ours` is the number that this stack's machines use."""

    id: str
    vpc: str
    zone: str
    block: str
    free: int
    ours: int


@dataclass(frozen=True)
class ExistingNetwork:
    """`vpc_exists` refers to network.vpcId.

    `subnets` are the existing ones among the settings', by id; `zones` the region's.
    """

    vpc_exists: bool = False
    subnets: Mapping[str, ExistingSubnet] = field(default_factory=dict)
    zones: Sequence[str] = ()


def named_subnets(settings: Settings) -> dict[str, list[str]]:
    """Subnet ids by the setting that has them."""
    network = settings.config.network
    return {
        "network.backendSubnetId": [network.backend_subnet_id] if network.backend_subnet_id else [],
        "network.frontendSubnetIds": list(network.frontend_subnet_ids),
        "network.publicSubnetIds": list(network.public_subnet_ids),
    }


def machines(settings: Settings) -> dict[str, int]:
    """How many of the stack's machines are in each existing subnet."""
    network, topology = settings.config.network, settings.topology
    count = Counter({str(network.backend_subnet_id): len(topology.backends)})
    count.update(id for id, _ in zip(cycle(network.frontend_subnet_ids), topology.frontends, strict=False))
    if settings.config.bastion:
        count.update(network.public_subnet_ids[:1])
    return dict(count)


def problems(settings: Settings, found: ExistingNetwork) -> list[Problem]:
    """Every problem that AWS would only report later, when half of the stack exists."""
    network = settings.config.network
    wrong = [
        Problem(
            f"network.zones[{number}]", f"'{zone}'", f"the region has {', '.join(found.zones)}", "choose one of them"
        )
        for number, zone in enumerate(network.zones)
        if zone not in found.zones
    ]
    if network.vpc_id is None:
        return wrong
    if not found.vpc_exists:
        rule = "the VPC must exist in the account and region of the stack"
        return [
            Problem("network.vpcId", f"'{network.vpc_id}'", rule, "correct it, or correct aws:region or aws:profile")
        ]
    return [
        *_subnets(settings, found),
        *_addresses(settings, found),
        *_zones(settings, found),
        *_vip(settings, found),
    ]


def _vip(settings: Settings, found: ExistingNetwork) -> Iterator[Problem]:
    subnet = found.subnets.get(str(settings.config.network.backend_subnet_id))
    if subnet and settings.vip and not is_usable(settings.vip, ipaddress.IPv4Network(subnet.block)):
        rule = (
            f"it must be in the backends' subnet, {subnet.block}, but not one of its first four addresses or "
            "its last one, which AWS reserves"
        )
        yield Problem("highAvailability.vip", f"'{settings.vip}'", rule, "choose a free one")


def _subnets(settings: Settings, found: ExistingNetwork) -> Iterator[Problem]:
    vpc = str(settings.config.network.vpc_id)
    for setting, ids in named_subnets(settings).items():
        for id in ids:
            rule, remedy = f"it is a subnet of {vpc}", f"give one of {vpc}"
            if id not in found.subnets:
                yield Problem(setting, f"'{id}', which does not exist", rule, remedy)
            elif found.subnets[id].vpc != vpc:
                yield Problem(setting, f"'{id}', which is in {found.subnets[id].vpc}", rule, remedy)


def _addresses(settings: Settings, found: ExistingNetwork) -> Iterator[Problem]:
    for id, count in machines(settings).items():
        subnet = found.subnets.get(id)
        if subnet and subnet.free + subnet.ours < count:
            setting = next(setting for setting, ids in named_subnets(settings).items() if id in ids)
            given = f"'{id}', which has {subnet.free} free address(es)"
            rule = f"{count} machine(s) of the stack are in it, of which {subnet.ours} have an address already"
            yield Problem(setting, given, rule, "free some, or choose a larger subnet")


def _zones(settings: Settings, found: ExistingNetwork) -> Iterator[Problem]:
    """A load balancer has one subnet per zone, and only reaches servers in its own zones."""
    network, kind = settings.config.network, settings.config.entry.load_balancer
    if kind == "none":
        return
    behind = network.frontend_subnet_ids or [str(network.backend_subnet_id)]
    ids = network.public_subnet_ids if kind == "public" else behind
    setting = "network.publicSubnetIds" if kind == "public" else "network.frontendSubnetIds"
    its = Counter(found.subnets[id].zone for id in ids if id in found.subnets)
    for zone, count in its.items():
        if count > 1:
            rule = "a load balancer uses only one subnet per zone"
            yield Problem(setting, f"{count} subnets in {zone}", rule, "remove all but one in that zone")
    without = {found.subnets[id].zone for id in behind if id in found.subnets} - set(its)
    if its and without:
        rule = "a load balancer only reaches servers in its own zones"
        yield Problem(
            setting, f"none in {', '.join(sorted(without))}", rule, "add a subnet in each zone of the frontends"
        )
