"""python -m chef_push_jobs.cli.up [--stack STACK] [--config-file FILE] [--yes] [--keep FILE] [-- PULUMI-OPTION…]

`pulumi up`, with a table of what runs on which server while it does, and its events kept for
`chef_push_jobs.cli.report`.
Without --yes it shows the preview and asks. Ctrl-C reaches the engine once: it ends what runs, and begins nothing new.
Exit status: pulumi's.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from chef_push_jobs.cli.up.screen import Screen
from chef_push_jobs.engine import history, up

ROOT = Path(__file__).parents[3]


def main(arguments: Sequence[str]) -> int:
    options = argparse.ArgumentParser(prog="python -m chef_push_jobs.cli.up", description=__doc__.split("\n\n", 1)[1])
    options.add_argument("--stack", help="the stack; by default the selected one")
    options.add_argument("--config-file", help="its settings, where they are in another place")
    options.add_argument("--yes", action="store_true", help="do it without a preview and a question")
    options.add_argument("--keep", type=Path, help="where its events are kept; by default below .rollouts/")
    own, passed = (list(part) for part in _split(arguments))
    given = options.parse_args(own)
    console = Console()
    try:
        stack = given.stack or _selected()
        chosen = ["--stack", stack, *(["--config-file", given.config_file] if given.config_file else []), *passed]
        if not given.yes and not _agreed(chosen, console):
            return 1
        return _up(stack, chosen, given.keep, console)
    except FileNotFoundError:
        print("error: there is no pulumi on PATH; install it: https://www.pulumi.com/docs/install/", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError:
        return 2  # pulumi has said why


def _split(arguments: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:at], arguments[at + 1 :]


def _selected() -> str:
    done = subprocess.run(["pulumi", "stack", "--show-name"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def _agreed(chosen: Sequence[str], console: Console) -> bool:
    if not console.is_terminal:
        print("error: nobody can be asked here; give --yes", file=sys.stderr)
        return False
    if subprocess.run(["pulumi", "preview", *chosen], cwd=ROOT, check=False).returncode:
        return False
    return console.input("Do it? Only 'yes' is a yes: ") == "yes"


def _up(stack: str, chosen: Sequence[str], keep: Path | None, console: Console) -> int:
    earlier = history.last(ROOT, stack)
    whole = [one for one in earlier if one.result == "succeeded"]
    last = whole[-1].seconds(0) if whole else None
    file = keep or history.new_file(ROOT, stack, datetime.now(UTC))
    with Screen(stack, console, history.usual(earlier), last) as screen:
        finished = up.run(chosen, file, ROOT, screen.on_events, screen.on_stop)
    screen.finish(finished.said)
    console.print(
        f"the record of it: python -m chef_push_jobs.cli.report --stack {stack} --events {file}", soft_wrap=True
    )
    return finished.status if finished.status >= 0 else 128 - finished.status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
