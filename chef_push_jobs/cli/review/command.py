"""The command line of `chef-push-jobs review`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from chef_push_jobs.cli.common import (
    PROBLEMS,
    STDOUT,
    WELL,
    CommandError,
    ConfigFileOption,
    OutputOption,
    StackOption,
    place,
    project_root,
    read,
    write,
)
from chef_push_jobs.cli.review.comment import comment, failed
from chef_push_jobs.cli.review.preview_review import review_of
from chef_push_jobs.config.stack_files import StackFileError
from chef_push_jobs.engine.preview import PreviewError, parse_preview
from chef_push_jobs.engine.pulumi_cli import Pulumi, PulumiError
from chef_push_jobs.engine.stack_history import last_success, parse_history

UPDATES = "50"  # entries of the history that are searched for a successful update


def review(  # noqa: PLR0917 - options of a command line
    stack: StackOption = None,
    config_file: ConfigFileOption = None,
    preview_file: Annotated[
        Path | None,
        typer.Option("--preview", metavar="FILE", help="Output of `pulumi preview --json` (- for standard input)."),
    ] = None,
    policies: Annotated[
        Path | None,
        typer.Option("--policies", metavar="FILE", help="Output of `pulumi preview --policy-pack policy`."),
    ] = None,
    history_file: Annotated[
        Path | None,
        typer.Option(
            "--history", metavar="FILE", help="Output of `pulumi stack history --json`; by default asked for."
        ),
    ] = None,
    output: OutputOption = None,
) -> int:
    """Show what a change would do, for a reviewer.

    Writes Markdown for a comment on a pull request. Runs a preview, unless --preview names one, and changes nothing.
    If the preview fails, the comment in the file of --output says so.
    """
    try:
        text = read(preview_file) if preview_file else _preview(stack, config_file)
        parsed = parse_preview(text)
        name, warned = stack or parsed.stack or "", policies.read_text() if policies else ""
        if parsed.errors:
            rendered = failed(name, parsed.errors)
        else:
            rendered = comment(review_of(text, stack, _before(history_file, name)), warned)
    except (PreviewError, PulumiError) as error:
        if output not in (None, STDOUT):
            write(failed(stack or "", [str(error)]), output)
        raise
    write(rendered, output)
    return PROBLEMS if parsed.errors else WELL


def _preview(stack: str | None, config_file: Path | None) -> str:
    pulumi = Pulumi(project_root())
    return pulumi.preview(place(pulumi, stack, config_file))


def _before(history_file: Path | None, stack: str) -> Mapping[str, str] | None:
    """The configuration at the last successful update; None if it is not available."""
    try:
        history = read(history_file) if history_file else _history(stack)
    except (PulumiError, StackFileError):
        return None
    try:
        update = last_success(parse_history(history))
    except ValueError as error:
        raise CommandError(f"{history_file or 'pulumi stack history'}: {error}") from None
    return update.values if update else None


def _history(stack: str) -> str:
    return Pulumi(project_root()).run("stack", "history", "--json", "--page-size", UPDATES, "--stack", stack)
