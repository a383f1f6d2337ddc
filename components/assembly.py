"""Everything that a stack makes: its servers, the two rollouts on them, and what they tell."""

from __future__ import annotations

import pulumi

from components import chef_server, push_jobs
from components.connection import Cluster
from components.entry import ChefEntry
from components.existing import ExistingServers
from components.high_availability import HighAvailability
from components.lookup import look_up
from components.network import ChefNetwork
from components.rollout import Rollout
from components.servers import ChefServers
from components.settings import Settings

Outputs = dict[str, pulumi.Input[object]]


def assemble(settings: Settings, opts: pulumi.ResourceOptions | None = None) -> Outputs:
    """Makes it all, with `opts` for each of its components; the outputs by name, as `schema.py` documents them."""
    cluster, more = _cluster(settings, opts)
    chef = None
    if settings.runs_chef_server_runbook:
        chef = Rollout(
            chef_server.NAME, chef_server.STEPS, settings, cluster.servers, after=cluster.departures, opts=opts
        )
    push = Rollout(
        push_jobs.NAME,
        push_jobs.STEPS,
        settings,
        cluster.servers,
        firewall=cluster.firewall,
        after=chef.last if chef else cluster.departures,
        opts=opts,
    )
    return {
        "servers": {name: server.summary for name, server in cluster.servers.items()},
        "ports": push_jobs.ports(settings),
        "test": push.output("test", push_jobs.tested),
        **more,
    }


def _cluster(settings: Settings, opts: pulumi.ResourceOptions | None) -> tuple[Cluster, Outputs]:
    """The servers, and what the ways to them tell."""
    if settings.existing:
        return ExistingServers("servers", settings, opts), {}
    network = ChefNetwork("network", settings, look_up(settings), opts)
    availability = None
    if settings.file.high_availability:
        availability = HighAvailability("availability", settings, network, opts)
    servers = ChefServers("servers", settings, network, availability, opts)
    entry = ChefEntry("entry", settings, network, servers.machines, opts)
    told: Outputs = {"entry": {"apiFqdn": settings.api_fqdn, "loadBalancer": entry.address}}
    told |= {"bastion": servers.bastion.summary} if servers.bastion else {}
    return servers, told | ({"vip": settings.vip} if settings.vip else {})
