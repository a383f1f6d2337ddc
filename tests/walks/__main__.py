"""Walks on the command line; needs root. A walk takes some minutes.

python -m tests.walks [--topology KIND] [--seeds FIRST-LAST | --seed N | --steps STEP …] [--resume] [--shrink]

Takes the walks of these seeds, or one that is given step by step, and writes the table of docs/reliability.md from
these and the kept results of earlier runs. Exit status 1 when one did not end as a fresh rollout does.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from tests.walks import results, walk
from tests.walks.model import LENGTH, TOPOLOGIES, Choice, generate, shrink
from tests.walks.walk import Result


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.walks", description=__doc__)
    parser.add_argument("--topology", choices=TOPOLOGIES, action="append", help="all of them without")
    parser.add_argument("--seeds", default="0-2", help="FIRST-LAST")
    parser.add_argument("--seed", type=int, help="one of them")
    parser.add_argument(
        "--length", type=int, default=LENGTH, help="steps of a walk; kept are those of the usual length"
    )
    parser.add_argument("--steps", nargs="+", type=Choice.parse, help="such as frontends:more rotate:new!engine@0.50")
    parser.add_argument("--list", action="store_true", help="show the steps of the walks, and take none")
    parser.add_argument("--resume", action="store_true", help="leave out those that an earlier run took to a good end")
    parser.add_argument("--shrink", action="store_true", help="shorten each that fails, by taking shorter ones")
    given = parser.parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    first, last = (given.seed, given.seed) if given.seed is not None else map(int, given.seeds.split("-"))
    seeds: Sequence[int | None] = [None] if given.steps else range(first, last + 1)
    done = {(each.topology, each.seed) for each in results.kept() if not each.problems} if given.resume else set()
    broken = 0
    for seed in seeds:
        for kind in given.topology or TOPOLOGIES:
            choices = tuple(given.steps or generate(kind, seed or 0, given.length))
            if given.list:
                print(kind, seed, *choices)
            elif (kind, seed) not in done:
                broken += not _take(kind, choices, seed, given.shrink, keep=given.length == LENGTH)
    if results.kept() and not given.list:
        results.write(results.kept())
        print(results.table(results.kept()))
    return 1 if broken else 0


def _take(kind: str, choices: tuple[Choice, ...], seed: int | None, shorten: bool, keep: bool) -> bool:
    """Whether it ended well."""
    print(f"{kind} {'' if seed is None else seed}: {' '.join(map(str, choices))}", flush=True)
    result = _once(kind, choices, seed)
    if keep:
        results.keep(result)
    verdict = "not as a fresh rollout" if result.problems else "as a fresh rollout"
    print(f"  ended {verdict} ({result.seconds:.0f} s)", flush=True)
    for problem in result.problems:
        print(f"    {problem}", flush=True)
    if result.problems and shorten:
        fewer = shrink(kind, choices, lambda left: bool(_once(kind, left, None).problems))
        print(f"  it still does so with: {' '.join(map(str, fewer))}", flush=True)
    return not result.problems


def _once(kind: str, choices: Sequence[Choice], seed: int | None) -> Result:
    with tempfile.TemporaryDirectory(prefix="walk-") as folder:
        return walk.run(kind, choices, Path(folder), lambda line: print(line, flush=True), seed)


def _end(number: int, _frame: object) -> NoReturn:
    """Also where a background job ignores Ctrl-C: what was started is removed."""
    raise KeyboardInterrupt(number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
