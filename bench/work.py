"""The work order of a runbook.

What this project would send to which server, and after what, for tools other than Pulumi.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from bench import order
from chef_push_jobs.config import stack_files
from chef_push_jobs.runbook import push_jobs
from chef_push_jobs.runbook.plan import PlannedTask, StackPlan, TaskId
from chef_push_jobs.runbook.script_context import ScriptContext, ServerIdentity
from chef_push_jobs.runbook.stack import load_stack
from chef_push_jobs.runbook.steps import Action
from sandbox.paths import CLONE

DOMAIN = "chef.test"
USER = "ubuntu"
INCLUDED = "/etc/chef-server-vip.rb"  # on each server: the address that moves, which no setting of a stack names
PROJECT = stack_files.project(CLONE)
# The stand-ins' commands that do a step's work; everything else in a step takes milliseconds.
TIMED = (
    "dpkg opscode-push-jobs-server",
    "opscode-push-jobs-server-ctl reconfigure",
    "chef-server-ctl reconfigure",
    "opscode-pushy-server start",
    "opscode-push-jobs-server-ctl test",
)
# What people wait for, in seconds: a command's first run on a server and all later ones. docs/performance.md names the
# public source of each ("As people have it"). What is not here takes the stand-ins' own time.
PEOPLE: Mapping[str, tuple[float, float]] = {
    "dpkg chef-server-core": (48, 48),
    "chef-server-ctl reconfigure": (221, 51),
    "dpkg opscode-push-jobs-server": (31, 31),
    "opscode-push-jobs-server-ctl reconfigure": (25, 12.5),
}
SCALE = 20  # they are measured at a twentieth
SEED = 7


@dataclass(frozen=True)
class Place:
    """A server before any rollout. `host_key` is an OpenSSH line, empty if the stack does not name it.

    `volume` is the id of the data volume in the cloud.
    """

    name: str
    address: str
    host_key: str
    volume: str = ""

    @property
    def fqdn(self) -> str:
        return f"{self.name}.{DOMAIN}"

    @property
    def public_key(self) -> str:
        """The host key without its comment."""
        return " ".join(self.host_key.split()[:2])


def names(count: int) -> list[str]:
    """Two backends, the first of them the primary, and frontends."""
    return ["backend-0", "backend-1", *(f"frontend-{number}" for number in range(count - 2))]


def durations(kind: str, server: str) -> dict[str, float | list[float]]:
    """Seconds that each timed command takes on a server, as the stand-ins' `command.py` reads them.

    `none`, `5s`, `mixed` (1 to 5 s from a fixed seed), or `people`, scaled down.
    """
    if kind == "people":
        scaled = {command: [round(run / SCALE, 3) for run in runs] for command, runs in PEOPLE.items()}
        return {command: runs if runs[0] != runs[1] else runs[0] for command, runs in scaled.items()}
    if kind == "mixed":
        drawn = random.Random(f"{SEED} {server}")  # noqa: S311 - to be the same each time
        return {command: round(drawn.uniform(1, 5), 2) for command in TIMED}
    return dict.fromkeys(TIMED, {"none": 0.0, "5s": 5.0}[kind])


def push_jobs_stack(
    places: Sequence[Place], package: Mapping[str, str], chef_server: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """A stack file for existing servers; with the package of `chef_server`, it sets that up too."""
    servers = [
        {
            "name": place.name,
            "fqdn": place.fqdn,
            "role": place.name.split("-", 1)[0],
            "address": place.address,
            **({"hostKey": place.public_key} if place.host_key else {}),
        }
        for place in places
    ]
    example = yaml.safe_load((CLONE / "stacks" / "Pulumi.existing.yaml").read_text())
    own = {
        "topology": "ha",
        "servers": servers,
        "clientCidrs": ["10.1.0.0/24"],
        "operatorCidrs": ["10.8.0.0/24"],
        "ssh": {"user": USER},
        "pushJobs": {"package": dict(package)},
        **({"chefServer": {"package": dict(chef_server), "include": INCLUDED}} if chef_server else {}),
    }
    return {
        "config": {f"{PROJECT}:{name}": value for name, value in own.items()},
        "encryptionsalt": example["encryptionsalt"],
    }


def stack_order(stack: Path, places: Sequence[Place], known_hosts: Path) -> order.Order:
    """The order for a stack file."""
    return _order(_plan(stack), places, known_hosts)


def chef_server_order(stack: Path, places: Sequence[Place], known_hosts: Path) -> order.Order:
    """The part of it that sets up Chef server."""
    plan = _plan(stack)
    kept = {id: task for id, task in plan.tasks.items() if task.runbook != push_jobs.NAME}
    return _order(StackPlan(plan.settings, kept), places, known_hosts)


def _plan(stack: Path) -> StackPlan:
    return load_stack(stack_files.read_configuration("existing", CLONE, stack), CLONE)


def _order(plan: StackPlan, places: Sequence[Place], known_hosts: Path) -> order.Order:
    """Without uploads, which are part of other contenders' commands, and without uninstallation."""
    facts = {
        place.name: ServerIdentity(place.address, place.public_key, f"@key:{place.name}@", place.volume)
        for place in places
    }
    cluster = ScriptContext(plan.topology, plan.settings, facts, f"{PROJECT}/bench")
    tasks = {id: task for id, task in plan.tasks.items() if task.action is Action.COMMAND}
    return order.Order(
        user=plan.settings.config.ssh.user,
        port=plan.settings.config.ssh.port,
        known_hosts=known_hosts,
        servers=tuple(order.Server(place.name, place.address) for place in places),
        tasks=tuple(_task(task, tasks, cluster) for task in tasks.values()),
        phases=phases(tasks),
    )


# Stands for a key that is not in the script yet; all keys have the same length.
_ANY_KEY = "ssh-ed25519 " + "A" * 68


def _task(task: PlannedTask, sent: Mapping[TaskId, PlannedTask], cluster: ScriptContext) -> order.Task:
    connect = TaskId("", "connect", task.server.name)
    after = [*task.depends_on, *([] if task.id.is_connect else [connect])]
    stdin = task.script(cluster).text
    return order.Task(
        id=str(task),
        step=task.id.log_name,
        server=task.server.name,
        command=task.command(order.filled(stdin, {server.name: _ANY_KEY for server in cluster.topology.servers})),
        stdin=stdin,
        after=tuple(dict.fromkeys(str(id) for id in after if id in sent)),
        tells=task.id.is_connect,
    )


def phases(tasks: Mapping[TaskId, PlannedTask]) -> tuple[order.Phase, ...]:
    """For tools with barriers instead of edges: the same order with as few barriers as possible.

    A step begins a new phase if it runs on other servers than the step before, runs on one server at a time, or has an
    edge to another server's task in the phase. A step that only waits for its own server comes right after `connect`.
    """
    found: list[order.Phase] = []
    servers: set[str] = set()
    for step, own in _by_step(tasks).items():
        serial, on = own[0].step.one_at_a_time, {task.server.name for task in own}
        ends = [(task, id) for task in own for id in task.waits_for if id in tasks]
        if found and all(id.is_connect and id.server == task.server.name for task, id in ends):
            first, *others = found[0].steps
            found[0] = replace(found[0], steps=(first, step, *others))
            continue
        crosses = any(id.server != task.server.name and id.log_name in found[-1].steps for task, id in ends)
        if not found or on != servers or serial or found[-1].serial or crosses:
            found.append(order.Phase((step,), serial))
        else:
            found[-1] = replace(found[-1], steps=(*found[-1].steps, step))
        servers = on
    return tuple(found)


def _by_step(tasks: Mapping[TaskId, PlannedTask]) -> dict[str, list[PlannedTask]]:
    found: dict[str, list[PlannedTask]] = {}
    for task in tasks.values():
        found.setdefault(task.id.log_name, []).append(task)
    return found
