"""Turns a stack's configuration into its plan, with every check: those of `config`, and those that need the runbooks.

Pure, except for files that settings name.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path

from chef_push_jobs.config import settings, stack_files
from chef_push_jobs.config.settings import Reading, SettingsError
from chef_push_jobs.config.stack_files import Configuration
from chef_push_jobs.model.problems import Problem
from chef_push_jobs.runbook.plan import StackPlan, adjustable, outline, plan


def load_stack(configuration: Configuration, root: Path, *, files: bool = True) -> StackPlan:
    """Paths are relative to `root`; without `files`, files there are not opened. Raises SettingsError."""
    return _checked(stack_files.read(configuration, root, files=files))


def load_settings(raw: Mapping[str, str], root: Path, *, files: bool = True) -> StackPlan:
    """Like `load_stack`, but from the project's own settings by name (JSON text for values that are not strings)."""
    return _checked(settings.read(raw, root, files=files))


def _checked(reading: Reading) -> StackPlan:
    problems = [*reading.problems, *_names(reading), *_time_limits(reading), *_repair(reading)]
    if problems or reading.settings is None:
        raise SettingsError(problems)
    return plan(reading.settings)


def _names(reading: Reading) -> Iterator[Problem]:
    """Two tasks with the same name would be one resource: step and server names can combine to the same text."""
    if reading.topology is None:
        return
    tasks = outline(
        reading.topology, existing=reading.existing, runs_chef_server_runbook=reading.runs_chef_server_runbook
    )
    servers: dict[str, set[str]] = {}
    for task in tasks:
        servers.setdefault(str(task), set()).add(task.server.name)
    same = {tuple(sorted(those)): name for name, those in servers.items() if len(those) > 1}
    for those, name in same.items():
        rule = f"two tasks must not have the same name, but {name} would name both"
        yield Problem("servers", f"names {' and '.join(those)}", rule, f"rename {max(those, key=len)}")


def _time_limits(reading: Reading) -> Iterator[Problem]:
    limits, known = reading.given.get("timeLimits"), adjustable()
    for step in limits if isinstance(limits, Mapping) else ():
        if step not in known:
            names = [f"'{name}'" for name in known]
            rule = f"it is one of {', '.join(names[:-1])} or {names[-1]}"
            yield Problem(f"timeLimits.{step}", f"'{step}'", rule, "choose one of them")


def _repair(reading: Reading) -> Iterator[Problem]:
    repair = reading.values.get("repair")
    if not isinstance(repair, dict) or not repair or reading.topology is None:
        return
    tasks = outline(
        reading.topology, existing=reading.existing, runs_chef_server_runbook=reading.runs_chef_server_runbook
    )
    known = [str(task) for task in tasks if task.step.adjustable]
    for name in repair:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=3)
            or_else = f"write {' or '.join(close)}" if close else "see `pulumi preview` for the tasks"
            remedy = f"remove it, or {or_else}"
            yield Problem(f"repair.{name}", "given", "this stack has no such task", remedy)
