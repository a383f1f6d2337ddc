"""The plan of both runbooks as something to draw: rows of steps, lanes of servers, links with their reasons. Pure.

A task's name is that of its resource; the tasks that connect the servers belong to no runbook. Lanes whose servers do
the same, and wait for the same, are one lane.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from chef_push_jobs.cli.plan.folding import Lane, Link, lanes_of, unfold
from chef_push_jobs.config.settings import Settings
from chef_push_jobs.model.topology import Server, Topology
from chef_push_jobs.runbook import chef_server, repair
from chef_push_jobs.runbook.steps import Edge, Key, Scope, Step, Task, ends_of, everywhere, plan

Runbooks = Sequence[tuple[str, Sequence[Step]]]

CONNECT = "connect"
CHEF_SERVER_FIRST = "push jobs is an add-on to a Chef server that is configured"
ONE_AT_A_TIME = "one server at a time"


@dataclass(frozen=True)
class Reason:
    """Why a step waits for an earlier one (`waits`), runs again with it, or both; `where` are the servers meant."""

    waits: bool
    reruns: bool
    step: str
    where: str
    text: str


@dataclass(frozen=True)
class Row:
    """A step. `name` is unique (`push-jobs-copy`), `number` is the line of docs/runbook.md."""

    name: str
    runbook: str
    step: str
    number: int | None
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Picture:
    """What is drawn. `changed` are the tasks that run in a pending preview, None where there is none."""

    stack: str
    kind: str
    rows: tuple[Row, ...]
    lanes: tuple[Lane, ...]
    tasks: frozenset[Key]
    links: tuple[Link, ...]
    changed: frozenset[Key] | None = None

    @property
    def servers(self) -> int:
        return sum(len(lane.servers) for lane in self.lanes)

    def is_bright(self, *tasks: Key) -> bool:
        return self.changed is None or self.changed.issuperset(tasks)

    def unfolded(self) -> frozenset[Link]:
        """The links between servers, not lanes."""
        return frozenset(unfold(self.links, {lane.name: lane.servers for lane in self.lanes}))


def draw(
    stack: str, settings: Settings, changed: Collection[str] | None = None, runbooks: Runbooks = repair.RUNBOOKS
) -> Picture:
    """`changed` are names of tasks (`push-jobs-copy-backend-1`)."""
    topology = settings.topology
    left_out = () if settings.runs_chef_server_runbook else (chef_server.NAME,)
    runbooks = [(name, steps) for name, steps in runbooks if name not in left_out]
    tasks, links = _spread([(name, plan(steps, topology)) for name, steps in runbooks], topology)
    bright = frozenset(key for key in tasks if changed is not None and str(key) in changed)
    lanes = lanes_of([server.name for server in everywhere(topology)], tasks, links, bright)
    names = {server: lane.name for lane in lanes for server in lane.servers}
    rows = [_row(name, step, links) for name, steps in runbooks for step in steps]
    used = {key.step for key in tasks}
    return Picture(
        stack,
        str(topology.kind),
        tuple(row for row in dict.fromkeys(rows) if row.name in used),
        lanes,
        frozenset(_fold(key, names) for key in tasks),
        tuple(dict.fromkeys(_folded(link, names) for link in links)),
        None if changed is None else frozenset(_fold(key, names) for key in bright),
    )


def _spread(plans: list[tuple[str, tuple[Task, ...]]], topology: Topology) -> tuple[list[Key], list[Link]]:
    """All tasks and links, server by server, under names that are unique in both runbooks."""
    tasks: dict[Key, None] = {}
    links: list[Link] = []
    last: dict[str, Key] = {}
    for runbook, planned in plans:
        before, last = last, {}
        for task in planned:
            key = _unique(runbook, task.key)
            tasks[key] = None
            sources = dict.fromkeys(task.depends_on + task.triggered_by)
            links += [_link(runbook, task, source, topology) for source in sources]
            if task.step.script is None:
                continue
            if task.server.name in before and task.server.name not in last:
                links.append(Link(before[task.server.name], key, True, False, (CHEF_SERVER_FIRST,)))
            last[task.server.name] = key
    return list(tasks), links


def _unique(runbook: str, key: Key) -> Key:
    return Key(_step_name(runbook, key.step), key.server)


def _step_name(runbook: str, step: str) -> str:
    return step if step == CONNECT else f"{runbook}-{step}"


def _link(runbook: str, task: Task, source: Key, topology: Topology) -> Link:
    waits, reruns = source in task.depends_on, source in task.triggered_by
    other = next(server for server in topology.servers if server.name == source.server)
    reasons = [*_texts(task.step.depends_on, task.server, source, other, topology)] if waits else []
    reasons += _texts(task.step.triggered_by, task.server, source, other, topology) if reruns else []
    if waits and source.step == task.step.name:
        reasons.append(ONE_AT_A_TIME)
    return Link(_unique(runbook, source), _unique(runbook, task.key), waits, reruns, tuple(dict.fromkeys(reasons)))


def _texts(edges: Iterable[Edge], server: Server, source: Key, other: Server, topology: Topology) -> Iterator[str]:
    return (edge.reason for edge in edges if edge.step == source.step and other in ends_of(edge, server, topology))


def _fold(key: Key, names: Mapping[str, str]) -> Key:
    return Key(key.step, names[key.server])


def _folded(link: Link, names: Mapping[str, str]) -> Link:
    return Link(_fold(link.source, names), _fold(link.target, names), link.waits, link.reruns, link.reasons)


def _row(runbook: str, step: Step, links: Iterable[Link]) -> Row:
    """With the reasons that any of the step's `links` has in this topology."""
    name = _step_name(runbook, step.name)
    seen = {(link.source.step, text) for link in links for text in link.reasons if link.target.step == name}
    reasons: dict[tuple[str, str, str], list[bool]] = {}
    if any(text == CHEF_SERVER_FIRST for _, text in seen):
        reasons["the last task of Chef server's runbook", Scope.SAME.value, CHEF_SERVER_FIRST] = [True, False]
    for position, edges in enumerate((step.depends_on, step.triggered_by)):
        for edge in edges:
            if (_step_name(runbook, edge.step), edge.reason) in seen:
                reasons.setdefault((edge.step, edge.scope.value, edge.reason), [False, False])[position] = True
    if (name, ONE_AT_A_TIME) in seen:
        reasons[step.name, "the server before", ONE_AT_A_TIME] = [True, False]
    told = tuple(Reason(waits, reruns, *what) for what, (waits, reruns) in reasons.items())
    return Row(name, "" if name == CONNECT else runbook, step.name, step.number, told)
