"""Fixtures of the contract tests.

What is tested is a stand-in, or the program that the environment variable COMMAND_PLUGIN or LANGUAGE_HOST names. The
engine is what PULUMI names, else the one in the cache, else the one on PATH.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.plugin import PluginUnderTest
from tests.contract.ssh_server import SshServer

REPOSITORY = Path(__file__).resolve().parents[2]
LAUNCHERS = REPOSITORY / "sandbox" / "plugins" / "bin"
COMMAND_PLUGIN = os.environ.get("COMMAND_PLUGIN", str(LAUNCHERS / "pulumi-resource-command"))
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "chef-push-jobs")

stand_in_only = pytest.mark.skipif(
    "COMMAND_PLUGIN" in os.environ,
    reason="COMMAND_PLUGIN is set, and this is where the stand-in is stricter or quicker",
)


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


@pytest.fixture(scope="session")
def pulumi_cli() -> str:
    cached = sorted(CACHE.glob("pulumi-v*/pulumi"))
    found = os.environ.get("PULUMI") or (str(cached[-1]) if cached else shutil.which("pulumi"))
    assert found, "no Pulumi engine: set PULUMI, or run scripts/up once"
    return found
