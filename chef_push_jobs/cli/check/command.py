"""The command line of `chef-push-jobs check`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from chef_push_jobs.cli.check import explained
from chef_push_jobs.cli.common import (
    PROBLEMS,
    WELL,
    ConfigFileOption,
    OutputOption,
    StackOption,
    place,
    project_root,
    tell,
    write,
)
from chef_push_jobs.config import stack_files
from chef_push_jobs.config.explanation import explain
from chef_push_jobs.config.settings import SettingsError
from chef_push_jobs.engine.pulumi_cli import Pulumi
from chef_push_jobs.model.problems import Problem, report
from chef_push_jobs.runbook.stack import load_stack


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"


def check(
    stack: StackOption = None,
    config_file: ConfigFileOption = None,
    form: Annotated[Format, typer.Option("--format", help="Output format.")] = Format.TEXT,
    output: OutputOption = None,
) -> int:
    """Show a stack's settings and all mistakes in them.

    Shows each setting with its value and where that comes from. Reads only the stack file: contacts no cloud and no
    server, and does not decrypt secrets.
    """
    root = project_root()
    name = place(Pulumi(root), stack, config_file).stack
    configuration = stack_files.read_configuration(name, root, config_file)
    try:
        load_stack(configuration, root)
        problems: tuple[Problem, ...] = ()
    except SettingsError as error:
        problems = error.problems
    found = explain(name, configuration, problems)
    if form is Format.JSON:
        write(explained.as_json(found), output)
    else:
        write(explained.as_text(found), output)
        if found.problems:
            tell(f"\n{report(found.problems)}")
    return PROBLEMS if found.problems else WELL
