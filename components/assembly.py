"""Everything that a stack makes: its servers, the two rollouts on them, and what they tell."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from chef_push_jobs.runbook import push_jobs
from chef_push_jobs.runbook.plan import PlannedTask, StackPlan
from chef_push_jobs.runbook.steps import Action

from .connection import ServerGroup
from .existing_network import fetch_existing_network
from .existing_servers import ExistingServers
from .high_availability import HighAvailability
from .load_balancer import LoadBalancer
from .network import ChefNetwork
from .rollout import Resources, Rollout
from .servers import ChefServers

Outputs = dict[str, pulumi.Input[object]]


def assemble(plan: StackPlan, opts: pulumi.ResourceOptions | None = None) -> Outputs:
    """Makes it all, with `opts` for each of its components; the outputs by name, as `schema.py` documents them."""
    cluster, more = _cluster(plan, opts)
    made: Resources = {task.id: _made(cluster, task) for task in plan.of("")}
    for runbook in plan.runbooks:
        rollout = Rollout(runbook, plan, cluster.servers, made, opts)
        made = rollout.made
    return {
        "servers": {name: server.summary for name, server in cluster.servers.items()},
        "ports": push_jobs.ports(plan.settings),
        "test": rollout.output("test", push_jobs.tested),
        **more,
    }


def _made(cluster: ServerGroup, task: PlannedTask) -> Sequence[pulumi.CustomResource]:
    """The resources of a task that belongs to a server."""
    if task.id.step == "firewall":
        return cluster.firewall
    if task.action is Action.DEPARTURE:
        return [cluster.departures[task.server.name]]
    return [cluster.servers[task.server.name].connected]


def _cluster(plan: StackPlan, opts: pulumi.ResourceOptions | None) -> tuple[ServerGroup, Outputs]:
    """The servers, and what the ways to them tell."""
    settings = plan.settings
    if settings.existing:
        return ExistingServers("servers", plan, opts), {}
    network = ChefNetwork("network", settings, fetch_existing_network(settings), opts)
    availability = None
    if settings.config.high_availability:
        availability = HighAvailability("availability", settings, network, opts)
    servers = ChefServers("servers", plan, network, availability, opts)
    network.let_in(servers.machines)
    entry = LoadBalancer("entry", settings, network, servers.machines, opts)
    # Push jobs and its test call the API as clients do: its way in is open when they begin.
    servers.firewall = [*network.push_jobs_rules, *entry.way_in]
    told: Outputs = {"entry": {"apiFqdn": settings.api_fqdn, "loadBalancer": entry.address}}
    told |= {"bastion": servers.bastion.summary} if servers.bastion else {}
    return servers, told | ({"vip": settings.vip} if settings.vip else {})
