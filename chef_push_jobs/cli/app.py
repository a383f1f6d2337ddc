"""`chef-push-jobs`: all subcommands, and the one place where an error becomes a line and an exit status."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from chef_push_jobs import __version__
from chef_push_jobs.cli.check.command import check
from chef_push_jobs.cli.common import NAME, NOT_BEGUN, CommandError, tell
from chef_push_jobs.cli.docs.command import docs
from chef_push_jobs.cli.doctor.command import doctor
from chef_push_jobs.cli.plan.command import plan
from chef_push_jobs.cli.report.command import report
from chef_push_jobs.cli.review.command import review
from chef_push_jobs.cli.up.command import up
from chef_push_jobs.config.settings import SettingsError
from chef_push_jobs.config.stack_files import StackFileError
from chef_push_jobs.engine.preview import PreviewError
from chef_push_jobs.engine.pulumi_cli import PulumiError
from chef_push_jobs.engine.stack_state import StackError

DEBUG = "--debug"
# Their text says what to do.
EXPECTED = (CommandError, PreviewError, PulumiError, SettingsError, StackError, StackFileError, UnicodeDecodeError)

REMEDIES: Mapping[type[OSError], str] = {
    PermissionError: "let yourself read and write it, or work as whoever it belongs to",
    FileNotFoundError: "see that the path is right",
    IsADirectoryError: "name a file",
    NotADirectoryError: "see that the path is right",
}

app = typer.Typer(
    help="Plan, roll out and check push jobs on a Chef server cluster. Run it in the folder of the Pulumi project.",
    epilog="Exit status: 0 all is well; 1 there are problems; 2 the command could not start.",
    rich_markup_mode=None,
)
for subcommand in (check, plan, review, up, report, doctor, docs):
    app.command()(subcommand)

INTERRUPTED = 130  # typer's exit status for Ctrl-C, which is a shell's


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line (by default, this process's) and returns its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = DEBUG in _own(words)
    if debug:
        words.remove(DEBUG)
    try:
        status = typer.main.get_command(app).main(words or ["--help"], prog_name=NAME, standalone_mode=False)
        if status == INTERRUPTED:
            tell("interrupted")
        return int(status or 0) if words else NOT_BEGUN
    except TyperException as error:
        # typer's own words about an invalid choice are not a sentence.
        message = error.format_message().replace(": Value error, ", ": ").removesuffix(".")
        _tell(f"{message}; see {NAME} --help")
    except EXPECTED as error:
        _tell(str(error))
    except OSError as error:
        message = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        remedy = REMEDIES.get(type(error), "")
        _tell(f"{message}; {remedy}" if remedy else message)
    except Exception as error:
        _tell(_fault(error, debug))
    return NOT_BEGUN


def _version(asked: bool) -> None:
    if asked:
        print(f"{NAME} {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_version)
    ] = False,
    debug: Annotated[
        bool, typer.Option(DEBUG, help="Show the traceback if this program has a bug. Works in any position.")
    ] = False,
) -> None:
    pass


def _own(words: Sequence[str]) -> Sequence[str]:
    """The arguments before `--`; those after it are for Pulumi."""
    return words[: words.index("--")] if "--" in words else words


def _tell(text: str) -> None:
    tell(f"error: {text}")


def _fault(error: Exception, debug: bool) -> str:
    """Reports an unexpected error.

    Prints its traceback to standard error, or writes it to a file that only its owner reads.
    """
    if debug:
        tell("".join(traceback.format_exception(error)).rstrip())
        return f"{type(error).__name__}: a bug in {NAME}; please report it, with the lines above"
    handle, name = tempfile.mkstemp(prefix=f"{NAME}-", suffix=".log")
    with os.fdopen(handle, "w") as log:
        traceback.print_exception(error, file=log)
    return f"{type(error).__name__}: a bug in {NAME}; please report it, with the traceback in {Path(name)}"
