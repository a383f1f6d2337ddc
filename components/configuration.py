"""Reads the stack's configuration from Pulumi; the rules are in `settings.py`."""

from __future__ import annotations

from pathlib import Path

import pulumi
from pulumi.runtime.config import CONFIG

from components.settings import Settings, SettingsError
from components.stacks import Configuration, settings


def read_settings(root: Path) -> Settings:
    """The stack's settings. Raises pulumi.RunError, which is shown without a stack trace, with every problem."""
    try:
        return settings(Configuration(pulumi.get_project(), CONFIG.get()), root)
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None
