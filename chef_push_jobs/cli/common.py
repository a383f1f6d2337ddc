"""What all subcommands share: options with one name and one meaning, exit statuses, the project, where output goes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from chef_push_jobs.config import stack_files
from chef_push_jobs.config.stack_files import StackFileError
from chef_push_jobs.engine.pulumi_cli import Place, Pulumi
from chef_push_jobs.model.shown import visible

WELL, PROBLEMS, NOT_BEGUN = 0, 1, 2
STDOUT = Path("-")
NAME = "chef-push-jobs"


class CommandError(Exception):
    """Why a subcommand cannot start, and what to do, in one line."""


def project_root() -> Path:
    """The project directory that contains the current directory. Raises StackFileError."""
    return stack_files.find_root(Path.cwd())


def stack_names(typed: str) -> list[str]:
    """For completion: the stacks that have a file in this project."""
    try:
        return [name for name in stack_files.names(project_root()) if name.startswith(typed)]
    except (StackFileError, OSError):
        return []


StackOption = Annotated[
    str | None,
    typer.Option(
        "--stack",
        metavar="NAME",
        help="The stack; by default the one that is selected in Pulumi.",
        autocompletion=stack_names,
    ),
]
ConfigFileOption = Annotated[
    Path | None,
    typer.Option("--config-file", metavar="FILE", help="The stack's settings file, if it is not the usual one."),
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="File to write to; by default, or with -, standard output."),
]


def place(pulumi: Pulumi, stack: str | None, config_file: Path | None) -> Place:
    """The selected stack, or the one named, with its settings file. Raises PulumiError if there is neither."""
    return Place(stack or pulumi.selected_stack(), str(config_file.resolve()) if config_file else None)


def read(file: Path) -> str:
    """The content of a file, or of standard input for `-`."""
    try:
        return sys.stdin.read() if file == STDOUT else file.read_text()
    except UnicodeDecodeError:
        raise CommandError(f"{file} is not UTF-8 text; use the file that the command wrote") from None


def write(text: str, output: Path | None) -> None:
    """Writes to a file, and prints its name on standard error; or writes to standard output."""
    shown = visible(text if text.endswith("\n") else f"{text}\n")
    if output is None or output == STDOUT:
        sys.stdout.write(shown)
        sys.stdout.flush()
    else:
        output.write_text(shown)
        tell(f"written: {output}")


def tell(text: str) -> None:
    """Prints to standard error."""
    print(visible(text), file=sys.stderr)
