"""Who connects to whom in a cluster: one table, by topology, version and what the stack has. Pure.

From it are made the security groups' rules (`network/security_groups.py`), the tables in docs/chef.md ("Flows") and
docs/network.md, and the list of ports that Chef server keeps for itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chef_push_jobs.model.packages import Version
from chef_push_jobs.model.topology import Kind


class Peer(StrEnum):
    """One end of a flow.

    `ENTRY` is what answers clients: a load balancer that the stack creates, otherwise the servers.
    """

    CLIENTS = "clients"
    OPERATORS = "operators"
    BALANCER = "load balancer"
    THEIR_BALANCER = "existing load balancer"
    ENTRY = "entry"
    ANSWERING = "frontends, or the one server"
    FRONTENDS = "frontends"
    BACKENDS = "backends"
    PRIMARY = "primary"
    SERVERS = "servers"
    BASTION = "bastion"
    WEB = "the web"
    SELF = "the server itself"


class Needs(StrEnum):
    """What the stack must have for a flow, besides topology and versions."""

    DRBD = "provider drbd"
    MADE_BALANCER = "the stack creates a load balancer"
    THEIR_BALANCER = "an existing target group"
    BASTION = "the stack creates a bastion"
    NO_BASTION = "the stack creates no bastion"
    DATA_VOLUME = "the stack prepares a data volume"


# Settings that contain a port.
HEARTBEAT, COMMANDS, API, SSH = "pushJobs.heartbeatPort", "pushJobs.commandPort", "pushJobs.apiPort", "ssh.port"
PACKAGES = "443, 80, those of the packages' URLs"

TCP: Final = "tcp"
ICMP: Final = "icmp"
VRRP: Final = "112"  # by number, because AWS has no name for it

ALL = tuple(Kind)
TIERS = (Kind.TIER, Kind.HA)
HA = (Kind.HA,)


@dataclass(frozen=True)
class Flow:
    """`source` opens the connection; `port` is a number, or the setting that has it; names of rules begin with `rule`.

    `since` and `before` are versions of Chef server, `push_jobs` is the first version of push jobs. `read_in` says
    where the real software shows the flow; a flow without it is this project's own.
    """

    source: Peer
    target: Peer
    port: int | str | None
    what: str
    rule: str
    topologies: tuple[Kind, ...] = ALL
    protocol: str = TCP
    since: Version = ()
    before: Version | None = None
    push_jobs: Version = ()
    needs: Needs | None = None
    read_in: str = ""

    @property
    def is_of_push_jobs(self) -> bool:
        """Whether push jobs needs it, so that its runbook waits for it."""
        return self.rule == "push-jobs" or self.port == API or bool(self.push_jobs)


DATABASE_FROM_EVERYWHERE: Version = (2, 0, 1)
DEFAULTS = "core@12.19.31: attributes/default.rb, libraries/private_chef.rb (gen_frontend_default)"
ERCHEF = "core@12.19.31: templates/default/oc_erchef.config.erb"
VIPS = "push@3.0.4: libraries/pushy_server.rb, templates/default/opscode-pushy-server.config.erb"

CHEF_FLOWS: tuple[Flow, ...] = (
    Flow(
        Peer.CLIENTS,
        Peer.ENTRY,
        443,
        "Chef server API over HTTPS",
        "entry",
        read_in="docs: server_firewalls_and_ports.rst",
    ),
    Flow(Peer.CLIENTS, Peer.ENTRY, 80, "redirect to HTTPS", "entry", read_in="docs: server_firewalls_and_ports.rst"),
    Flow(Peer.CLIENTS, Peer.BACKENDS, HEARTBEAT, "push jobs heartbeat", "push-jobs", read_in=VIPS),
    Flow(Peer.CLIENTS, Peer.BACKENDS, COMMANDS, "push jobs commands", "push-jobs", read_in=VIPS),
    Flow(
        Peer.BACKENDS,
        Peer.ENTRY,
        443,
        "Chef server API for push jobs and its test",
        "push-jobs",
        read_in="push@3.0.4: templates/default/opscode-pushy-server.config.erb (erchef_root_url)",
    ),
    Flow(Peer.FRONTENDS, Peer.BACKENDS, API, "push jobs API", "api", TIERS, read_in="push@3.0.4: recipes/nginx.rb"),
    Flow(
        Peer.FRONTENDS,
        Peer.BACKENDS,
        443,
        "bookshelf, as S3 of erchef",
        "backend",
        TIERS,
        read_in=f"{ERCHEF} (s3_url)",
    ),
    Flow(
        Peer.FRONTENDS,
        Peer.BACKENDS,
        4321,
        "bookshelf, from nginx",
        "backend",
        TIERS,
        read_in=f"{DEFAULTS}, lb.upstream.bookshelf",
    ),
    Flow(Peer.FRONTENDS, Peer.BACKENDS, 5432, "PostgreSQL", "backend", TIERS, read_in=DEFAULTS),
    Flow(Peer.FRONTENDS, Peer.BACKENDS, 16379, "Redis, from nginx", "backend", TIERS, read_in=DEFAULTS),
    Flow(Peer.FRONTENDS, Peer.BACKENDS, 5672, "RabbitMQ", "backend", TIERS, before=(14,), read_in=DEFAULTS),
    Flow(Peer.FRONTENDS, Peer.BACKENDS, 8983, "Solr", "backend", TIERS, before=(14,), read_in=DEFAULTS),
    Flow(
        Peer.FRONTENDS,
        Peer.BACKENDS,
        15672,
        "RabbitMQ management: length of a queue, and /_status",
        "backend",
        TIERS,
        since=(12, 3),
        before=(14,),
        read_in=f"{ERCHEF} (rabbitmq_management_service)",
    ),
    Flow(
        Peer.FRONTENDS,
        Peer.BACKENDS,
        9200,
        "Elasticsearch or OpenSearch",
        "backend",
        (Kind.TIER,),
        since=(14,),
        read_in="core@14.0.65: libraries/helper.rb (elastic_search_major_version, solr_url)",
    ),
    Flow(
        Peer.BACKENDS,
        Peer.BACKENDS,
        None,
        "VRRP of keepalived",
        "peer",
        HA,
        VRRP,
        before=(13,),
        read_in="core@12.19.31: templates/default/keepalived.conf.erb",
    ),
    Flow(
        Peer.BACKENDS,
        Peer.BACKENDS,
        5432,
        "PostgreSQL, for reconfigure of push jobs on the standby",
        "peer",
        HA,
        before=(13,),
        push_jobs=DATABASE_FROM_EVERYWHERE,
        read_in="push@2.1.0: recipes/default.rb (push_database)",
    ),
    Flow(
        Peer.BACKENDS,
        Peer.BACKENDS,
        7788,
        "DRBD replication",
        "peer",
        HA,
        before=(13,),
        needs=Needs.DRBD,
        read_in="docs: install_server_ha_drbd.rst",
    ),
    Flow(
        Peer.BACKENDS,
        Peer.BACKENDS,
        None,
        "ping of the DRBD status script",
        "peer",
        HA,
        ICMP,
        before=(13,),
        needs=Needs.DRBD,
        read_in="core@12.19.31: chef-ha-drbd (ha_backend_storage)",
    ),
)

# Ports on which Chef server listens only for itself.
LOCAL_FLOWS: tuple[Flow, ...] = tuple(
    Flow(Peer.SELF, Peer.SELF, port, what, "local", read_in="core@12.19.31: attributes/default.rb")
    for port, what in (
        (8000, "erchef"),
        (9090, "oc_id"),
        (9463, "oc_bifrost"),
        (9680, "nginx, to erchef"),
        (9683, "nginx, to oc_bifrost"),
        (9999, "nginx status"),
    )
)

OWN_FLOWS: tuple[Flow, ...] = (
    Flow(Peer.BALANCER, Peer.ANSWERING, 443, "Chef server API and health checks", "entry", needs=Needs.MADE_BALANCER),
    Flow(Peer.BALANCER, Peer.ANSWERING, 80, "redirect to HTTPS", "entry", needs=Needs.MADE_BALANCER),
    Flow(
        Peer.THEIR_BALANCER,
        Peer.ANSWERING,
        443,
        "Chef server API and health checks",
        "entry",
        needs=Needs.THEIR_BALANCER,
    ),
    Flow(Peer.OPERATORS, Peer.SERVERS, SSH, "SSH", "ssh", needs=Needs.NO_BASTION),
    Flow(Peer.OPERATORS, Peer.BASTION, SSH, "SSH", "ssh", needs=Needs.BASTION),
    Flow(Peer.BASTION, Peer.SERVERS, SSH, "SSH", "ssh", needs=Needs.BASTION),
    Flow(Peer.SERVERS, Peer.PRIMARY, SSH, "SSH for the copy", "copy", TIERS),
    Flow(
        Peer.BACKENDS, Peer.BACKENDS, None, "ping of the address that moves", "peer", HA, ICMP, needs=Needs.DATA_VOLUME
    ),
    Flow(Peer.SERVERS, Peer.WEB, PACKAGES, "packages, the Chef server API, AWS", "web"),
    Flow(Peer.BASTION, Peer.WEB, PACKAGES, "packages", "web", needs=Needs.BASTION),
)
FLOWS = (*CHEF_FLOWS, *OWN_FLOWS)

# Ports that push jobs and SSH cannot use, whatever the version and the provider.
RESERVED: Mapping[int, str] = {
    flow.port: flow.what for flow in (*LOCAL_FLOWS, *reversed(CHEF_FLOWS)) if isinstance(flow.port, int)
}


@dataclass(frozen=True)
class Cluster:
    """What decides which flows exist. An unknown version (None) stands for any version that supports the topology."""

    kind: Kind
    chef_server: Version | None
    push_jobs: Version | None
    has: frozenset[Needs]


def flows(cluster: Cluster) -> Iterator[Flow]:
    """The flows of a cluster."""
    core, push_jobs = cluster.chef_server, cluster.push_jobs
    for flow in FLOWS:
        fits = core is None or (core >= flow.since and (flow.before is None or core < flow.before))
        if (
            cluster.kind in flow.topologies
            and fits
            and (push_jobs is None or push_jobs >= flow.push_jobs)
            and (flow.needs is None or flow.needs in cluster.has)
        ):
            yield flow


def table(rows: tuple[Flow, ...]) -> str:
    """Flows as a Markdown table."""
    sourced = any(flow.read_in for flow in rows)
    lines = ["| From | To | Port | What | When |" + " Read in |" * sourced, "|---|---|---|---|---|" + "---|" * sourced]
    for flow in rows:
        cells = (flow.source, flow.target, _port(flow), flow.what, _when(flow), *([flow.read_in] if sourced else []))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _port(flow: Flow) -> str:
    if flow.port is None:
        return "ICMP" if flow.protocol == ICMP else f"protocol {flow.protocol}"
    return f"`{flow.port}`" if isinstance(flow.port, str) and "." in flow.port else str(flow.port)


def _when(flow: Flow) -> str:
    said = [] if flow.topologies == ALL else [", ".join(flow.topologies)]
    if flow.since or flow.before:
        since = f"from {_text(flow.since)} on" if flow.since else ""
        before = f"before {_text(flow.before)}" if flow.before else ""
        said.append(f"core {' and '.join(part for part in (since, before) if part)}")
    if flow.push_jobs:
        said.append(f"push jobs from {_text(flow.push_jobs)} on")
    return "; ".join([*said, *([flow.needs] if flow.needs else [])]) or "always"


def _text(version: Version) -> str:
    return ".".join(map(str, version))
