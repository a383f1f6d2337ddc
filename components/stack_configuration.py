"""Reads the stack's configuration from Pulumi; the rules are in `settings.py`."""

from __future__ import annotations

from pathlib import Path

import pulumi
from pulumi.runtime.config import CONFIG, is_config_secret

from chef_push_jobs.config.settings import Settings, SettingsError
from chef_push_jobs.config.stack_files import Configuration, settings


def read_settings(root: Path) -> Settings:
    """The stack's settings. Raises pulumi.RunError, which is shown without a stack trace, with every problem."""
    project, values = pulumi.get_project(), CONFIG.get()
    secrets = tuple(
        key.removeprefix(f"{project}:")
        for key in sorted(values)
        if key.startswith(f"{project}:") and is_config_secret(key)
    )
    try:
        return settings(Configuration(project, values, secrets), root)
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None
