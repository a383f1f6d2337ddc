"""The timeline as a drawing: positions of bars and labels, so that none covers another. Pure.

The units are the drawing's: WIDTH across, ROW down for each row of a lane.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chef_push_jobs.cli.server_names import counted
from chef_push_jobs.engine.progress import RolloutProgress, TaskProgress, TaskState

WIDTH, LEFT, RIGHT = 1000.0, 92.0, 14.0
ROW, TOP, GAP = 17.0, 24.0, 10.0
LETTER = 5.7  # width of a letter in a label
LEAST = 2.0  # of a bar, so that it is visible
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)  # seconds between two lines
LINES = 12


@dataclass(frozen=True)
class Bar:
    """`kind` is `failed`, `critical` or `other`; the label is after the bar, or before it near the right end."""

    x: float
    y: float
    width: float
    label: str
    label_x: float
    anchor: str
    title: str
    kind: str


@dataclass(frozen=True)
class Lane:
    name: str
    y: float
    height: float
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Timeline:
    """`marks` are (x, label of the time)."""

    height: float
    lanes: tuple[Lane, ...]
    marks: tuple[tuple[float, str], ...]


def timeline(rollout: RolloutProgress, critical: Iterable[str], servers: Sequence[str]) -> Timeline:
    """`servers` are the lanes, in order; servers without a task are left out."""
    start, span = _span(rollout)
    scale = (WIDTH - LEFT - RIGHT) / span
    on_path, y, lanes = frozenset(critical), TOP, []
    known = [*servers, *counted({task.server for task in rollout.tasks.values()} - set(servers))]
    for server in known:
        tasks = sorted((task for task in rollout.tasks.values() if task.server == server), key=lambda t: t.started)
        if tasks:
            bars, rows = _bars(tasks, on_path, start, scale, y)
            lanes.append(Lane(server, y, rows * ROW, bars))
            y += rows * ROW + GAP
    return Timeline(y, tuple(lanes), tuple(_marks(span, scale)))


def _span(rollout: RolloutProgress) -> tuple[float, float]:
    """From the first task to the last, in seconds; excludes what the engine does before and after."""
    tasks = rollout.tasks.values()
    start = min((task.started for task in tasks), default=0.0)
    end = max((task.ended or task.started for task in tasks), default=start)
    return start, max(end - start, 1.0)


def _bars(
    tasks: Sequence[TaskProgress], critical: frozenset[str], start: float, scale: float, top: float
) -> tuple[tuple[Bar, ...], int]:
    """The bars of a lane, each in the first row with room for it and its label; and the number of rows."""
    ends: list[float] = []
    bars = []
    for task in tasks:
        x = LEFT + (task.started - start) * scale
        width = max(task.seconds(task.started) * scale, LEAST)
        text = len(task.step) * LETTER
        before = x + width + 4 + text > WIDTH
        left, right = (x - 4 - text, x + width) if before else (x, x + width + 4 + text)
        row = next((row for row, end in enumerate(ends) if end + 4 <= left), len(ends))
        ends[row : row + 1] = [right]
        kind = "failed" if task.state is TaskState.FAILED else "critical" if task.name in critical else "other"
        title = f"{task.step} on {task.server}: {task.seconds(task.started):.1f} s"
        label_x, anchor = (x - 4, "end") if before else (x + width + 4, "start")
        bars.append(Bar(x, top + row * ROW, width, task.step, label_x, anchor, title, kind))
    return tuple(bars), len(ends)


def _marks(span: float, scale: float) -> Iterable[tuple[float, str]]:
    step = next((step for step in STEPS if span / step <= LINES), int(span // LINES) + 1)
    for number in range(int(span // step) + 1):
        seconds = number * step
        yield LEFT + seconds * scale, f"{seconds // 60}:{seconds % 60:02}"
