"""Measures, and writes bench/RESULTS.md.

`python -m bench [NAME …]` measures the named parts, or all. Needs root and about 5 hours. What is already in
bench/results.jsonl is not measured again; `fresh` deletes it first. With `quick`, nothing is measured more than twice;
the next run without it does the rest.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import changes, contenders, previews, renewals, sandboxes
from bench.measure import Run
from bench.report import write
from bench.results import FILE, Results, Row
from bench.rollouts import Site, figures_of, measured, site
from bench.targets import ENVIRONMENT, IDEAL, OURS, ROLLOUT
from sandbox.helped import help_if_asked

ALL = (OURS, IDEAL, *(each.name for each in contenders.ALL if each.available()))
# Number of servers: durations of steps, and the number of runs of each contender.
ROLLOUTS: Mapping[int, Mapping[str, int]] = {
    4: {"none": 5, "5s": 5, "mixed": 5},
    20: {"none": 5, "5s": 3, "mixed": 5},
    60: {"none": 3, "5s": 3, "mixed": 3},
}
ENVIRONMENTS: Mapping[int, int] = {4: 5, 20: 3}  # number of servers: runs of each contender, with people's durations
PARTS = ("changes", "renewal", "previews", "sandbox")  # what is measured besides those
SECOND = 5  # runs that change nothing
MOST, QUICK = 5, 2
PREVIEWS = {100: 3, 300: 3, 1000: 3}


@dataclass(frozen=True)
class Cell:
    """What is measured `times` times of each contender: `what` and `durations` as in `Row`."""

    what: str
    servers: int
    durations: str
    times: int
    whos: Sequence[str] = ALL


CELLS: Mapping[str, Cell] = {
    **{
        f"{count}-{kind}": Cell(ROLLOUT, count, kind, times)
        for count, kinds in ROLLOUTS.items()
        for kind, times in kinds.items()
    },
    **{
        f"people-{count}": Cell(ENVIRONMENT, count, "people", times, [who for who in ALL if who != "shell"])
        for count, times in ENVIRONMENTS.items()
    },
}


def rollouts(results: Results, folder: Path, wanted: Sequence[Cell], most: int) -> None:
    for what, count in dict.fromkeys((cell.what, cell.servers) for cell in wanted):
        cells = [cell for cell in wanted if (cell.what, cell.servers) == (what, count)]
        with site(what, count, folder / f"{what}{count}") as made:
            results.add(Row("boot", "sandbox", count, "none", {"wall s": round(made.farm.boot_seconds, 3)}))
            for cell in cells:
                measured(results, made, cell.durations, cell.whos, min(cell.times, most))
            if what == ROLLOUT and "none" in {cell.durations for cell in cells}:
                second(results, made, min(SECOND, most))


def second(results: Results, made: Site, times: int) -> None:
    """The cost of a preview or an update when nothing has changed."""
    count, ansible = len(made.farm.places), contenders.ALL[0]
    if len(results.of("no-op preview", OURS, count)) >= times:
        return
    made.rollout(OURS, "none")
    kinds: Mapping[str, tuple[str, Callable[[], Run]]] = {
        "no-op preview": (OURS, made.ours.preview),
        "no-op up": (OURS, made.ours.up),
        "check": (ansible.name, lambda: made.check(ansible)),
    }
    for _ in range(times):
        for what, (who, look) in kinds.items():
            before = made.farm.connections()
            run = look()
            connections = sum(made.farm.connections().values()) - sum(before.values())
            results.add(Row(what, who, count, "none", {**figures_of(run), "connections": connections}))


def looks(results: Results, folder: Path, most: int) -> None:
    for count, times in PREVIEWS.items():
        with previews.stack(count, folder / f"preview{count}") as ours:
            for _ in range(min(times, most) - len(results.of("first preview", "pulumi preview", count))):
                results.add(previews.first(ours))
                results.add(previews.planning(ours))


def main(words: Sequence[str]) -> int:
    unknown = set(words) - CELLS.keys() - {"fresh", "quick", *PARTS, "report"}
    if unknown:
        choice = ", ".join([*CELLS, *PARTS, "report"])
        print(f"{__doc__}\nunknown: {', '.join(sorted(unknown))}; NAME is one of {choice}", file=sys.stderr)
        return 2
    if "fresh" in words:
        FILE.unlink(missing_ok=True)
    names = [word for word in words if word not in ("fresh", "quick")] or [*CELLS, *PARTS]
    results, most = Results(), QUICK if "quick" in words else MOST
    with TemporaryDirectory() as folder:
        rollouts(results, Path(folder), [CELLS[name] for name in names if name in CELLS], most)
        if "changes" in names:
            changes.measured(results, Path(folder), most)
        if "renewal" in names:
            renewals.measured(results, Path(folder), most)
        if "previews" in names:
            looks(results, Path(folder), most)
        if "sandbox" in names:
            sandboxes.measured(results, Path(folder))
    write(results)
    return 0


if __name__ == "__main__":
    help_if_asked(__doc__)
    sys.exit(main(sys.argv[1:]))
