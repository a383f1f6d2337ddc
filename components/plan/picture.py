"""The plan of both runbooks as something to draw: rows of steps, lanes of servers, links with their reasons. Pure.

A task's name is that of its resource; the tasks that connect the servers belong to no runbook. Lanes whose servers do
the same, and wait for the same, are one lane.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from components import chef_server, repair
from components.runbook import Edge, Key, Scope, Step, Task, ends_of, everywhere, plan
from components.settings import Settings
from components.topology import Server, Topology

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
    """A step. `name` is unique (`push-jobs-copy`), `number` is the line of the seed's runbook."""

    name: str
    runbook: str
    step: str
    number: int | None
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Lane:
    """Servers that do the same. `servers` are in the plan's order, `title` names them, `name` is the first one's."""

    servers: tuple[str, ...]
    title: str

    @property
    def name(self) -> str:
        return self.servers[0]


@dataclass(frozen=True)
class Link:
    """From one task to one that waits for it, or runs again with it. The server in a key is a lane's name."""

    source: Key
    target: Key
    waits: bool
    reruns: bool
    reasons: tuple[str, ...]

    @property
    def kind(self) -> str:
        return "both" if self.waits and self.reruns else "waits" if self.waits else "reruns"


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
    lanes = _lanes([server.name for server in everywhere(topology)], tasks, links, bright)
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


def unfold(links: Iterable[Link], lanes: Mapping[str, tuple[str, ...]]) -> Iterator[Link]:
    """Servers that share a lane have no links with one another: a link within a lane stays on each server."""
    for link in links:
        at, to = lanes[link.source.server], lanes[link.target.server]
        pairs = zip(at, at, strict=True) if at == to else product(at, to)
        for one, other in pairs:
            yield Link(Key(link.source.step, one), Key(link.target.step, other), link.waits, link.reruns, link.reasons)


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
            links += [_link(runbook, task, source, topology) for source in dict.fromkeys(task.after + task.reruns_with)]
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
    waits, reruns = source in task.after, source in task.reruns_with
    other = next(server for server in topology.servers if server.name == source.server)
    reasons = [*_texts(task.step.after, task.server, source, other, topology)] if waits else []
    reasons += _texts(task.step.reruns_with, task.server, source, other, topology) if reruns else []
    if waits and source.step == task.step.name:
        reasons.append(ONE_AT_A_TIME)
    return Link(_unique(runbook, source), _unique(runbook, task.key), waits, reruns, tuple(dict.fromkeys(reasons)))


def _texts(edges: Iterable[Edge], server: Server, source: Key, other: Server, topology: Topology) -> Iterator[str]:
    return (edge.reason for edge in edges if edge.step == source.step and other in ends_of(edge, server, topology))


def _lanes(
    servers: list[str], tasks: Iterable[Key], links: Iterable[Link], bright: Collection[Key]
) -> tuple[Lane, ...]:
    """Two servers share one if each could stand for the other in every task and link."""
    seen: dict[str, list[object]] = {server: [] for server in servers}
    for key in tasks:
        seen[key.server].append((key.step, key in bright))
    for link in links:
        for server in {link.source.server, link.target.server}:
            seen[server].append(
                [_as_seen_from(server, key) for key in (link.source, link.target)] + [link.kind, *link.reasons]
            )
    groups: dict[str, list[str]] = {}
    for server in servers:
        groups.setdefault(repr(sorted(map(repr, seen[server]))), []).append(server)
    return tuple(Lane(tuple(group), _title(group, servers)) for group in groups.values())


def _as_seen_from(server: str, key: Key) -> tuple[str, str | None]:
    return key.step, None if key.server == server else key.server


def _title(group: list[str], servers: list[str]) -> str:
    """Three and more in a row are named by the first and the last."""
    runs: list[list[str]] = []
    for server in group:
        if runs and servers.index(server) == servers.index(runs[-1][-1]) + 1:
            runs[-1].append(server)
        else:
            runs.append([server])
    parts = [f"{run[0]} … {run[-1]}" if len(run) > 2 else ", ".join(run) for run in runs]
    if len(parts) > 3:
        parts = [parts[0], "…", parts[-1]]
    return ", ".join(parts) + (f" ({len(group)} servers)" if len(group) > 2 else "")


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
    for position, edges in enumerate((step.after, step.reruns_with)):
        for edge in edges:
            if (_step_name(runbook, edge.step), edge.reason) in seen:
                reasons.setdefault((edge.step, edge.scope.value, edge.reason), [False, False])[position] = True
    if (name, ONE_AT_A_TIME) in seen:
        reasons[step.name, "the server before", ONE_AT_A_TIME] = [True, False]
    told = tuple(Reason(waits, reruns, *what) for what, (waits, reruns) in reasons.items())
    return Row(name, "" if name == CONNECT else runbook, step.name, step.number, told)
