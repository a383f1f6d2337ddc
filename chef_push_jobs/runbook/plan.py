"""The plan of a stack: all of its tasks, made once from its settings. Pure.

The Pulumi program makes a resource of each task; everything that shows, reviews, reports or repairs a rollout reads the
same object. `str(TaskId)` is the name of a task's resource; no other code makes such names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from chef_push_jobs import scripts
from chef_push_jobs.config.settings import Settings
from chef_push_jobs.model.packages import Package
from chef_push_jobs.model.topology import Server, Topology
from chef_push_jobs.runbook import chef_server, push_jobs, servers
from chef_push_jobs.runbook.script_context import ScriptContext
from chef_push_jobs.runbook.steps import Action, Edge, Runbook, Scope, Step, fingerprint, previous
from chef_push_jobs.scripts import InTurn, Script

SERVERS = Runbook("", servers.STEPS)
RUNBOOKS = (Runbook(chef_server.NAME, chef_server.STEPS), Runbook(push_jobs.NAME, push_jobs.STEPS))
UPLOAD = "upload"

# Reasons that are in no table, because they follow from a step's other properties.
DEPARTURE_LAST = Edge(
    "uninstall", Scope.SAME, "tasks are removed before their server, so that none counts as done if that fails"
)
FILE_FIRST = Edge(UPLOAD, Scope.SAME, "the package's file must be there")
ONE_AT_A_TIME = "one server at a time"

Edges = Mapping["TaskId", tuple[Edge, ...]]


class TaskId(NamedTuple):
    """A step of a runbook on a server. `runbook` is empty if the step belongs to the server itself."""

    runbook: str
    step: str
    server: str

    def __str__(self) -> str:
        """The name of its resource, as `pulumi up` shows it."""
        return f"{self.log_name}-{self.server}" if self.server else self.log_name

    @property
    def log_name(self) -> str:
        """Its name on the server, in logs and in the history: `push-jobs-install`."""
        return f"{self.runbook}-{self.step}" if self.runbook else self.step

    @property
    def is_connect(self) -> bool:
        """Whether it prepares the server for tasks and returns its copy key."""
        return (self.runbook, self.step) == ("", "connect")

    @property
    def title(self) -> str:
        """For people, next to the server's name: `push-jobs install`."""
        return f"{self.runbook} {self.step}".strip()


@dataclass(frozen=True)
class PlannedTask:
    """A step on one server. `depends_on` and `triggered_by` lead to tasks that are earlier in the plan.

    `runbook` is the table of its step. `timeout` is in seconds. `package` is what it installs or, for an upload, what
    it sends; `uploads_for` is the task that needs the upload.
    """

    id: TaskId
    runbook: str
    step: Step
    server: Server
    action: Action
    depends_on: Edges
    triggered_by: Edges
    timeout: int
    package: Package | None = None
    uploads_for: TaskId | None = None

    def __str__(self) -> str:
        return str(self.id)

    @property
    def waits_for(self) -> frozenset[TaskId]:
        """Everything that must have ended before, including the tasks that re-run it."""
        return frozenset(self.depends_on.keys() | self.triggered_by.keys())

    def command(self, script: str) -> str:
        """The command line on the server; the task's `script` is its standard input."""
        if self.id.is_connect:
            return scripts.connecting(script)
        return scripts.runner(self.id.log_name, self.timeout, self.step.tail_lines, script)

    def script(self, cluster: ScriptContext) -> Script | InTurn:
        """The script's text. `cluster` contains the facts that the step needs."""
        assert self.step.script is not None
        return self.step.script(cluster, self.server)

    def fingerprint(self, cluster: ScriptContext) -> str:
        """A digest of what the task does."""
        return fingerprint(self.step.meaning(cluster, self.server))


@dataclass(frozen=True)
class StackPlan:
    """All tasks of a stack, in an order that obeys their edges; made by `plan`. `owner` is as in `ScriptContext`."""

    settings: Settings
    tasks: Mapping[TaskId, PlannedTask]
    owner: str = ""

    @property
    def topology(self) -> Topology:
        return self.settings.topology

    @cached_property
    def _by_name(self) -> Mapping[str, PlannedTask]:
        return {str(task): task for task in self.tasks.values()}

    def find(self, name: str) -> PlannedTask | None:
        """The task with this resource name, or None."""
        return self._by_name.get(name)

    def identify(self, name: str) -> TaskId:
        """The task with this name, even if the resource is no longer, or not yet, in the plan."""
        task = self.find(name)
        return task.id if task else identify(name)

    def names(self) -> Iterator[str]:
        return iter(self._by_name)

    @property
    def runbooks(self) -> tuple[str, ...]:
        """The runbooks that the stack runs, in order."""
        return tuple(dict.fromkeys(task.id.runbook for task in self.tasks.values() if task.id.runbook))

    def of(self, runbook: str) -> Iterator[PlannedTask]:
        """The tasks of one runbook; with an empty name, those of the servers."""
        return (task for task in self.tasks.values() if task.id.runbook == runbook)

    @property
    def context(self) -> ScriptContext:
        """For scripts that need no facts."""
        return ScriptContext(self.topology, self.settings, owner=self.owner)

    def following(self, roots: Iterable[TaskId]) -> frozenset[TaskId]:
        """The tasks that run again because `roots` do, without the roots themselves (unless one follows another)."""
        known, found = set(roots), set()
        for task in self.tasks.values():
            if not known.isdisjoint(task.triggered_by):
                found.add(task.id)
                known.add(task.id)
        return frozenset(found)


def plan(settings: Settings, runbooks: Sequence[Runbook] | None = None) -> StackPlan:
    """The plan for checked settings. Raises ValueError if a table is not a runbook."""
    tasks = outline(
        settings.topology,
        runbooks,
        settings=settings,
        existing=bool(settings.existing),
        runs_chef_server_runbook=settings.runs_chef_server_runbook,
    )
    return StackPlan(settings, {task.id: task for task in tasks})


def outline(
    topology: Topology,
    runbooks: Sequence[Runbook] | None = None,
    *,
    settings: Settings | None = None,
    existing: bool,
    runs_chef_server_runbook: bool,
) -> list[PlannedTask]:
    """The tasks of a stack. Without `settings` (if they have mistakes): no uploads, and default time limits."""
    maker = _Maker(topology, settings, existing)
    for runbook in (SERVERS, *(RUNBOOKS if runbooks is None else runbooks)):
        if runbook.name != chef_server.NAME or runs_chef_server_runbook:
            maker.add(runbook)
    return maker.tasks


class _Row(NamedTuple):
    """An earlier step that edges lead to; `on` are its servers, in order."""

    runbook: str
    on: Mapping[Server, None]


class _Maker:
    """Adds one table after the other to the tasks."""

    def __init__(self, topology: Topology, settings: Settings | None, existing: bool) -> None:
        self.tasks: list[PlannedTask] = []
        self._topology, self._settings, self._existing = topology, settings, existing
        self._shared: dict[str, _Row] = {}  # steps that belong to the servers
        self._rows: dict[str, _Row] = {}  # those, and the steps of this table so far
        self._tables: dict[str, dict[str, _Row]] = {}  # those of all tables so far
        self._departures: dict[Server, TaskId] = {}
        self._leaving: dict[Server, TaskId] = {}  # those that no task of this table waits for yet

    def add(self, runbook: Runbook) -> None:
        _refuse_two_packages(runbook)
        self._rows, self._leaving = dict(self._shared), dict(self._departures)
        self._tables[runbook.name] = self._rows
        for step in runbook.steps:
            on = step.on(self._topology)
            self._refuse(step, on)
            if step.taken_over and not self._existing:
                on = ()
            self._rows[step.name] = _Row(runbook.name if step.qualified else "", dict.fromkeys(on))
            for position, server in enumerate(on):
                self._add(runbook, step, server, on[position - 1] if step.one_at_a_time and position else None)
            if not step.qualified:
                self._shared[step.name] = self._rows[step.name]

    def _add(self, runbook: Runbook, step: Step, server: Server, before: Server | None) -> None:
        """Adds a task and, if it has a package file, the upload of that.

        `before` is the server before, if the step runs on one server at a time.
        """
        task = TaskId(runbook.name if step.qualified else "", step.name, server.name)
        action = step.action
        depends_on: dict[TaskId, tuple[Edge, ...]] = {}
        triggered_by: dict[TaskId, tuple[Edge, ...]] = {}
        package = step.package(self._settings) if step.package and self._settings else None
        if action is Action.RULES and self._existing:
            action = Action.COMMAND
        if action is not Action.RULES:  # firewall rules need no server
            depends_on |= self._depends_on(step, server, before)
            triggered_by |= self._ends_of(step.triggered_by, server, before)
        if package and package.file:
            upload = task._replace(step=UPLOAD)
            self.tasks.append(
                PlannedTask(
                    upload, runbook.name, _upload(step), server, Action.UPLOAD, {}, triggered_by, 0, package, task
                )
            )
            depends_on[upload] = (FILE_FIRST,)
        if action is Action.DEPARTURE:
            self._departures[server] = task
        elif step.qualified and action is Action.COMMAND and (departure := self._leaving.pop(server, None)):
            depends_on[departure] = (DEPARTURE_LAST,)
        limit = self._settings.timeout(step.name, step.timeout) if self._settings and step.adjustable else step.timeout
        self.tasks.append(
            PlannedTask(task, runbook.name, step, server, action, depends_on, triggered_by, limit, package)
        )

    def _depends_on(self, step: Step, server: Server, before: Server | None) -> dict[TaskId, tuple[Edge, ...]]:
        """The edges of a task. In a step that runs on one server at a time, a later task waits for the one before."""
        if before is None:
            return self._ends_of(step.depends_on, server)
        own = [edge for edge in step.depends_on if edge.scope is Scope.SAME]
        return self._ends_of([*own, previous(step.name, ONE_AT_A_TIME)], server, before)

    def _ends_of(
        self, edges: Iterable[Edge], server: Server, before: Server | None = None
    ) -> dict[TaskId, tuple[Edge, ...]]:
        """The tasks that these edges of a task on `server` lead to, each with its edges."""
        found: dict[TaskId, tuple[Edge, ...]] = {}
        for edge in edges:
            if edge.only is not None and server not in edge.only(self._topology):
                continue
            row = self._row(edge)
            if row is None:
                continue
            runbook, on = row
            one = {Scope.SAME: server, Scope.PRIMARY: self._topology.primary, Scope.PREVIOUS: before}
            for end in on if edge.scope is Scope.ALL else on.keys() & {one[edge.scope]}:
                to = TaskId(runbook, edge.step, end.name)
                found[to] = (*found.get(to, ()), edge)
        return found

    def _row(self, edge: Edge) -> _Row | None:
        """None if the edge leads to a runbook that this stack does not run."""
        rows = self._tables.get(edge.runbook) if edge.runbook else self._rows
        return None if rows is None else rows[edge.step]

    def _refuse(self, step: Step, on: Sequence[Server]) -> None:
        if step.name in self._rows:
            raise ValueError(f"step {step.name} stands twice in the runbook")
        for edge in (*step.depends_on, *step.triggered_by):
            if edge.scope is Scope.PREVIOUS:
                continue
            try:
                row = self._row(edge)
            except KeyError:
                raise ValueError(f"step {step.name} has an edge to {edge.title}, which is no earlier step") from None
            few = set(self._topology.backends)
            from_here = set(on) if edge.only is None else set(on) & set(edge.only(self._topology))
            if row and edge.scope is Scope.ALL and not from_here <= few and not row.on.keys() <= few:
                raise ValueError(f"the edge of step {step.name} to {edge.title} on all servers is many-to-many")


def _refuse_two_packages(runbook: Runbook) -> None:
    """Two uploads in one runbook would have the same name."""
    found = [step.name for step in runbook.steps if step.package]
    if len(found) > 1:
        raise ValueError(f"steps {' and '.join(found)} of runbook {runbook.name} both bring a package")


def _upload(step: Step) -> Step:
    """The step that uploads the package of `step`."""
    return Step(UPLOAD, step.on, action=Action.UPLOAD, column=step.title, adjustable=False)


def steps() -> Iterator[tuple[str, Step]]:
    """Every step that a task can have, with the prefix of its name; uploads are before their step."""
    for runbook in (SERVERS, *RUNBOOKS):
        for step in runbook.steps:
            if step.package:
                yield runbook.name, _upload(step)
            yield runbook.name if step.qualified else "", step


def adjustable() -> tuple[str, ...]:
    """The steps that the setting `timeLimits` can name, in the order of the longest runbook."""
    tables = (SERVERS, *sorted(RUNBOOKS, key=lambda runbook: -len(runbook.steps)))
    return tuple(dict.fromkeys(step.name for table in tables for step in table.steps if step.adjustable))


def time_limits() -> dict[str, dict[str, int]]:
    """The time limit of each adjustable step in seconds, by runbook and step."""
    return {
        runbook.name: {step.name: step.timeout for step in (*SERVERS.steps, *runbook.steps) if step.adjustable}
        for runbook in RUNBOOKS
    }


def identify(name: str) -> TaskId:
    """The task with this name, by the runbooks' tables alone. Any other name becomes a step on no server."""
    known = {TaskId(runbook, step.name, "") for runbook, step in steps()}
    for task in sorted(known, key=lambda task: -len(task.log_name)):
        if name.startswith(f"{task.log_name}-"):
            return task._replace(server=name.removeprefix(f"{task.log_name}-"))
    return TaskId("", name, "")
