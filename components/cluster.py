"""The whole cluster: as one component for other programs, and as the resources of the project's own program.

Python programs import it; for every other language there is `provider/`. `arguments.py` makes the arguments of each
component.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pulumi

from chef_push_jobs.config.cluster_args import ChefPushJobsClusterArgsDict
from chef_push_jobs.config.package_schema import OUTPUTS
from chef_push_jobs.config.settings import SettingsError
from chef_push_jobs.model.problems import Problem, report
from chef_push_jobs.runbook import push_jobs
from chef_push_jobs.runbook.plan import PlannedTask, StackPlan
from chef_push_jobs.runbook.stack import load_settings
from chef_push_jobs.runbook.steps import Action

from .arguments import (
    callers,
    existing_servers_args,
    high_availability_args,
    load_balancer_args,
    network_args,
    servers_args,
)
from .before_dialling import with_look
from .component import Component
from .connection import ServerGroup
from .deferred import deferred_outputs
from .error_advice import with_advice
from .existing_network import fetch_existing_network
from .existing_servers import ExistingServers
from .high_availability import HighAvailability
from .image import find_image
from .load_balancer import LoadBalancer
from .network import Network
from .rollout import Resources, Rollout, RolloutArgs
from .servers import Servers

Outputs = dict[str, pulumi.Input[Any]]

# AWS's limit for target groups, 32, minus what the longest name (NAME-entry-443) and Pulumi's suffix add.
NAME = re.compile(r"(?!internal(-|\Z))[A-Za-z]([A-Za-z0-9-]{0,12}[A-Za-z0-9])?")


class ChefPushJobsCluster(Component):
    """A Chef server cluster with push jobs; the names of all its resources begin with its own.

    `args` are the settings of a stack file, with the same names, rules and messages. They must be plain values, because
    they decide what is created. The outputs are those of the project's own program: `servers` by name, `ports` and
    `test`; `entry`, `bastion` and `vip` are None unless the settings ask for them.
    """

    def __init__(
        self,
        name: str,
        args: ChefPushJobsClusterArgsDict,
        opts: pulumi.ResourceOptions | None = None,
        *,
        root: Path | None = None,
    ) -> None:
        """Paths in `args` are relative to `root`, the program's folder. Raises pulumi.RunError with every problem."""
        _check_name(name)
        given = _given(args)
        plan = plan_of(given, root or Path.cwd())
        hooks = pulumi.ResourceOptions(
            transformations=[with_advice(f"{name}-"), with_look(f"{name}-", boots=not plan.settings.existing)]
        )
        merged = pulumi.ResourceOptions.merge(opts, hooks)
        super().__init__("ChefPushJobsCluster", name, _without_key(given), merged, None)
        self.outputs = make_cluster(plan, self.child_opts, self.prefix)
        assert self.outputs.keys() <= OUTPUTS.keys(), "an output is documented in package_schema.py"
        self.register_outputs(self.outputs)

    # Properties, because Pulumi would take annotations on the class for types of inputs too, and `servers` is also an
    # input.

    @property
    def servers(self) -> pulumi.Output[dict[str, dict[str, str]]]:
        return pulumi.Output.from_input(self.outputs["servers"])

    @property
    def ports(self) -> pulumi.Output[dict[str, int]]:
        return pulumi.Output.from_input(self.outputs["ports"])

    @property
    def test(self) -> pulumi.Output[str]:
        return pulumi.Output.from_input(self.outputs["test"])

    @property
    def entry(self) -> pulumi.Output[dict[str, str] | None]:
        return pulumi.Output.from_input(self.outputs.get("entry"))

    @property
    def bastion(self) -> pulumi.Output[dict[str, Any] | None]:
        return pulumi.Output.from_input(self.outputs.get("bastion"))

    @property
    def vip(self) -> pulumi.Output[str | None]:
        return pulumi.Output.from_input(self.outputs.get("vip"))


def plan_of(args: Mapping[str, object], root: Path) -> StackPlan:
    """The plan. Raises pulumi.RunError with every problem of the settings, which is shown without a stack trace."""
    if late := list(_late(args)):
        raise pulumi.RunError(
            f"{', '.join(late)}: a secret, or only known after other resources are created\n     Rule: settings "
            "must be plain values, because they decide what is created.\n     Do:   use a plain value; leave a "
            "private key in the ssh-agent."
        )
    raw = {name: value if isinstance(value, str) else json.dumps(value) for name, value in _given(args).items()}
    try:
        return load_settings(raw, root)
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None


def _late(value: object, path: str = "") -> Iterator[str]:
    """The paths of outputs at any depth."""
    if isinstance(value, pulumi.Output):
        yield path
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _late(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for at, inner in enumerate(value):
            yield from _late(inner, f"{path}[{at}]")


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        rule = (
            "it has up to 14 letters, digits and hyphens, starts with a letter and not with internal-: load "
            "balancers and target groups are named after it, and AWS limits their names to 32 characters"
        )
        raise pulumi.RunError(
            report([Problem("the cluster's name", f"'{name}'", rule, "choose another or a shorter one")])
        )


def _given(args: Mapping[str, object]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in args.items() if value is not None}


def _plain(value: object) -> object:
    """Converts whole numbers to int, which the engine's protocol does not have, and drops values that are not given."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _without_key(args: Mapping[str, Any]) -> dict[str, Any]:
    """What the state may contain: everything except the operator's private key."""
    ssh = args.get("ssh")
    kept = {key: value for key, value in ssh.items() if key != "privateKey"} if isinstance(ssh, Mapping) else ssh
    return {**args, "ssh": kept}


def make_cluster(plan: StackPlan, opts: pulumi.ResourceOptions | None = None, prefix: str = "") -> Outputs:
    """Creates the servers and the rollouts on them. Returns the outputs by name, as in `package_schema.py`.

    Components get `opts`. All names begin with `prefix`.
    """
    plan = replace(plan, owner=f"{pulumi.get_project()}/{pulumi.get_stack()}/{prefix}".rstrip("/-"))
    cluster = _existing(plan, opts, prefix) if plan.settings.existing else _managed(plan, opts, prefix)
    made: Resources = {task.id: found for task in plan.of("") if (found := cluster.resources(task))}
    for runbook in plan.runbooks:
        args = RolloutArgs(runbook, plan, cluster.servers.servers, made)
        rollout = Rollout(f"{prefix}{runbook}", args, opts, prefix=prefix)
        made = rollout.made
    return {
        **cluster.servers.outputs,
        "ports": push_jobs.ports(plan.settings),
        "test": rollout.output(push_jobs.TESTS, push_jobs.tested),
        **cluster.outputs,
    }


@dataclass(frozen=True)
class _Made:
    """Servers for tasks, resources that open or check the push jobs ports, and further outputs of the stack."""

    servers: ServerGroup
    firewall: Sequence[pulumi.CustomResource]
    outputs: Outputs

    def resources(self, task: PlannedTask) -> Sequence[pulumi.CustomResource]:
        """The resources of a task that belongs to a server; empty if the first rollout creates them."""
        if task.id.step == "firewall":
            return self.firewall
        if task.action is Action.DEPARTURE:
            return [self.servers.departures[task.server.name]]
        return [self.servers.servers[task.server.name].connected] if task.id.is_connect else []


def _existing(plan: StackPlan, opts: pulumi.ResourceOptions | None, prefix: str) -> _Made:
    servers = ExistingServers(f"{prefix}servers", existing_servers_args(plan), opts, prefix=prefix)
    return _Made(servers, servers.firewall, {})


def _managed(plan: StackPlan, opts: pulumi.ResourceOptions | None, prefix: str) -> _Made:
    settings = plan.settings
    parent = opts.parent if opts else None
    found, image_id = fetch_existing_network(settings, parent), find_image(settings, parent)
    named = callers(settings)
    with deferred_outputs(len(named)) as (addresses, resolve):
        args = network_args(settings, found, dict(zip(named, addresses, strict=True)))
        network = Network(f"{prefix}network", args, opts, prefix=prefix)
        servers = _servers(plan, network, image_id, opts, prefix)
        resolve([servers.machines[server].public_ip for server in named])
    entry = LoadBalancer(f"{prefix}entry", load_balancer_args(settings, network, servers), opts, prefix=prefix)
    outputs: Outputs = {"entry": {"apiFqdn": settings.api_fqdn, "loadBalancer": entry.address}}
    outputs |= {"vip": settings.vip} if settings.vip else {}
    # Push jobs and its test call the API like clients, so the entry must be open before they start.
    return _Made(servers, [*network.push_jobs_rules, *entry.way_in], outputs)


def _servers(
    plan: StackPlan, network: Network, image_id: str, opts: pulumi.ResourceOptions | None, prefix: str
) -> Servers:
    """The servers, and what fails over, if the stack has failover."""
    name, settings = f"{prefix}servers", plan.settings
    if settings.config.high_availability is None:
        return Servers(name, servers_args(plan, network, None, image_id), opts, prefix=prefix)
    with deferred_outputs(len(settings.topology.backends)) as (backends, resolve):
        args = high_availability_args(settings, network, backends)
        availability = HighAvailability(f"{prefix}availability", args, opts, prefix=prefix)
        servers = Servers(name, servers_args(plan, network, availability, image_id), opts, prefix=prefix)
        machines = [servers.machines[server.name] for server in settings.topology.backends]
        resolve([pulumi.Output.from_input(machine) for machine in machines])
    return servers
