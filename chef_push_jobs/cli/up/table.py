"""The table of a rollout: a row a server, a column a step, in the words of the runbooks. Pure.

Steps that no server has both of share a column: what `copy` is to the others, `share` is to the primary.
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
    """`runbook` is empty for what belongs to the servers."""

    runbook: str
    title: str


OTHER = Column("", "other")


def columns() -> dict[str, Column]:
    """The column of each step, by the title of its tasks, in order: what belongs to the servers, then the runbooks.

    A column stands where the last of its steps does; a departure comes at the very end.
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


MARKS = {TaskState.DONE: Mark.DONE, TaskState.RUNNING: Mark.RUNNING, TaskState.FAILED: Mark.FAILED}


@dataclass(frozen=True)
class Cell:
    """`usual` is what the step took in the last rollouts, in seconds; None where there is no telling."""

    mark: Mark
    seconds: float
    usual: float | None = None

    def __str__(self) -> str:
        shown = f"{self.mark} {self.seconds:.0f}s"
        return f"{shown} of {self.usual:.0f}" if self.mark is Mark.RUNNING and self.usual else shown


@dataclass(frozen=True)
class Table:
    """`columns` are (runbook, title) of the steps that there are so far; `rows` have a cell, or None, for each."""

    columns: tuple[Column, ...]
    rows: Mapping[str, tuple[Cell | None, ...]]


def table(rollout: RolloutProgress, usual: Mapping[str, float], now: float) -> Table:
    """Of two tasks in a cell, such as an upload and its install, the later one is shown."""
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
    """What fits into `width` letters: the first columns in which nothing is left to see go first."""
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
    """Two blanks stand between columns; a title has its runbook above it."""
    wide = [max(map(len, [*shown.rows, "server"]))]
    for column in columns:
        cells = [str(row[column]) for row in shown.rows.values() if row[column]]
        wide.append(max(map(len, [*shown.columns[column], *cells])))
    return sum(wide) + 2 * len(columns)


def headline(rollout: RolloutProgress, last: float | None, now: float) -> str:
    """`last` is how long the last rollout took, in seconds."""
    done = sum(task.state is TaskState.DONE for task in rollout.tasks.values())
    parts = [f"{rollout.seconds(now):.0f} s", f"{done} done", f"{len(rollout.running)} running"]
    parts += [f"{len(rollout.failed)} failed"] if rollout.failed else []
    parts += [f"the last rollout took {last:.0f} s"] if last else []
    return ", ".join(parts)


def heard(rollout: RolloutProgress) -> Iterator[str]:
    """The last line of what runs, where it said anything."""
    for task in rollout.running:
        if task.said:
            yield f"{task.server} {task.step}: {task.said}"


def lines(before: RolloutProgress, now: RolloutProgress) -> Iterator[str]:
    """What happened between two states, a line each: for where there is no screen."""
    for name, task in now.tasks.items():
        was = before.tasks.get(name)
        if was is not None and was.state is task.state:
            continue
        at = task.ended if task.ended is not None else task.started
        word = "begins" if task.state is TaskState.RUNNING else f"{task.state} after {task.seconds(at):.1f} s"
        yield f"{at - (now.started or at):6.1f} s  {task.server}  {task.step} {word}"


def blocks(rollout: RolloutProgress) -> Iterator[str]:
    """Every failure whole, as the task runner on the server wrote it; what concerns no task after them."""
    for task in rollout.failed:
        yield task.error or f"{task.step} on {task.server} did not end: the engine was told to stop"
    for error in rollout.errors:
        if error != "update failed":
            found = remedy(error)
            yield f"{error}\nwhat next: {found}" if found else error


def titles(columns: Sequence[Column]) -> list[str]:
    """With the runbook above, where it is another than that of the column before."""
    before = ""
    found = []
    for runbook, title in columns:
        found.append(f"{runbook if runbook != before else ''}\n{title}")
        before = runbook
    return found
