"""The command line of `chef-push-jobs report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chef_push_jobs.cli.common import WELL, CommandError, StackOption, place, project_root, tell, write
from chef_push_jobs.cli.report.page import page
from chef_push_jobs.cli.report.record import record
from chef_push_jobs.engine import history
from chef_push_jobs.engine.pulumi_cli import Pulumi
from chef_push_jobs.engine.stack_history import parse_history


def report(
    stack: StackOption = None,
    events: Annotated[
        Path | None,
        typer.Option(
            "--events",
            metavar="FILE",
            help="The event log, from chef-push-jobs up or from Pulumi; by default the last one.",
        ),
    ] = None,
    history_file: Annotated[
        Path | None,
        typer.Option(
            "--history", metavar="FILE", help="Output of `pulumi stack history --json`; by default this is run."
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="File to write to; - means standard output.")
    ] = Path("report.html"),
) -> int:
    """Write the record of a rollout as an HTML page.

    By default this is the last rollout that `chef-push-jobs up` recorded.
    """
    root = project_root()
    pulumi = Pulumi(root)
    name = place(pulumi, stack, None).stack
    file = events or history.newest(root, name, passed_over=tell)
    if file is None:
        pulumi.require(name)
        raise CommandError(
            f"there is no record of a rollout of stack {name}; run chef-push-jobs up, or name one with --events"
        )
    updates_json = (
        history_file.read_text() if history_file else pulumi.run("stack", "history", "--json", "--stack", name)
    )
    try:
        rollout = history.load(file)
        before = history.last(root, name, before=rollout.started or 0, passed_over=tell)
        updates = parse_history(updates_json)
    except ValueError as error:
        raise CommandError(f"{file}: {error}; use an event log of `chef-push-jobs up` or of Pulumi") from None
    write(page(record(name, rollout, before, updates)), output)
    return WELL
