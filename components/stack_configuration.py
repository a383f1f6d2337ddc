"""Reads the stack's configuration from Pulumi; the rules are in `config/` and `runbook/`."""

from __future__ import annotations

from pathlib import Path

import pulumi
from pulumi.runtime.config import CONFIG, is_config_secret

from chef_push_jobs.config.settings import SettingsError
from chef_push_jobs.config.stack_files import Configuration
from chef_push_jobs.runbook.plan import StackPlan
from chef_push_jobs.runbook.stack import load_stack


def read_stack(root: Path) -> StackPlan:
    """The plan of the stack. Raises pulumi.RunError, which is shown without a stack trace, with every problem."""
    project, values = pulumi.get_project(), CONFIG.get()
    secrets = tuple(
        key.removeprefix(f"{project}:")
        for key in sorted(values)
        if key.startswith(f"{project}:") and is_config_secret(key)
    )
    try:
        return load_stack(Configuration(project, values, secrets), root)
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None
