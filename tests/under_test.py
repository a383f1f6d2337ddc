"""The engine and the plugins that contract, e2e and fault tests run on: as the sandbox chooses them.

SANDBOX_PLUGINS=official tests the official ones, a path in SANDBOX_COMMAND_PLUGIN and the like a certain one: see
`sandbox.operator.plugins`. The end of pytest's output says what it was.
"""

from __future__ import annotations

import functools

import pytest

from sandbox.operator import engine
from sandbox.operator.engine import Engine
from sandbox.operator.plugins import Chosen, Plugin


@functools.cache
def chosen_engine() -> Engine:
    """Raises EngineError where there is none yet: `scripts/test` gets one."""
    return engine.find()


def chosen(plugin: Plugin) -> Chosen:
    return next(each for each in chosen_engine().plugins if each.plugin == plugin)


def path(plugin: Plugin) -> str:
    """Its executable."""
    return str(chosen(plugin).path)


def stand_in_only(plugin: Plugin) -> pytest.MarkDecorator:
    """For a test of what the stand-in does on purpose otherwise: stricter, or quicker."""
    why = f"{plugin.file} is no stand-in, and this is where the stand-in differs on purpose"
    return pytest.mark.skipif(not chosen(plugin).stand_in, reason=why)
