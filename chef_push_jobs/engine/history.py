"""The rollouts of a stack that `chef-push-jobs up` recorded: one file each, named after its start (UTC)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import median

from chef_push_jobs.engine.event_log import read_events
from chef_push_jobs.engine.progress import RolloutProgress, TaskState, rollout

LAST = 5  # number of rollouts that durations are compared with
FORMAT = "%Y%m%dT%H%M%SZ"


def folder(root: Path, stack: str) -> Path:
    return root / ".rollouts" / stack


def new_file(root: Path, stack: str, now: datetime) -> Path:
    """A name that sorts by time."""
    return folder(root, stack) / f"{now.astimezone(UTC).strftime(FORMAT)}.jsonl"


def files(root: Path, stack: str) -> list[Path]:
    """Oldest first."""
    return sorted(folder(root, stack).glob("*.jsonl"))


def load(file: Path) -> RolloutProgress:
    """Ignores an incomplete last line. Raises ValueError for a file that is not an event log."""
    with file.open() as lines:
        return rollout(read_events(line for line in lines if line.endswith("\n")))


def _readable(root: Path, stack: str, passed_over: Callable[[str], None]) -> Iterator[tuple[Path, RolloutProgress]]:
    """Newest first, only rollouts that did something: a run that was refused is not one."""
    for file in reversed(files(root, stack)):
        try:
            one = load(file)
        except (ValueError, OSError) as error:
            passed_over(f"{file} is damaged and was skipped: {error}")
            continue
        if one.tasks and one.started is not None:
            yield file, one


def newest(root: Path, stack: str, passed_over: Callable[[str], None]) -> Path | None:
    """The file of the last rollout. Calls `passed_over` for each damaged file."""
    return next((file for file, _ in _readable(root, stack, passed_over)), None)


def last(
    root: Path, stack: str, before: float = math.inf, passed_over: Callable[[str], None] = lambda said: None
) -> list[RolloutProgress]:
    """The rollouts that began before this Unix time, oldest first, at most as many as are compared.

    Calls `passed_over` for each damaged file.
    """
    rollouts = (one for _, one in _readable(root, stack, passed_over) if (one.started or 0) < before)
    return list(islice(rollouts, LAST))[::-1]


def usual(rollouts: Iterable[RolloutProgress]) -> Mapping[str, float]:
    """By name of a task, the median of its seconds in the last rollouts that did it."""
    taken: dict[str, list[float]] = {}
    for one in rollouts:
        for task in one.tasks.values():
            if task.state is TaskState.DONE and task.ended is not None:
                taken.setdefault(task.name, []).append(task.seconds(task.ended))
    return {name: median(found) for name, found in taken.items()}
