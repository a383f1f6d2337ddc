"""The security groups and their rules, each with its reason, made from the table of flows. Pure.

Both ends of a flow have a rule: one lets the connection out, the other lets it in. No rule is needed for what security
groups do not filter: the VPC's resolver, the time service, instance metadata (EC2 user guide, "Security groups for your
VPC").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from chef_push_jobs.config.settings import Settings
from chef_push_jobs.model import flows
from chef_push_jobs.model.flows import Cluster, Flow, Needs, Peer
from chef_push_jobs.model.topology import Server, Topology

ANYWHERE = "0.0.0.0/0"
# Public addresses that AWS assigns: names that rules use until the addresses are known.
NAT_ADDRESS = "nat"
PUBLIC_ADDRESS = "public-"
WEB_PORTS = {443: "https", 80: "http"}


@dataclass(frozen=True)
class SecurityGroupRule:
    """Allows `source` to connect to `port` of members of `group`; an outgoing rule, `group` to connect to `source`.

    The source is a network, the name of a group, `NAT_ADDRESS`, or a server's name after `PUBLIC_ADDRESS`. Without a
    port, the rule is for the whole protocol.
    """

    name: str
    group: str
    protocol: str
    port: int | None
    source: str
    reason: str
    push_jobs: bool = False

    @property
    def server(self) -> str | None:
        """The server whose public address is the source, or None."""
        return self.source.removeprefix(PUBLIC_ADDRESS) if self.source.startswith(PUBLIC_ADDRESS) else None


def groups(settings: Settings) -> tuple[str, ...]:
    """`primary` is a second group of that server, for the copies of the others."""
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


def slug(cidr: str) -> str:
    return cidr.replace("/", "-")


def cluster(settings: Settings) -> Cluster:
    """The part of the settings that decides which flows exist."""
    has = {
        Needs.DRBD: False,  # refused for machines that the stack creates
        Needs.MADE_BALANCER: settings.makes_load_balancer,
        Needs.THEIR_BALANCER: settings.config.entry.target_group_arn is not None,
        Needs.BASTION: settings.config.bastion is not None,
        Needs.NO_BASTION: settings.config.bastion is None,
        Needs.DATA_VOLUME: bool(settings.config.high_availability and settings.config.high_availability.prepare_volume),
    }
    return Cluster(
        settings.topology.kind,
        settings.chef_server_version,
        settings.push_jobs_version,
        frozenset(need for need, is_there in has.items() if is_there),
    )


def ingress_rules(settings: Settings) -> Iterator[SecurityGroupRule]:
    """Every incoming rule.

    Names contain the port and the network, so that a different network changes only its own rule. A changed push jobs
    port is opened before the tasks run, and the old one is closed after them.
    """
    there: set[tuple[str, str, int | None, str]] = set()
    for flow in flows.flows(cluster(settings)):
        for port in _ports(settings, flow):
            for group in _groups(settings, flow.target):
                for source in _sources(settings, flow, group):
                    if (group, flow.protocol, port, source) not in there:  # which EC2 refuses
                        there.add((group, flow.protocol, port, source))
                        yield SecurityGroupRule(
                            _ingress_name(settings, flow, port, group, source),
                            group,
                            flow.protocol,
                            port,
                            source,
                            f"{flow.what} from {flow.source}",
                            flow.is_of_push_jobs,
                        )


def egress_rules(settings: Settings) -> Iterator[SecurityGroupRule]:
    """Every outgoing rule, except those that a wider one includes."""
    found = list(_egress(settings))
    wide = {(rule.group, rule.protocol, rule.port) for rule in found if rule.source == ANYWHERE}
    for rule in found:
        if rule.source == ANYWHERE or (rule.group, rule.protocol, rule.port) not in wide:
            yield rule


def _egress(settings: Settings) -> Iterator[SecurityGroupRule]:
    for flow in flows.flows(cluster(settings)):
        targets = [ANYWHERE] if flow.target is Peer.WEB else _groups(settings, flow.target)
        reason = flow.what if flow.target is Peer.WEB else f"{flow.what} to {flow.target}"
        for port in _ports(settings, flow):
            for group in _groups(settings, flow.source):
                for target in targets:
                    name = _egress_name(flow, port, group, target)
                    yield SecurityGroupRule(name, group, flow.protocol, port, target, reason)


def _ports(settings: Settings, flow: Flow) -> Sequence[int | None]:
    config = settings.config
    match flow.port:
        case flows.HEARTBEAT:
            return [config.push_jobs.heartbeat_port]
        case flows.COMMANDS:
            return [config.push_jobs.command_port]
        case flows.API:
            return [config.push_jobs.api_port]
        case flows.SSH:
            return [config.ssh.port]
        case flows.PACKAGES:
            return sorted({*WEB_PORTS, *_package_ports(settings)})
        case int() | None:
            return [flow.port]
    raise AssertionError(f"no port {flow.port}")


def _package_ports(settings: Settings) -> Iterator[int]:
    """The ports from which packages are fetched, if their URLs name one."""
    for package in (settings.push_jobs_package, settings.chef_server_package, settings.chef_ha_package):
        if package and package.url and (port := urlsplit(package.url).port):
            yield port


def _groups(settings: Settings, peer: Peer) -> list[str]:
    """The groups at this end of a flow; empty if the end does not belong to the stack."""
    tiers = ["backend", "frontend"] if settings.topology.frontends else ["backend"]
    own: Mapping[Peer, list[str]] = {
        Peer.ENTRY: ["load-balancer" if settings.makes_load_balancer else tiers[-1]],
        Peer.ANSWERING: tiers[-1:],
        Peer.BALANCER: ["load-balancer"],
        Peer.BACKENDS: ["backend"],
        Peer.FRONTENDS: ["frontend"],
        Peer.SERVERS: tiers,
        Peer.PRIMARY: ["primary"],
        Peer.BASTION: ["bastion"],
    }
    return own.get(peer, [])


def _sources(settings: Settings, flow: Flow, group: str) -> Sequence[str]:
    """What the members of `group` see as source: networks, groups, and public addresses."""
    config = settings.config
    match flow.source:
        case Peer.CLIENTS:
            return config.client_cidrs
        case Peer.OPERATORS:
            return config.operator_cidrs
        case Peer.THEIR_BALANCER:
            return config.entry.load_balancer_cidrs
        case Peer.BACKENDS if flow.target is Peer.ENTRY:
            return _backends_at_entry(settings, group)
    return _groups(settings, flow.source)


def _backends_at_entry(settings: Settings, group: str) -> Sequence[str]:
    """What the entry sees as the backends' source: their group, or a public address if the entry's own is public."""
    if group == "backend":
        return ()  # the single server asks itself
    entry = settings.config.entry
    by_group = () if entry.load_balancer == "public" else ("backend",)
    frontends = any(settings.has_public_address(server) for server in settings.topology.frontends)
    may_be_public = entry.load_balancer == "public" or (
        entry.load_balancer == "none" and (bool(entry.target_group_arn) or frontends)
    )
    return (*by_group, *(public_addresses(settings) if may_be_public else ()))


def public_addresses(settings: Settings) -> Sequence[str]:
    """The backends' addresses as seen from the internet: their own, or those of NAT gateways."""
    network = settings.config.network
    own = [f"{PUBLIC_ADDRESS}{each.name}" for each in settings.topology.backends if settings.has_public_address(each)]
    return own or [f"{each}/32" for each in network.nat_addresses] or ([NAT_ADDRESS] if network.nat else [])


def _ingress_name(settings: Settings, flow: Flow, port: int | None, group: str, source: str) -> str:
    tier = source if flow.target is Peer.PRIMARY else group
    what = tier if flow.port == flows.SSH else str(port or flow.protocol)
    own = source in groups(settings)
    return "-".join([flow.rule, what, *([] if own else [slug(source)])])


def _egress_name(flow: Flow, port: int | None, group: str, target: str) -> str:
    if flow.target is Peer.WEB:
        return f"{group}-{WEB_PORTS.get(port or 0, port)}"
    what = "ssh" if flow.port == flows.SSH else port or flow.protocol
    return f"{group}-{what}" if flow.source is Peer.BALANCER else f"{group}-{what}-{target}"
