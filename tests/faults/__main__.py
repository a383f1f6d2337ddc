"""The fault matrix on the command line; needs root. A whole run takes an hour or two.

python -m tests.faults [--lanes N] [--only TASK:FAULT …] [--resume]

Runs every cell, or those that match (for example '*-copy-*:reboot', 'first-rollout:*'), and writes the table of
docs/reliability.md from these and the kept results of earlier runs. Exit status 1 when a cell did not recover.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn

from tests.faults import first, matrix, report
from tests.faults.cells import Result
from tests.faults.faults import FAULTS


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--lanes", type=int, default=1, help="clusters side by side")
    parser.add_argument("--only", nargs="*", default=[], help="cells to run, as patterns")
    parser.add_argument("--resume", action="store_true", help="leave out the cells that recovered in an earlier run")
    given = parser.parse_args(arguments)
    broken = 0
    done = {f"{kept.task}:{kept.fault}" for kept in report.kept() if not kept.problems} if given.resume else set()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)

    def tell(result: Result, seconds: float) -> None:
        nonlocal broken
        broken += bool(result.problems)
        report.keep(result)
        verdict = "did NOT recover" if result.problems else "recovered"
        print(f"{result.task}:{result.fault} {verdict} ({seconds:.0f} s)", flush=True)
        for problem in result.problems:
            print(f"    {problem}", flush=True)

    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        matrix.run(Path(folder), given.lanes, given.only, tell, done)
        for fault in FAULTS:
            if matrix.chosen(cell := f"{first.NAME}:{fault.name}", given.only) and cell not in done:
                begun = time.monotonic()
                tell(first.run(Path(folder) / fault.name, fault.name), time.monotonic() - begun)
    report.write(report.kept())
    print(report.table(report.kept()))
    return 1 if broken else 0


def _end(number: int, _frame: object) -> NoReturn:
    """Also where a background job ignores Ctrl-C: what was started is removed."""
    raise KeyboardInterrupt(number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
