"""The rows of a runbook as data: steps with their servers and edges, each edge with its reason. Pure.

`plan.py` makes a stack's tasks from them. What a step does on a server is a script in `chef_push_jobs/scripts/`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from chef_push_jobs.config.settings import Settings
from chef_push_jobs.model.packages import Package
from chef_push_jobs.model.topology import Role, Server, Topology
from chef_push_jobs.runbook.script_context import ScriptContext
from chef_push_jobs.scripts import InTurn, Script

Servers = Callable[[Topology], tuple[Server, ...]]
BuildScript = Callable[[ScriptContext, Server], Script | InTurn]


class Action(Enum):
    """How a task is carried out."""

    COMMAND = auto()  # its script, on the server
    UPLOAD = auto()  # sends a package's file to the server
    RULES = auto()  # security group rules; on existing servers, its script instead
    DEPARTURE = auto()  # its script, when the server leaves the stack; only on existing servers


class Scope(Enum):
    """Which tasks of the earlier step an edge leads to."""

    SAME = "same server"
    ALL = "all servers"
    PRIMARY = "the primary"
    PREVIOUS = "the server before"


@dataclass(frozen=True)
class Edge:
    """A reason to wait for `step` (in `Step.depends_on`), or to run again when it did (in `Step.triggered_by`).

    `step` is an earlier one, or with `Scope.PREVIOUS` the step itself. `only` limits it to tasks on those servers. With
    `runbook`, the step is one of that earlier runbook; a stack that does not run that runbook does not have the edge.
    """

    step: str
    scope: Scope
    reason: str
    only: Servers | None = None
    runbook: str = ""

    @property
    def title(self) -> str:
        """The earlier step's name, for people."""
        return f"{self.runbook} {self.step}".strip()


def same(step: str, reason: str, only: Servers | None = None, *, runbook: str = "") -> Edge:
    """To the task of `step` on the same server."""
    return Edge(step, Scope.SAME, reason, only, runbook)


def every(step: str, reason: str, only: Servers | None = None) -> Edge:
    """To every task of `step`."""
    return Edge(step, Scope.ALL, reason, only)


def of_primary(step: str, reason: str, only: Servers | None = None) -> Edge:
    """To the task of `step` on the primary."""
    return Edge(step, Scope.PRIMARY, reason, only)


def previous(step: str, reason: str) -> Edge:
    """To the task of this same step on the server before. The step has to run on one server at a time."""
    return Edge(step, Scope.PREVIOUS, reason)


@dataclass(frozen=True)
class Step:
    """A row of a runbook.

    `script` returns the shell script for a server. `facts` are the servers whose addresses and keys it needs, which are
    only known once the servers run. `timeout` is in seconds; the server itself ends a task that takes longer. Raise
    `revision` after a change of the script that existing clusters must get: the step then runs again on each of them,
    with everything that depends on it. Do not raise it for a change of form. `tail_lines` is the number of last log
    lines that the task returns. `package` is uploaded first, if it is a local file. `rerun_token` is a setting whose
    change alone runs the step again. `number` is the line of docs/runbook.md.

    A step that is not `qualified` belongs to the server: its tasks' names do not contain the runbook. The settings
    `timeLimits` and `repair` can name `adjustable` steps.

    A step for servers that are `taken_over` is left out if the stack creates its machines.

    For readers: `column` is the title in the live table, where steps with the same title share a column; `restarts` are
    the services, by role, that restart if their configuration changed, or always with `always_restarts`.
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
    package: Callable[[Settings], Package | None] | None = None
    rerun_token: Callable[[Settings], str] = lambda settings: ""
    number: int | None = None
    action: Action = Action.COMMAND
    qualified: bool = True
    adjustable: bool = True
    taken_over: bool = False
    column: str = ""
    restarts: Mapping[Role, str] = field(default_factory=dict)
    always_restarts: bool = False
    revision: int = 1

    @property
    def title(self) -> str:
        """Its column's title."""
        return self.column or self.name.replace("-", " ")

    def meaning(self, cluster: ScriptContext, server: Server) -> str:
        """The input of a fingerprint: the script's values and the step's revision, but not the script's text.

        Placeholders stand for facts, which only change with the machine.
        """
        assert self.script is not None
        script = self.script(cluster.placeholder(self.facts(cluster.topology)), server)
        return json.dumps([self.revision, script.given, self.rerun_token(cluster.settings)], sort_keys=True)


@dataclass(frozen=True)
class Runbook:
    """A table of steps. Its tasks' names begin with `name`, except for steps that belong to the servers."""

    name: str
    steps: Sequence[Step]


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
    """The primary, if there are other servers to share with."""
    return primary(topology) if topology.others else ()


def primary_of_several(topology: Topology) -> tuple[Server, ...]:
    """The primary, if push jobs can move to another backend."""
    return primary(topology) if len(topology.push_jobs_servers) > 1 else ()


def fingerprint(text: str) -> str:
    """A digest of what a task does; a different one runs it again."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
