"""The command line of `chef-push-jobs review`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chef_push_jobs.cli.common import (
    PROBLEMS,
    STDOUT,
    WELL,
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
from chef_push_jobs.engine.preview import PreviewError, parse_preview
from chef_push_jobs.engine.pulumi_cli import Pulumi, PulumiError


def review(
    stack: StackOption = None,
    config_file: ConfigFileOption = None,
    preview_file: Annotated[
        Path | None,
        typer.Option("--preview", metavar="FILE", help="Output of `pulumi preview --json`, - for standard input."),
    ] = None,
    policies: Annotated[
        Path | None,
        typer.Option("--policies", metavar="FILE", help="Output of `pulumi preview --policy-pack policy`."),
    ] = None,
    output: OutputOption = None,
) -> int:
    """Write what a change would do, for its reviewer.

    It is Markdown for a comment on a pull request. Makes a preview, unless it is given one, and changes nothing.
    Where the preview failed, or could not be made, the comment in the file of --output says so.
    """
    try:
        text = read(preview_file) if preview_file else _preview(stack, config_file)
        errors = parse_preview(text).errors
        warned = policies.read_text() if policies else ""
        rendered = failed(stack or "", errors) if errors else comment(review_of(text, stack), warned)
    except (PreviewError, PulumiError) as error:
        if output not in (None, STDOUT):
            write(failed(stack or "", [str(error)]), output)
        raise
    write(rendered, output)
    return PROBLEMS if errors else WELL


def _preview(stack: str | None, config_file: Path | None) -> str:
    pulumi = Pulumi(project_root())
    return pulumi.preview(place(pulumi, stack, config_file))
