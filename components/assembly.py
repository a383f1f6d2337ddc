"""Everything that a stack makes: its servers, the two rollouts on them, and what they tell."""

from __future__ import annotations

import pulumi

from chef_push_jobs.config.settings import Settings
from chef_push_jobs.runbook import chef_server, push_jobs

from .connection import ServerGroup
from .existing_network import fetch_existing_network
from .existing_servers import ExistingServers
from .high_availability import HighAvailability
from .load_balancer import LoadBalancer
from .network import ChefNetwork
from .rollout import Rollout
from .servers import ChefServers

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


def _cluster(settings: Settings, opts: pulumi.ResourceOptions | None) -> tuple[ServerGroup, Outputs]:
    """The servers, and what the ways to them tell."""
    if settings.existing:
        return ExistingServers("servers", settings, opts), {}
    network = ChefNetwork("network", settings, fetch_existing_network(settings), opts)
    availability = None
    if settings.config.high_availability:
        availability = HighAvailability("availability", settings, network, opts)
    servers = ChefServers("servers", settings, network, availability, opts)
    entry = LoadBalancer("entry", settings, network, servers.machines, opts)
    told: Outputs = {"entry": {"apiFqdn": settings.api_fqdn, "loadBalancer": entry.address}}
    told |= {"bastion": servers.bastion.summary} if servers.bastion else {}
    return servers, told | ({"vip": settings.vip} if settings.vip else {})
