"""A stack's plan as something to draw: rows of steps, lanes of servers, links with their reasons. Pure.

Servers that do the same and wait for the same share a lane. In a task of such a lane, the server's name in the task's
id is the lane's name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from chef_push_jobs.cli.plan.folding import Lane, Link, lanes_of, unfold
from chef_push_jobs.runbook.plan import PlannedTask, StackPlan, TaskId
from chef_push_jobs.runbook.steps import Action, everywhere


@dataclass(frozen=True)
class Reason:
    """Why a step waits for an earlier one (`waits`), runs again with it (`reruns`), or both.

    `where` says on which servers.
    """

    waits: bool
    reruns: bool
    step: str
    where: str
    text: str


@dataclass(frozen=True)
class Row:
    """A step; `id` has no server; `runbook` is its table; `number` is its line in docs/runbook.md."""

    id: TaskId
    runbook: str
    number: int | None
    reasons: tuple[Reason, ...]

    @property
    def name(self) -> str:
        """A unique name such as `push-jobs-copy`."""
        return self.id.log_name

    @property
    def step(self) -> str:
        return self.id.step

    def at(self, lane: str) -> TaskId:
        """Its task on the servers of a lane, or None."""
        return self.id._replace(server=lane)


@dataclass(frozen=True)
class Picture:
    """What is drawn. `changed` are the tasks that a pending preview runs; None if there is no preview."""

    stack: str
    kind: str
    rows: tuple[Row, ...]
    lanes: tuple[Lane, ...]
    tasks: frozenset[TaskId]
    links: tuple[Link, ...]
    changed: frozenset[TaskId] | None = None

    @property
    def servers(self) -> int:
        return sum(len(lane.servers) for lane in self.lanes)

    def is_bright(self, *tasks: TaskId) -> bool:
        return self.changed is None or self.changed.issuperset(tasks)

    def unfolded(self) -> frozenset[Link]:
        """The links between servers instead of lanes."""
        return frozenset(unfold(self.links, {lane.name: lane.servers for lane in self.lanes}))


def draw(stack: str, plan: StackPlan, changed: Collection[TaskId] | None = None) -> Picture:
    """`changed` are tasks that run. Uploads and uninstallation are not drawn: uploads are part of another task."""
    planned = [task for task in plan.tasks.values() if task.action in (Action.COMMAND, Action.RULES)]
    tasks = {task.id for task in planned}
    links = [link for task in planned for link in _links(task, tasks)]
    bright = frozenset(tasks.intersection(changed or ()))
    lanes = lanes_of([server.name for server in everywhere(plan.topology)], [t.id for t in planned], links, bright)
    names = {server: lane.name for lane in lanes for server in lane.servers}
    return Picture(
        stack,
        str(plan.topology.kind),
        tuple(_rows(planned, tasks)),
        lanes,
        frozenset(_fold(task, names) for task in tasks),
        tuple(dict.fromkeys(_folded(link, names) for link in links)),
        None if changed is None else frozenset(_fold(task, names) for task in bright),
    )


def _links(task: PlannedTask, drawn: Collection[TaskId]) -> Iterator[Link]:
    for source in dict.fromkeys([*task.depends_on, *task.triggered_by]):
        if source in drawn:
            waits, reruns = task.depends_on.get(source, ()), task.triggered_by.get(source, ())
            reasons = dict.fromkeys(edge.reason for edge in (*waits, *reruns))
            yield Link(source, task.id, bool(waits), bool(reruns), tuple(reasons))


def _fold(task: TaskId, names: Mapping[str, str]) -> TaskId:
    return task._replace(server=names[task.server])


def _folded(link: Link, names: Mapping[str, str]) -> Link:
    return Link(_fold(link.source, names), _fold(link.target, names), link.waits, link.reruns, link.reasons)


def _rows(planned: Iterable[PlannedTask], drawn: Collection[TaskId]) -> Iterator[Row]:
    """A row for each step, with the reasons that its tasks have in this topology, in the order of its table."""
    steps: dict[TaskId, list[PlannedTask]] = {}
    for task in planned:
        steps.setdefault(task.id._replace(server=""), []).append(task)
    for id, tasks in steps.items():
        step = tasks[0].step
        waiting, again = (
            {edge: None for edges in kinds for source, some in edges.items() if source in drawn for edge in some}
            for kinds in ([task.depends_on for task in tasks], [task.triggered_by for task in tasks])
        )
        order = dict.fromkeys([*step.depends_on, *step.triggered_by, *waiting])
        found: dict[tuple[str, str, str], list[bool]] = {}
        for edge in order:
            kinds = found.setdefault((edge.title, edge.scope.value, edge.reason), [False, False])
            kinds[0] |= edge in waiting
            kinds[1] |= edge in again
        reasons = (Reason(waits, reruns, *what) for what, (waits, reruns) in found.items() if waits or reruns)
        yield Row(id, tasks[0].runbook, step.number, tuple(reasons))
