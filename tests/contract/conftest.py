"""Fixtures of the contract tests. What they run on: `tests/under_test.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.operator.plugins import COMMAND
from tests import under_test
from tests.contract.plugin import PluginUnderTest
from tests.contract.ssh_server import SshServer

REPOSITORY = Path(__file__).resolve().parents[2]
COMMAND_PLUGIN = under_test.path(COMMAND)


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[SshServer]:
    """A running server."""
    directory = tmp_path / "sshd"
    directory.mkdir()
    server = SshServer(directory)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def bastion(tmp_path: Path) -> Iterator[SshServer]:
    """Another running server, with another host key and another user key."""
    directory = tmp_path / "bastion"
    directory.mkdir()
    server = SshServer(directory)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def plugin() -> Iterator[PluginUnderTest]:
    """The command plugin, without an agent in its environment."""
    running = PluginUnderTest(COMMAND_PLUGIN, "command")
    yield running
    running.stop()


@pytest.fixture
def own_plugin() -> Iterator[PluginUnderTest]:
    """A command plugin for one test alone, which may end it."""
    running = PluginUnderTest(COMMAND_PLUGIN, "command")
    yield running
    running.stop()
