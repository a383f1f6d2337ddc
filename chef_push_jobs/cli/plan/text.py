"""A picture of a plan as text, 100 columns wide: a line per step with its lanes marked and its reasons below. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from chef_push_jobs.cli.plan.picture import Picture, Reason, Row
from chef_push_jobs.runbook.plan import TaskId

COLUMNS = 100
KINDS = {(True, True): "after, and again with", (True, False): "after", (False, True): "again with"}


def render(picture: Picture) -> str:
    rail = "│  " * len(picture.lanes)
    lines = [f"Plan of stack {picture.stack}: {summary(picture)}", _marks(picture), "", *_head(picture)]
    runbook = ""
    for row in picture.rows:
        if row.runbook != runbook:
            runbook = row.runbook
            lines += [rail, f"{rail}{runbook}"]
        number = f" [{row.number}]" if row.number else ""
        lines.append("".join(f"{_mark(picture, row, lane.name)}  " for lane in picture.lanes) + f"  {row.step}{number}")
        lines += [rail + line for one in row.reasons for line in _reason(one, COLUMNS - len(rail))]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def summary(picture: Picture) -> str:
    servers, tasks = _count(picture.servers, "server"), _count(_spread(picture, picture.tasks), "task")
    running = "" if picture.changed is None else f", of which {_spread(picture, picture.changed)} run in the preview"
    return f"{picture.kind}, {servers}, {tasks}{running}"


def _spread(picture: Picture, tasks: Iterable[TaskId]) -> int:
    """The number of these tasks on all servers of their lanes."""
    sizes = {lane.name: len(lane.servers) for lane in picture.lanes}
    return sum(sizes[key.server] for key in tasks)


def _marks(picture: Picture) -> str:
    tasks = "● a task on each server of the lane" if picture.changed is None else "● runs in the preview   ○ does not"
    return f"{tasks}   [n] line of the runbook"


def phrase(reason: Reason) -> str:
    return f"{KINDS[reason.waits, reason.reruns]} {reason.step} ({reason.where}): {reason.text}"


def _head(picture: Picture) -> Iterator[str]:
    for at, lane in enumerate(picture.lanes):
        yield from textwrap.wrap(
            lane.title, COLUMNS, initial_indent="│  " * at, subsequent_indent="│  " * at + "   ", break_on_hyphens=False
        )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _mark(picture: Picture, row: Row, lane: str) -> str:
    key = row.at(lane)
    if key not in picture.tasks:
        return "│"
    return "●" if picture.is_bright(key) else "○"


def _reason(reason: Reason, columns: int) -> list[str]:
    return textwrap.wrap(
        phrase(reason), columns, initial_indent=" " * 6, subsequent_indent=" " * 8, break_on_hyphens=False
    )
