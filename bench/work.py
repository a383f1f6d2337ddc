"""The work order of a runbook: what this project would send to which server after what, for tools other than Pulumi."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from bench import order
from chef_push_jobs import scripts
from chef_push_jobs.config import stack_files
from chef_push_jobs.config.settings import Settings
from chef_push_jobs.config.stack_files import Configuration
from chef_push_jobs.model.topology import Server
from chef_push_jobs.runbook import chef_server, push_jobs
from chef_push_jobs.runbook.script_context import ScriptContext, ServerIdentity
from chef_push_jobs.runbook.steps import Key, Step, Task, plan
from components.connection import CONNECT_LIMIT
from components.existing_servers import LIMIT
from sandbox.paths import CLONE

DOMAIN = "chef.test"
USER = "ubuntu"
PROJECT = stack_files.project(CLONE)
# For tools with barriers instead of edges: the same order, as few barriers as it allows.
PHASES = {
    chef_server.NAME: (
        order.Phase(("connect", "install"), serial=False),
        order.Phase(("configure", "reconfigure-primary", "share"), serial=False),
        order.Phase(("copy", "reconfigure"), serial=False),
    ),
    push_jobs.NAME: (
        order.Phase(("connect", "firewall", "install"), serial=False),
        order.Phase(("configure", "reconfigure-primary", "rotate", "share"), serial=False),
        order.Phase(("copy", "reconfigure"), serial=False),
        order.Phase(("chef-reconfigure",), serial=True),
        order.Phase(("restart-pushy",), serial=True),
        order.Phase(("test",), serial=False),
    ),
}
# The stand-ins' commands that do the work of a step; what else a step does is a matter of milliseconds.
TIMED = (
    "dpkg opscode-push-jobs-server",
    "opscode-push-jobs-server-ctl reconfigure",
    "chef-server-ctl reconfigure",
    "opscode-pushy-server start",
    "opscode-push-jobs-server-ctl test",
)
SEED = 7


@dataclass(frozen=True)
class Place:
    """A server before any rollout. `host_key` is an OpenSSH line, empty where the stack does not name it."""

    name: str
    address: str
    host_key: str

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


def durations(kind: str, server: str) -> dict[str, float]:
    """Seconds that each timed command takes on a server: `none`, `5s`, or `mixed`, from 1 to 5 s by a fixed seed."""
    if kind == "mixed":
        drawn = random.Random(f"{SEED} {server}")  # noqa: S311 - to be the same each time
        return {command: round(drawn.uniform(1, 5), 2) for command in TIMED}
    return dict.fromkeys(TIMED, {"none": 0.0, "5s": 5.0}[kind])


def push_jobs_stack(places: Sequence[Place], package: Mapping[str, str]) -> dict[str, Any]:
    """The stack's file, as for servers that exist already."""
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
    }
    return {
        "config": {f"{PROJECT}:{name}": value for name, value in own.items()},
        "encryptionsalt": example["encryptionsalt"],
    }


def push_jobs_order(stack: Path, places: Sequence[Place], known_hosts: Path) -> order.Order:
    """Of the stack in a file that `push_jobs_stack` gave."""
    settings = stack_files.settings(stack_files.read_configuration("existing", CLONE, stack), CLONE)
    return _order(push_jobs.NAME, push_jobs.STEPS, settings, places, known_hosts)


def chef_server_order(places: Sequence[Place], known_hosts: Path) -> order.Order:
    """Of the sandbox's own stack, with as many servers; the package is in their image."""
    read = stack_files.read_configuration("sandbox", CLONE)
    own = {f"{PROJECT}:frontends": str(len(places) - 2)}
    settings = stack_files.settings(Configuration(read.project, {**read.values, **own}), CLONE)
    whole = _order(chef_server.NAME, chef_server.STEPS, settings, places, known_hosts)
    return replace(whole, tasks=tuple(_without(task, "install") for task in whole.tasks if task.step != "install"))


def _without(task: order.Task, step: str) -> order.Task:
    return replace(task, after=tuple(earlier for earlier in task.after if not earlier.startswith(f"{step}-")))


def _order(
    name: str, steps: Sequence[Step], settings: Settings, places: Sequence[Place], known_hosts: Path
) -> order.Order:
    facts = {place.name: ServerIdentity(place.address, place.public_key, f"@key:{place.name}@") for place in places}
    cluster = ScriptContext(settings.topology, settings, facts)
    return order.Order(
        user=settings.config.ssh.user,
        port=settings.config.ssh.port,
        known_hosts=known_hosts,
        servers=tuple(order.Server(place.name, place.address) for place in places),
        tasks=tuple(_task(name, task, cluster) for task in plan(steps, settings.topology)),
        phases=PHASES[name],
    )


def _task(name: str, task: Task, cluster: ScriptContext) -> order.Task:
    step = task.step
    after = [*task.depends_on, *([] if step.name == "connect" else [Key("connect", task.server.name)])]
    command, script = _command(name, step, task.server, cluster)
    return order.Task(
        id=str(task.key),
        step=step.name,
        server=task.server.name,
        command=command,
        stdin=script,
        after=tuple(dict.fromkeys(str(key) for key in after)),
        tells=step.name == "connect",
    )


def _command(name: str, step: Step, server: Server, cluster: ScriptContext) -> tuple[str, str]:
    """As `connection.py`, `existing.py` and `rollout.py` send it."""
    settings = cluster.settings
    if step.name == "connect":
        return scripts.CONNECT, scripts.connect(CONNECT_LIMIT, adopts=bool(settings.existing))
    if step.script is None:
        return scripts.runner(step.name, LIMIT, 0), scripts.check_firewall(push_jobs.checked_ports(settings))
    limit = settings.timeout(step.name, step.timeout)
    return scripts.runner(f"{name}-{step.name}", limit, step.tail_lines), step.script(cluster, server)
