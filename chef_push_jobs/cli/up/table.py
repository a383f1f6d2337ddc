"""The table of a rollout: a row per server, a column per step, in the words of the runbooks. Pure.

Steps that never run on the same server can share a column: `copy` on the others, `share` on the primary.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from chef_push_jobs.cli.server_names import counted
from chef_push_jobs.engine.progress import MACHINE, RolloutProgress, TaskState
from chef_push_jobs.engine.pulumi_cli import remedy
from chef_push_jobs.runbook.plan import UPLOAD, TaskId, steps
from chef_push_jobs.runbook.steps import Action


class Column(NamedTuple):
    """`runbook` is empty for steps that belong to the servers."""

    runbook: str
    title: str


OTHER = Column("", "other")


def columns() -> dict[str, Column]:
    """The column of each step, by the title of its tasks, in order: steps of the servers, then the runbooks.

    A column is at the position of its last step; uninstallation is at the very end.
    """
    found = {MACHINE: Column("", MACHINE)}
    places = {found[MACHINE]: (0, 0)}
    for position, (runbook, step) in enumerate(steps(), 1):
        column = found[TaskId(runbook, step.name, "").title] = Column(runbook, step.title)
        places[column] = (2 if step.action is Action.DEPARTURE else int(bool(runbook)), position)
    return dict(sorted(found.items(), key=lambda one: places[one[1]]))


class Mark(StrEnum):
    DONE = "✓"
    SENT = "↑"  # the package's file, not its install
    RUNNING = "▸"
    FAILED = "✗"


MEANINGS = {
    Mark.DONE: "done",
    Mark.SENT: "package sent",
    Mark.RUNNING: "runs, of what it usually takes",
    Mark.FAILED: "failed",
}
LEGEND = "   ".join(f"{mark} {meaning}" for mark, meaning in MEANINGS.items())
MOST = 4  # resources of the cloud that are named at the same time
SLOW = 5.0  # seconds after which such a resource gets its own line
MARKS = {TaskState.DONE: Mark.DONE, TaskState.RUNNING: Mark.RUNNING, TaskState.FAILED: Mark.FAILED}


@dataclass(frozen=True)
class Cell:
    """`usual` is the step's duration in the last rollouts, in seconds; None if it is unknown."""

    mark: Mark
    seconds: float
    usual: float | None = None

    def __str__(self) -> str:
        shown = f"{self.mark} {self.seconds:.0f}s"
        return f"{shown} of {self.usual:.0f}" if self.mark is Mark.RUNNING and self.usual else shown


@dataclass(frozen=True)
class Table:
    """`columns` are (runbook, title) of the steps so far; each of `rows` has a cell or None for each column."""

    columns: tuple[Column, ...]
    rows: Mapping[str, tuple[Cell | None, ...]]


def table(rollout: RolloutProgress, usual: Mapping[str, float], now: float) -> Table:
    """If a cell has two tasks, such as an upload and its install, it shows the later one."""
    known = columns()
    cells: dict[tuple[str, Column], Cell] = {}
    for task in rollout.tasks.values():
        mark = Mark.SENT if task.state is TaskState.DONE and task.step.endswith(UPLOAD) else MARKS[task.state]
        cells[task.server, known.get(task.step, OTHER)] = Cell(mark, task.seconds(now), usual.get(task.name))
    used = {column for _, column in cells}
    shown = [column for column in dict.fromkeys([*known.values(), OTHER]) if column in used]
    servers = counted({server for server, _ in cells})
    return Table(tuple(shown), {server: tuple(cells.get((server, column)) for column in shown) for server in servers})


def narrowed(shown: Table, width: int) -> Table:
    """Drops the first columns that are finished, until the table fits into `width` characters."""
    columns = list(range(len(shown.columns)))
    while len(columns) > 1 and _width(shown, columns) > width:
        over = (place for place, column in enumerate(columns) if _is_over(row[column] for row in shown.rows.values()))
        columns.pop(next(over, 0))
    return Table(
        tuple(shown.columns[column] for column in columns),
        {server: tuple(row[column] for column in columns) for server, row in shown.rows.items()},
    )


def _is_over(cells: Iterable[Cell | None]) -> bool:
    return all(cell is None or cell.mark in (Mark.DONE, Mark.SENT) for cell in cells)


def _width(shown: Table, columns: Sequence[int]) -> int:
    """Two spaces separate columns; a title has its runbook above it."""
    wide = [max(map(len, [*shown.rows, "server"]))]
    for column in columns:
        cells = [str(row[column]) for row in shown.rows.values() if row[column]]
        wide.append(max(map(len, [*shown.columns[column], *cells])))
    return sum(wide) + 2 * len(columns)


def headline(rollout: RolloutProgress, last: float | None, now: float, usual: Mapping[str, float] | None = None) -> str:
    """`last` is the duration of the last rollout, `usual` those of its tasks, in seconds."""
    parts = [f"{rollout.seconds(now):.0f} s", f"{len(rollout.settled)} of {len(rollout.planned)} done"]
    parts += [f"{len(rollout.running)} running"] if not rollout.result else []
    parts += [f"{len(rollout.failed)} failed"] if rollout.failed else []
    most = None if rollout.result else left(rollout, usual or {}, now)
    parts += [f"at most some {most:.0f} s left"] if most else []
    parts += [f"the last rollout took {last:.0f} s"] if last and not most else []
    return ", ".join(parts)


def left(rollout: RolloutProgress, usual: Mapping[str, float], now: float) -> float | None:
    """Seconds until the last task ends, if every open task has to run; None if unknown.

    Assumes that a new server takes as long as another one did.
    """
    if rollout.plan is None or not usual or not (rollout.tasks or rollout.unchanged):
        return None
    by_step: dict[str, float] = {}
    for name, seconds in usual.items():
        step = rollout.plan.identify(name).title
        by_step[step] = max(by_step.get(step, 0.0), seconds)
    ends: dict[str, float] = {}
    settled, planned = rollout.settled, rollout.planned

    def end(name: str, step: str, before: Iterable[str]) -> None:
        start, takes = max((ends.get(one, 0.0) for one in before), default=0.0), usual.get(name, by_step.get(step, 0.0))
        task = rollout.tasks.get(name)
        if name in settled or (task and task.state is TaskState.FAILED):
            ends[name] = 0.0
        else:
            ends[name] = max(takes - task.seconds(now), 0.0) if task else start + takes

    for server in rollout.plan.topology.servers:
        if server.name in planned:
            end(server.name, MACHINE, ())
    for task in rollout.plan.tasks.values():
        end(str(task), task.id.title, [*map(str, task.waits_for), task.server.name])
    return max(ends.values(), default=0.0)


def cloud(rollout: RolloutProgress, now: float) -> str:
    """What is being created besides machines, the longest-running first; or what happens before that."""
    if rollout.started is None:
        return "Pulumi starts"
    done = sum(rollout.others.values())
    if not (rollout.making or done or rollout.tasks or rollout.unchanged):
        return "the program reads the settings, and looks up in AWS what they name"
    slow = sorted(rollout.making.values(), key=lambda one: one.started)
    parts = [f"{one.kind} {one.name} {now - one.started:.0f}s" for one in slow[:MOST]]
    parts += [f"{len(slow) - MOST} more"] if len(slow) > MOST else []
    progress = [f"{done} done"] if done else []
    progress += [f"under way: {', '.join(parts)}"] if parts else []
    return f"network and the rest of the cloud: {'; '.join(progress)}" if progress else ""


def hidden(whole: Table, shown: Table) -> str:
    """The columns that a narrow terminal hides."""
    gone = [f"{column.runbook} {column.title}".strip() for column in whole.columns if column not in shown.columns]
    return f"too narrow to show: {', '.join(gone)}" if gone else ""


def heard(rollout: RolloutProgress) -> Iterator[str]:
    """The last line that a running task printed, if any."""
    for task in rollout.running:
        if task.said:
            yield f"{task.server} {task.step}: {task.said}"


def lines(before: RolloutProgress, now: RolloutProgress) -> Iterator[str]:
    """What happened between two states, a line each, for output that is not a terminal."""
    for name, task in now.tasks.items():
        was = before.tasks.get(name)
        if was is not None and was.state is task.state:
            continue
        at = task.ended if task.ended is not None else task.started
        word = "begins" if task.state is TaskState.RUNNING else f"{task.state} after {task.seconds(at):.1f} s"
        yield f"{at - (now.started or at):6.1f} s  {task.server}  {task.step} {word}"
    yield from _cloud_lines(before, now)


def _cloud_lines(before: RolloutProgress, now: RolloutProgress) -> Iterator[str]:
    """That creation begins, and which resources took long."""
    start = now.started or 0.0
    if now.making and not before.making and not before.others:
        first = next(iter(now.making.values()))
        yield f"{first.started - start:6.1f} s  cloud  {first.kind} {first.name} begins, and more"
    for key, one in before.making.items():
        if key not in now.making and now.at - one.started >= SLOW:
            yield f"{now.at - start:6.1f} s  cloud  {one.kind} {one.name} ended after {now.at - one.started:.1f} s"


def blocks(rollout: RolloutProgress) -> Iterator[str]:
    """Every failure in full, as the task runner wrote it; then errors that concern no task."""
    for task in rollout.failed:
        yield task.error or f"{task.step} on {task.server} did not finish: Pulumi was told to stop"
    for error in rollout.errors:
        if error != "update failed":
            found = remedy(error)
            yield f"{error}\nwhat next: {found}" if found else error


def titles(columns: Sequence[Column]) -> list[str]:
    """With the runbook above, if it differs from the column before."""
    before = ""
    found = []
    for runbook, title in columns:
        found.append(f"{runbook if runbook != before else ''}\n{title}")
        before = runbook
    return found
