"""What all tests share: hypothesis without a clock, the same examples in every run of CI, and the need for root."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from sandbox.operator import environments
from sandbox.operator.plugins import EngineError
from tests import under_test

WHY = "these tests make network namespaces and mounts, so they need root: run scripts/test with sudo"

settings.register_profile("project", deadline=None, max_examples=40, derandomize="CI" in os.environ)
settings.load_profile("project")


def pytest_configure() -> None:
    """Ctrl-C reaches what the tests start, also where a shell started pytest in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Which engine and plugins the tests ran on, but for unit tests, which run on none."""
    if all(Path(argument).parts[:2] == ("tests", "unit") for argument in config.args):
        return
    try:
        ran_on: object = under_test.chosen_engine()
    except EngineError as error:
        ran_on = f"no engine: {error}"
    terminalreporter.write_line(f"ran on {ran_on}")


@pytest.fixture(scope="session")
def root() -> None:
    if os.geteuid() != 0:
        if os.environ.get("CI") == "true":
            pytest.fail(WHY)
        pytest.skip(WHY)


@pytest.fixture(scope="session")
def policy_pack() -> Path:
    """The policy pack's folder, with its environment in it."""
    folder = Path(__file__).parents[1] / "policy"
    environments.make(folder)
    return folder
