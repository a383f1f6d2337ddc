"""python -m chef_push_jobs.cli.report [--stack STACK] [--events FILE] [--history FILE] [-o report.html]

Writes the record of a rollout as one HTML page: of the last one that `python -m chef_push_jobs.cli.up` kept, or of
an event log
(also one of the engine's own). Asks Pulumi for the stack's history, or takes the output of `pulumi stack history
--json` from a file. Exit status: 0, or 2 where there is no rollout to tell of.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from chef_push_jobs.cli.report.page import page
from chef_push_jobs.cli.report.record import record
from chef_push_jobs.engine import history
from chef_push_jobs.engine.stack_history import parse_history

ROOT = Path(__file__).parents[3]


def main(arguments: Sequence[str]) -> int:
    options = argparse.ArgumentParser(
        prog="python -m chef_push_jobs.cli.report", description=__doc__.split("\n\n", 1)[1]
    )
    options.add_argument("--stack", help="the stack; by default the selected one")
    options.add_argument("--events", type=Path, help="the event log; by default the last one that was kept")
    options.add_argument("--history", type=Path, help="a file with the output of `pulumi stack history --json`")
    options.add_argument("-o", "--output", type=Path, default=Path("report.html"), help="where to write (report.html)")
    given = options.parse_args(arguments)
    try:
        stack = given.stack or _pulumi("stack", "--show-name").strip()
        kept = history.files(ROOT, stack)
        if not given.events and not kept:
            raise ValueError(
                f"no rollout of stack {stack} was kept; make one with python -m chef_push_jobs.cli.up, or give --events"
            )
        file = given.events or kept[-1]
        rollout = history.load(file)
        before = history.last(ROOT, stack, before=rollout.started or 0)
        told = given.history.read_text() if given.history else _pulumi("stack", "history", "--json", "--stack", stack)
        given.output.write_text(page(record(stack, rollout, before, parse_history(told))))
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"written: {given.output}")
    return 0


def _pulumi(*arguments: str) -> str:
    done = subprocess.run(["pulumi", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
