"""The rows of a runbook as data: steps with their servers and edges, each edge with its reason. Pure.

`plan.py` makes a stack's tasks of them. What a step does on a server is a script in `chef_push_jobs/scripts/`.
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
    """What carries a task out."""

    COMMAND = auto()  # its script, on the server
    UPLOAD = auto()  # sends a package's file to the server
    RULES = auto()  # rules of security groups; where servers exist already, its script instead
    DEPARTURE = auto()  # its script, once the server leaves the stack; only where servers exist already


class Scope(Enum):
    """Which tasks of the earlier step an edge leads to."""

    SAME = "same server"
    ALL = "all servers"
    PRIMARY = "the primary"
    PREVIOUS = "the server before"


@dataclass(frozen=True)
class Edge:
    """A reason to wait for `step` (in `Step.depends_on`), or to run again when it did (in `Step.triggered_by`).

    With `only`, it is one for tasks on those servers alone. With `runbook`, the step is one of that earlier runbook;
    there is no such edge in a stack that does not run it.
    """

    step: str
    scope: Scope
    reason: str
    only: Servers | None = None
    runbook: str = ""

    @property
    def title(self) -> str:
        """Of the earlier step, for people."""
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


@dataclass(frozen=True)
class Step:
    """A row of a runbook.

    `script` gives the shell script for a server, and `facts` the servers whose addresses and keys it needs; those are
    known only once the servers run. `timeout` is in seconds; the server itself ends a task that takes longer.
    `revision` is raised by whoever changes the script in a way that clusters which are up must get: the step then runs
    again on each of them, with all that follows from it. A change of form leaves it as it is.
    `tail_lines` is how many last lines of its log the task returns. `package` is uploaded first, if it is a local file.
    `rerun_token` is a setting whose change alone runs the step again. `number` is the line of docs/runbook.md.

    A step that is not `qualified` belongs to the server: its tasks are named without the runbook. The settings
    `timeLimits` and `repair` name those that are `adjustable`.

    A step that is for servers `taken_over` is left out where machines are made.

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
        """Of its column."""
        return self.column or self.name.replace("-", " ")

    def meaning(self, cluster: ScriptContext, server: Server) -> str:
        """What is done, for a fingerprint: what the script is given, and the step's revision, but not its text.

        Placeholders stand for facts: those change with the machine only.
        """
        assert self.script is not None
        script = self.script(cluster.placeholder(self.facts(cluster.topology)), server)
        return json.dumps([self.revision, script.given, self.rerun_token(cluster.settings)], sort_keys=True)


@dataclass(frozen=True)
class Runbook:
    """A table of steps. `name` stands before its tasks' names, but for steps that belong to the servers."""

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
    """The primary, where there is somebody to share with."""
    return primary(topology) if topology.others else ()


def fingerprint(text: str) -> str:
    """Of what a task does; another one runs it again."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
