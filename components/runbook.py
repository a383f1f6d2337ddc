"""A runbook as data: steps with their servers and edges, and the plan of tasks that they make on a topology.

Pure. What a step does on a server is a function in `commands.py`; how a task becomes a resource is in `rollout.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from components.cluster import Cluster
from components.packages import Package
from components.settings import Settings
from components.topology import Server, Topology

Servers = Callable[[Topology], tuple[Server, ...]]
Script = Callable[[Cluster, Server], str]


class Scope(Enum):
    """Which tasks of the earlier step an edge leads to."""

    SAME = "same server"
    ALL = "all servers"


@dataclass(frozen=True)
class Edge:
    """A reason to wait for `step` (in `Step.after`), or to run again when it did (in `Step.reruns_with`)."""

    step: str
    scope: Scope
    reason: str


def same(step: str, reason: str) -> Edge:
    """To the task of `step` on the same server."""
    return Edge(step, Scope.SAME, reason)


def every(step: str, reason: str) -> Edge:
    """To every task of `step`."""
    return Edge(step, Scope.ALL, reason)


@dataclass(frozen=True)
class Step:
    """A line of a runbook.

    `script` gives the shell script for a server; a step without one is done by other resources (a VM, a firewall rule).
    `facts` names the servers whose addresses and keys the script needs; they are known only once those run.
    `limit` is in seconds; the server itself ends a task that takes longer. `number` is the line of the seed's runbook.
    `shows` is how many last lines of its log the task returns. `package` is uploaded first, if it is a local file.
    `nonce` is a setting whose change alone runs the step again.
    """

    name: str
    on: Servers
    script: Script | None = None
    after: tuple[Edge, ...] = ()
    reruns_with: tuple[Edge, ...] = ()
    facts: Servers = lambda topology: ()
    one_at_a_time: bool = False
    limit: int = 300
    shows: int = 0
    package: Callable[[Settings], Package | None] = lambda settings: None
    nonce: Callable[[Settings], str] = lambda settings: ""
    number: int | None = None


@dataclass(frozen=True, order=True)
class Key:
    """Names a task within a runbook."""

    step: str
    server: str

    def __str__(self) -> str:
        return f"{self.step}-{self.server}"


@dataclass(frozen=True)
class Task:
    """A step on one server. `after` and `reruns_with` are tasks that stand earlier in the plan."""

    step: Step
    server: Server
    after: tuple[Key, ...]
    reruns_with: tuple[Key, ...]

    @property
    def key(self) -> Key:
        return Key(self.step.name, self.server.name)


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


def plan(steps: Sequence[Step], topology: Topology) -> tuple[Task, ...]:
    """All tasks, in an order that obeys their edges. Raises ValueError for a table that is not a runbook."""
    servers: dict[str, tuple[Server, ...]] = {}
    tasks: list[Task] = []
    for step in steps:
        on = step.on(topology)
        _refuse(step, on, servers, topology)
        for position, server in enumerate(on):
            before = on[position - 1] if step.one_at_a_time and position else None
            tasks.append(
                Task(step, server, _waits(step, server, before, servers), _keys(step.reruns_with, server, servers))
            )
        servers[step.name] = on
    return tuple(tasks)


def _waits(
    step: Step, server: Server, before: Server | None, servers: dict[str, tuple[Server, ...]]
) -> tuple[Key, ...]:
    """Of those that go one at a time, the first waits for what the step needs everywhere, each next one for it."""
    if before is None:
        return _keys(step.after, server, servers)
    own = [edge for edge in step.after if edge.scope is Scope.SAME]
    return (*_keys(own, server, servers), Key(step.name, before.name))


def _keys(edges: Iterable[Edge], server: Server, servers: dict[str, tuple[Server, ...]]) -> tuple[Key, ...]:
    found = [
        Key(edge.step, other.name)
        for edge in edges
        for other in servers[edge.step]
        if edge.scope is Scope.ALL or other == server
    ]
    return tuple(dict.fromkeys(found))


def _refuse(step: Step, on: Sequence[Server], servers: dict[str, tuple[Server, ...]], topology: Topology) -> None:
    if step.name in servers:
        raise ValueError(f"step {step.name} stands twice in the runbook")
    for edge in (*step.after, *step.reruns_with):
        if edge.step not in servers:
            raise ValueError(f"step {step.name} has an edge to {edge.step}, which is no earlier step")
        few = set(topology.backends)
        if edge.scope is Scope.ALL and not set(on) <= few and not set(servers[edge.step]) <= few:
            raise ValueError(f"the edge of step {step.name} to {edge.step} on all servers is many-to-many")
