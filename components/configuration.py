"""Reads the stack's configuration from Pulumi; the rules are in `settings.py`."""

from __future__ import annotations

from pathlib import Path

import pulumi
from pulumi.runtime.config import CONFIG

from components import repair
from components.settings import Settings, SettingsError, load


def read_settings(root: Path) -> Settings:
    """The stack's settings. Raises pulumi.RunError, which is shown without a stack trace, with every problem."""
    prefix = f"{pulumi.get_project()}:"
    raw = {key.removeprefix(prefix): value for key, value in CONFIG.get().items() if key.startswith(prefix)}
    try:
        return load(raw, root, repair.tasks)
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None
