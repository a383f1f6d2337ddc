"""The whole matrix: every task of a rollout by every fault, on one cluster a lane."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path
from queue import Empty, SimpleQueue

from chef_push_jobs.runbook.plan import TaskId
from tests.faults import cells
from tests.faults.cells import Result
from tests.faults.faults import FAULTS, Fault
from tests.faults.lane import Lane, lane

Cell = tuple[TaskId, Fault]


def all_cells(plan: Sequence[TaskId]) -> list[Cell]:
    """Steps before servers, so that a run that is cut short has seen every kind of step and every fault."""
    seen: dict[tuple[str, str], int] = {}
    ordered = []
    for task in plan:
        turn = seen[task.runbook, task.step] = seen.get((task.runbook, task.step), -1) + 1
        ordered += [(turn, task, fault) for fault in FAULTS if cells.applies(task, fault)]
    return [(task, fault) for _, task, fault in sorted(ordered, key=lambda cell: cell[0])]


def name(cell: Cell) -> str:
    return f"{cell[0]}:{cell[1].name}"


def chosen(cell: str, only: Sequence[str]) -> bool:
    return not only or any(fnmatch(cell, pattern) for pattern in only)


def run(
    folder: Path, lanes: int, only: Sequence[str], tell: Callable[[Result, float], None], done: Container[str] = ()
) -> None:
    """Each result is told as it is there; cells named in `done` are left out. A lane that a cell broke is made anew."""
    left: SimpleQueue[Cell] = SimpleQueue()
    with lane(folder / "plan") as first:
        first.up()
        first.learn()
        for cell in all_cells(first.plan):
            if chosen(name(cell), only) and name(cell) not in done:
                left.put(cell)
        with ThreadPoolExecutor(lanes) as pool:
            others = [pool.submit(_lane, folder / f"lane-{n}", left, tell) for n in range(1, lanes)]
            try:
                if _work(first, left, tell):
                    others.append(pool.submit(_lane, folder / "lane-0", left, tell))
                for other in others:
                    other.result()
            finally:
                list(_taken(left))  # when it is ended from outside, the lanes end after the cell that they are at


def _lane(folder: Path, left: SimpleQueue[Cell], tell: Callable[[Result, float], None]) -> None:
    while not left.empty():
        with lane(folder) as own:
            own.up()
            own.learn()
            _work(own, left, tell)


def _work(own: Lane, left: SimpleQueue[Cell], tell: Callable[[Result, float], None]) -> bool:
    """Until nothing is left, or a cell broke the lane: then true."""
    for task, fault in _taken(left):
        begun = time.monotonic()
        try:
            result = cells.run(own, task, fault)
        except Exception as error:  # whatever it is, the other cells are still to be run
            result = Result(str(task), task.step, fault.name, [f"{type(error).__name__}: {error}"])
        tell(result, time.monotonic() - begun)
        if result.problems:
            return True
    return False


def _taken(left: SimpleQueue[Cell]) -> Iterator[Cell]:
    while True:
        try:
            yield left.get_nowait()
        except Empty:
            return
