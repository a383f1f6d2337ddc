"""Every way into and out of the cluster: which security groups there are, and each rule with its reason. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from chef_push_jobs.config.settings import Settings
from chef_push_jobs.model.ports import BACKEND_PORTS, ENTRY_PORTS, REPLICATION_PORTS
from chef_push_jobs.model.topology import Server, Topology

ANYWHERE = "0.0.0.0/0"


@dataclass(frozen=True)
class SecurityGroupRule:
    """To `port` of the members of `group` is allowed from `source`; or, on the way out, from `group` to it.

    The source is a network, or the name of a group. Without a port, all protocols; else TCP.
    """

    name: str
    group: str
    port: int | None
    source: str
    reason: str
    push_jobs: bool = False


def groups(settings: Settings) -> tuple[str, ...]:
    """`primary` is a second group of that server, where others copy from it."""
    topology = settings.topology
    there = {
        "backend": True,
        "frontend": bool(topology.frontends),
        "primary": bool(topology.others),
        "bastion": settings.config.bastion is not None,
        "load-balancer": settings.makes_load_balancer,
    }
    return tuple(name for name, is_there in there.items() if is_there)


def groups_of(server: Server, topology: Topology) -> tuple[str, ...]:
    primary = server == topology.primary and bool(topology.others)
    return (str(server.role), *(["primary"] if primary else []))


def ingress_rules(settings: Settings) -> Iterator[SecurityGroupRule]:
    """Every way into the cluster.

    Names have the port and the network, so that another network concerns no rule but its own, and another push jobs
    port is opened before the tasks run, while the old one is closed after them.
    """
    config, topology = settings.config, settings.topology
    tiers = ("backend", "frontend") if topology.frontends else ("backend",)
    clients = {
        config.push_jobs.heartbeat_port: "push jobs heartbeat",
        config.push_jobs.command_port: "push jobs commands",
    }
    for cidr in config.client_cidrs:
        for port, reason in clients.items():
            name = f"push-jobs-{port}-{slug(cidr)}"
            yield SecurityGroupRule(name, "backend", port, cidr, f"{reason} from clients", push_jobs=True)
    yield from _entry(settings, tiers[-1])
    yield from _ssh(settings, tiers)
    yield from _between(settings, topology, tiers)


def slug(cidr: str) -> str:
    return cidr.replace("/", "-")


def _entry(settings: Settings, tier: str) -> Iterator[SecurityGroupRule]:
    """Clients to the tier that answers them, or to the load balancer before it."""
    config = settings.config
    door = "load-balancer" if settings.makes_load_balancer else tier
    for cidr in config.client_cidrs:
        for port, reason in ENTRY_PORTS.items():
            yield SecurityGroupRule(f"entry-{port}-{slug(cidr)}", door, port, cidr, f"{reason} from clients")
    if settings.makes_load_balancer:
        for port, reason in ENTRY_PORTS.items():
            yield SecurityGroupRule(
                f"entry-{port}", tier, port, door, f"{reason} and health checks from the load balancer"
            )
    for cidr in config.entry.load_balancer_cidrs:
        if cidr not in config.client_cidrs:
            reason = "Chef server API and health checks from the load balancer"
            yield SecurityGroupRule(f"entry-443-{slug(cidr)}", tier, 443, cidr, reason)


def _ssh(settings: Settings, tiers: Sequence[str]) -> Iterator[SecurityGroupRule]:
    config = settings.config
    for tier in tiers if config.bastion is None else ("bastion",):
        for cidr in config.operator_cidrs:
            yield SecurityGroupRule(f"ssh-{tier}-{slug(cidr)}", tier, config.ssh.port, cidr, "SSH from operators")
    if config.bastion is not None:
        for tier in tiers:
            yield SecurityGroupRule(f"ssh-{tier}", tier, config.ssh.port, "bastion", "SSH from the bastion")


def _between(settings: Settings, topology: Topology, tiers: Sequence[str]) -> Iterator[SecurityGroupRule]:
    """What the servers use among themselves."""
    port = settings.config.ssh.port
    if topology.others:
        for tier in tiers:
            yield SecurityGroupRule(f"copy-{tier}", "primary", port, tier, "SSH for the copy from the primary")
    if topology.frontends:
        api = settings.config.push_jobs.api_port
        yield SecurityGroupRule(
            f"api-{api}", "backend", api, "frontend", "push jobs API from frontends", push_jobs=True
        )
        for number, reason in {**BACKEND_PORTS, **ENTRY_PORTS}.items():
            yield SecurityGroupRule(f"backend-{number}", "backend", number, "frontend", f"{reason} from frontends")
    if len(topology.backends) > 1:
        for number, reason in {**BACKEND_PORTS, **REPLICATION_PORTS}.items():
            yield SecurityGroupRule(f"peer-{number}", "backend", number, "backend", f"{reason} between backends")


def egress_rules(settings: Settings, inside: Mapping[str, str]) -> Iterator[SecurityGroupRule]:
    """Every way out. `inside` are the networks of the servers, by what they are called in the rules' names."""
    for tier in groups(settings):
        if tier == "primary":
            continue
        if tier == "load-balancer":
            target = "frontend" if settings.topology.frontends else "backend"
            for port in ENTRY_PORTS:
                yield SecurityGroupRule(f"{tier}-{port}", tier, port, target, "to the servers behind it")
            continue
        ssh = settings.config.ssh.port if tier == "bastion" else None
        for name, cidr in inside.items():
            yield SecurityGroupRule(
                f"{tier}-{name}", tier, ssh, cidr, "to the servers" if ssh else "to the other servers"
            )
        for name, port in {"https": 443, "http": 80}.items():
            yield SecurityGroupRule(f"{tier}-{name}", tier, port, ANYWHERE, "packages")
