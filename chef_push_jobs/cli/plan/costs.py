"""What a stack's resources cost per hour and per month at list prices, without traffic. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from chef_push_jobs.config.network_checks import BASTION
from chef_push_jobs.config.settings import Settings
from chef_push_jobs.model import prices
from chef_push_jobs.model.prices import DATE, HOURS_A_MONTH, INSTANCES, REGION, Price, hourly

HEAD = ("resource", "type", "per hour", "per month")


@dataclass(frozen=True)
class Cost:
    """`hourly` is in US dollars; None if the table of prices does not contain it."""

    resource: str
    what: str
    hourly: float | None


def costs(settings: Settings) -> tuple[Cost, ...]:
    """By resource name; empty for existing servers."""
    return () if settings.existing else (*_machines(settings), *_network(settings), *_others(settings))


def _machines(settings: Settings) -> Iterator[Cost]:
    machines, bastion = settings.config.machines, settings.config.bastion
    for server in settings.topology.servers:
        public = settings.has_public_address(server)
        yield from _machine(server.name, machines.instance_type, machines.volume_size, public)
    if bastion is not None:
        yield from _machine(BASTION, bastion.instance_type, bastion.volume_size, public=True)


def _machine(name: str, kind: str, size: int, public: bool) -> Iterator[Cost]:
    yield Cost(name, kind, INSTANCES.get(kind))
    yield _volume(name, size)
    if public:
        yield _paid(name, prices.ADDRESS)


def _network(settings: Settings) -> Iterator[Cost]:
    if settings.config.network.nat:
        yield _paid("network-nat", prices.NAT)
        yield _paid("network-nat", prices.ADDRESS)


def _others(settings: Settings) -> Iterator[Cost]:
    config = settings.config
    if config.high_availability is not None:
        yield _volume("availability-data", config.high_availability.volume_size)
    if settings.makes_load_balancer:
        yield _paid("entry", prices.BALANCER)
        if config.entry.load_balancer == "public":
            yield _paid("entry", prices.ADDRESS, _public_subnets(settings))


def _public_subnets(settings: Settings) -> int:
    """How many subnets a public load balancer has: its own, or those of the servers behind it."""
    network = settings.config.network
    if network.vpc_id:
        return len(network.public_subnet_ids)
    roles = [subnet.role for subnet in settings.subnets]
    return roles.count(None) or roles.count(settings.entry_servers[0].role)


def _volume(name: str, size: int) -> Cost:
    return Cost(name, f"{size} GiB of {prices.VOLUME.what}", hourly(prices.VOLUME, size))


def _paid(name: str, price: Price, amount: int = 1) -> Cost:
    return Cost(name, price.what if amount == 1 else f"{price.what}, {amount}", hourly(price, amount))


def render(stack: str, found: Sequence[Cost]) -> str:
    """As text."""
    if not found:
        return f"Costs of stack {stack}: none, because it creates nothing on AWS\n"
    total = Cost("total", "", sum(each.hourly or 0 for each in found))
    rows = [HEAD, *(_row(each) for each in (*found, total))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    unknown = sorted({each.what for each in found if each.hourly is None})
    return "\n".join(
        [
            f"Costs of stack {stack}: US dollars, list prices of {REGION} in {DATE}, without traffic and tax",
            "",
            *(_line(row, widths) for row in rows),
            *(
                ["", f"Without {', '.join(unknown)}, whose prices are not in chef_push_jobs/model/prices.py."]
                if unknown
                else []
            ),
            "",
        ]
    )


def _row(cost: Cost) -> tuple[str, ...]:
    if cost.hourly is None:
        return cost.resource, cost.what, "?", "?"
    return cost.resource, cost.what, f"{cost.hourly:.4f}", f"{cost.hourly * HOURS_A_MONTH:.2f}"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    texts = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
    numbers = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
    return "  ".join([*texts, *numbers])


def document(stack: str, found: Sequence[Cost]) -> str:
    """As JSON."""
    head = {"stack": stack, "currency": "USD", "region": REGION, "date": DATE, "hoursAMonth": HOURS_A_MONTH}
    return json.dumps({**head, "costs": [asdict(each) for each in found]}, indent=2, ensure_ascii=False)
