"""A runbook as data: steps with their servers and edges, and the plan of tasks that they make on a topology.

Pure. What a step does on a server is a script in `chef_push_jobs/scripts/`; how a task becomes a resource is in
`components/rollout.py`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial

from chef_push_jobs.config.settings import Settings
from chef_push_jobs.model.packages import Package
from chef_push_jobs.model.topology import Server, Topology
from chef_push_jobs.runbook.script_context import ScriptContext
from chef_push_jobs.scripts import InTurn, Script

Servers = Callable[[Topology], tuple[Server, ...]]
BuildScript = Callable[[ScriptContext, Server], Script | InTurn]


class Scope(Enum):
    """Which tasks of the earlier step an edge leads to."""

    SAME = "same server"
    ALL = "all servers"
    PRIMARY = "the primary"


@dataclass(frozen=True)
class Edge:
    """A reason to wait for `step` (in `Step.depends_on`), or to run again when it did (in `Step.triggered_by`).

    With `only`, it is one for tasks on those servers alone.
    """

    step: str
    scope: Scope
    reason: str
    only: Servers | None = None


def same(step: str, reason: str, only: Servers | None = None) -> Edge:
    """To the task of `step` on the same server."""
    return Edge(step, Scope.SAME, reason, only)


def every(step: str, reason: str, only: Servers | None = None) -> Edge:
    """To every task of `step`."""
    return Edge(step, Scope.ALL, reason, only)


def of_primary(step: str, reason: str, only: Servers | None = None) -> Edge:
    """To the task of `step` on the primary."""
    return Edge(step, Scope.PRIMARY, reason, only)


@dataclass(frozen=True)
class Step:
    """A line of a runbook.

    `script` gives the shell script for a server; a step without one is done by other resources (a VM, a firewall rule).
    `revision` is raised by whoever changes the script in a way that clusters which are up must get: the step then runs
    again on each of them, with all that follows from it. A change of form leaves it as it is.
    `facts` names the servers whose addresses and keys the script needs; they are known only once those run.
    `timeout` is in seconds; the server itself ends a task that takes longer. `number` is the line of
    docs/runbook.md.
    `tail_lines` is how many last lines of its log the task returns. `package` is uploaded first, if it is a local file.
    `rerun_token` is a setting whose change alone runs the step again.
    """

    name: str
    on: Servers
    script: BuildScript | None = None
    depends_on: tuple[Edge, ...] = ()
    triggered_by: tuple[Edge, ...] = ()
    facts: Servers = lambda topology: ()
    one_at_a_time: bool = False
    timeout: int = 300
    tail_lines: int = 0
    package: Callable[[Settings], Package | None] = lambda settings: None
    rerun_token: Callable[[Settings], str] = lambda settings: ""
    number: int | None = None
    revision: int = 1


@dataclass(frozen=True, order=True)
class Key:
    """Names a task within a runbook."""

    step: str
    server: str

    def __str__(self) -> str:
        return f"{self.step}-{self.server}"


@dataclass(frozen=True)
class Task:
    """A step on one server. `depends_on` and `triggered_by` are tasks that stand earlier in the plan."""

    step: Step
    server: Server
    depends_on: tuple[Key, ...]
    triggered_by: tuple[Key, ...]

    @property
    def key(self) -> Key:
        return Key(self.step.name, self.server.name)

    def meaning(self, cluster: ScriptContext) -> str:
        """What is done, for a fingerprint: what the script is given, and the step's revision, but not its text.

        Placeholders stand for facts: those change with the machine only.
        """
        assert self.step.script is not None
        placeholder = cluster.placeholder(self.step.facts(cluster.topology))
        return meaning(
            self.step.revision, self.step.script(placeholder, self.server), self.step.rerun_token(cluster.settings)
        )

    def fingerprint(self, cluster: ScriptContext, name: str) -> str:
        """Of what is done, and of the setting `repair` for the task by its `name` in the stack."""
        return fingerprint("".join([self.meaning(cluster), *cluster.settings.repair(name)]))


def primary(topology: Topology) -> tuple[Server, ...]:
    return (topology.primary,)


def others(topology: Topology) -> tuple[Server, ...]:
    return topology.others


def backends(topology: Topology) -> tuple[Server, ...]:
    return topology.backends


def everywhere(topology: Topology) -> tuple[Server, ...]:
    return (*topology.backends, *topology.frontends)


def push_jobs_servers(topology: Topology) -> tuple[Server, ...]:
    return topology.push_jobs_servers


def primary_if_shared(topology: Topology) -> tuple[Server, ...]:
    """The primary, where there is somebody to share with."""
    return primary(topology) if topology.others else ()


def meaning(revision: int, script: Script | InTurn, rerun_token: str = "") -> str:
    """What a script does, for a fingerprint; a better text of it means the same until somebody raises the revision."""
    return json.dumps([revision, script.given, rerun_token], sort_keys=True)


def fingerprint(text: str) -> str:
    """Of what a task does; another one runs it again."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def plan(steps: Sequence[Step], topology: Topology) -> tuple[Task, ...]:
    """All tasks, in an order that obeys their edges. Raises ValueError for a table that is not a runbook."""
    servers: dict[str, dict[Server, None]] = {}  # of each step until now, in its order
    tasks: list[Task] = []
    for step in steps:
        on = step.on(topology)
        _refuse(step, on, servers, topology)
        for position, server in enumerate(on):
            before = on[position - 1] if step.one_at_a_time and position else None
            keys = partial(_keys, server=server, servers=servers, topology=topology)
            tasks.append(Task(step, server, _waits(step, before, keys), keys(step.triggered_by)))
        servers[step.name] = dict.fromkeys(on)
    return tuple(tasks)


def _waits(step: Step, before: Server | None, keys: Callable[[Iterable[Edge]], tuple[Key, ...]]) -> tuple[Key, ...]:
    """Of those that go one at a time, the first waits for what the step needs everywhere, each next one for it."""
    if before is None:
        return keys(step.depends_on)
    return (*keys(edge for edge in step.depends_on if edge.scope is Scope.SAME), Key(step.name, before.name))


def _keys(
    edges: Iterable[Edge], *, server: Server, servers: Mapping[str, Mapping[Server, None]], topology: Topology
) -> tuple[Key, ...]:
    """The tasks that edges of a task on `server` lead to."""
    found: dict[Key, None] = {}
    for edge in edges:
        on, ends = servers[edge.step], ends_of(edge, server, topology)
        leads_to = on if ends and edge.scope is Scope.ALL else [end for end in ends if end in on]
        found |= dict.fromkeys(Key(edge.step, other.name) for other in leads_to)
    return tuple(found)


def ends_of(edge: Edge, server: Server, topology: Topology) -> Sequence[Server]:
    """The servers on which an edge of a task on `server` leads to the earlier step's task, if that step is there."""
    if edge.only is not None and server not in edge.only(topology):
        return ()
    if edge.scope is Scope.ALL:
        return topology.servers
    return (server if edge.scope is Scope.SAME else topology.primary,)


def _refuse(step: Step, on: Sequence[Server], servers: Mapping[str, Mapping[Server, None]], topology: Topology) -> None:
    if step.name in servers:
        raise ValueError(f"step {step.name} stands twice in the runbook")
    for edge in (*step.depends_on, *step.triggered_by):
        if edge.step not in servers:
            raise ValueError(f"step {step.name} has an edge to {edge.step}, which is no earlier step")
        few = set(topology.backends)
        from_here = set(on) if edge.only is None else set(on) & set(edge.only(topology))
        if edge.scope is Scope.ALL and not from_here <= few and not servers[edge.step].keys() <= few:
            raise ValueError(f"the edge of step {step.name} to {edge.step} on all servers is many-to-many")
