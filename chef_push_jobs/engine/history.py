"""The rollouts of a stack that were kept, by `chef-push-jobs up`: a file each, named by when it
began (UTC).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import median

from chef_push_jobs.engine.event_log import read_events
from chef_push_jobs.engine.progress import RolloutProgress, TaskState, rollout

LAST = 5  # rollouts that durations are compared with
FORMAT = "%Y%m%dT%H%M%SZ"


def folder(root: Path, stack: str) -> Path:
    return root / ".rollouts" / stack


def new_file(root: Path, stack: str, now: datetime) -> Path:
    """Its name sorts by time."""
    return folder(root, stack) / f"{now.astimezone(UTC).strftime(FORMAT)}.jsonl"


def files(root: Path, stack: str) -> list[Path]:
    """Oldest first."""
    return sorted(folder(root, stack).glob("*.jsonl"))


def load(file: Path) -> RolloutProgress:
    """A last line that was cut off is left out. Raises ValueError for what is no event log."""
    with file.open() as lines:
        return rollout(read_events(line for line in lines if line.endswith("\n")))


def _readable(root: Path, stack: str, passed_over: Callable[[str], None]) -> Iterator[tuple[Path, RolloutProgress]]:
    """Newest first, those in which anything was done: a run that was refused is no rollout."""
    for file in reversed(files(root, stack)):
        try:
            one = load(file)
        except (ValueError, OSError) as error:
            passed_over(f"{file} is damaged and was skipped: {error}")
            continue
        if one.tasks and one.started is not None:
            yield file, one


def newest(root: Path, stack: str, passed_over: Callable[[str], None]) -> Path | None:
    """The file of the last rollout; `passed_over` is called for each file that is damaged."""
    return next((file for file, _ in _readable(root, stack, passed_over)), None)


def last(
    root: Path, stack: str, before: float = math.inf, passed_over: Callable[[str], None] = lambda said: None
) -> list[RolloutProgress]:
    """Those that began before that Unix time, oldest first; no more of them than anything is compared with.

    `passed_over` is called for each file that is damaged.
    """
    rollouts = (one for _, one in _readable(root, stack, passed_over) if (one.started or 0) < before)
    return list(islice(rollouts, LAST))[::-1]


def usual(rollouts: Iterable[RolloutProgress]) -> Mapping[str, float]:
    """By name of a task, the median of the seconds that it took in the last rollouts, where it was done."""
    taken: dict[str, list[float]] = {}
    for one in rollouts:
        for task in one.tasks.values():
            if task.state is TaskState.DONE and task.ended is not None:
                taken.setdefault(task.name, []).append(task.seconds(task.ended))
    return {name: median(found) for name, found in taken.items()}
