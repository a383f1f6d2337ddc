"""The command line of `chef-push-jobs up`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from chef_push_jobs.cli.common import (
    NAME,
    PROBLEMS,
    WELL,
    CommandError,
    ConfigFileOption,
    StackOption,
    place,
    project_root,
    tell,
    write,
)
from chef_push_jobs.cli.up.screen import Screen
from chef_push_jobs.engine import history
from chef_push_jobs.engine import up as engine
from chef_push_jobs.engine.pulumi_cli import Pulumi, PulumiError, explain

CALLED = "CHEF_PUSH_JOBS_CALLED"  # how the user called this command, if not by its name


def up(
    stack: StackOption = None,
    config_file: ConfigFileOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Skip the preview and do not ask for confirmation.")] = False,
    events: Annotated[
        Path | None,
        typer.Option("--events", metavar="FILE", help="Where to keep the event log; by default in .rollouts/."),
    ] = None,
    passed: Annotated[
        list[str] | None, typer.Argument(metavar="-- PULUMI-OPTION…", help="Options of `pulumi up`.")
    ] = None,
) -> int:
    """Run `pulumi up` with a live table.

    The table shows what runs on which server; events are recorded for `chef-push-jobs report`. Without --yes it shows
    the preview first and asks for confirmation. Ctrl-C lets running tasks finish and starts no new ones.

    Exit status: 0 the update succeeded, or had nothing to do; 1 it failed, was interrupted or was declined; 2 Pulumi
    could not start.
    """
    if passed and not passed[0].startswith("-"):
        raise CommandError(
            f"unexpected argument {passed[0]}; name the stack with --stack, and put Pulumi's options after --"
        )
    pulumi = Pulumi(project_root())
    chosen = place(pulumi, stack, config_file)
    options = [*chosen.options, *(passed or [])]
    console = Console()
    if not yes and not _agreed(pulumi, chosen.stack, options, console):
        return PROBLEMS
    return _up(pulumi, chosen.stack, options, events, console)


def _agreed(pulumi: Pulumi, stack: str, options: Sequence[str], console: Console) -> bool:
    if not console.is_terminal:
        raise CommandError("this needs a terminal to ask for confirmation; use --yes instead")
    pulumi.require(stack)
    if pulumi.show("preview", *options):
        tell("nothing was changed, because the preview failed: fix what it names, then run up again")
        return False
    try:
        agreed = console.input("Type yes to apply these changes: ") == "yes"
    except (EOFError, KeyboardInterrupt):
        agreed = False
        tell("")
    if not agreed:
        tell("nothing was changed")
    return agreed


def _up(pulumi: Pulumi, stack: str, options: Sequence[str], events: Path | None, console: Console) -> int:
    earlier = history.last(pulumi.root, stack, passed_over=tell)
    whole = [one for one in earlier if one.result == "succeeded"]
    last = whole[-1].seconds(0) if whole else None
    file = events or history.new_file(pulumi.root, stack, datetime.now(UTC))
    with Screen(stack, console, history.usual(earlier), last) as screen:
        finished = engine.run(options, file, pulumi, screen.on_events, screen.on_stop)
    if finished.status and screen.rollout.started is None:
        file.unlink(missing_ok=True)
        raise PulumiError(f"`pulumi up` could not start: {explain(finished.said)}")
    screen.finish(finished.said)
    for one in _next(stack, file, bool(finished.status)):
        write(one, None)
    return PROBLEMS if finished.status else WELL


def _next(stack: str, file: Path, failed: bool) -> Iterator[str]:
    """The two commands to run next, as the user types them."""
    called, of_stack = os.environ.get(CALLED, NAME), shlex.join(["--stack", stack])
    if failed:
        yield f"fix what is named above, then continue from there: {called} up {of_stack}"
    else:
        yield f"check that all is well: {called} doctor {of_stack}"
    yield f"write its record as a page: {called} report {of_stack} {shlex.join(['--events', str(file)])}"
