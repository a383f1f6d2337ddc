"""The command line of `chef-push-jobs docs`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chef_push_jobs.cli.common import WELL, project_root, tell
from chef_push_jobs.cli.docs.derived import derived


def docs(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FOLDER", help="Folder to write to; by default the project's folder."),
    ] = None,
) -> int:
    """Update the generated documents.

    These include the reference of the settings in docs/settings.md, their schema for editors in stacks/schema.json,
    and the plan of each stack in docs/examples.
    """
    root = project_root()
    for name, text in derived(root).items():
        file = (output or root) / name
        if not file.is_file() or file.read_text() != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            tell(f"written: {file}")
    return WELL
