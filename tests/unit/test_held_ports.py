"""The stand-in for services that are asked nothing but whether they are there."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sandbox.paths import CLONE
from tests.sandbox.conftest import until


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = int(free.getsockname()[1])
    script = CLONE / "sandbox" / "packages" / "host" / "listen.py"
    with subprocess.Popen([sys.executable, "-ISE", str(script), "rabbitmq", "127.0.0.1", str(number)]) as held:
        try:
            until(lambda: connects(number))
            yield number
        finally:
            held.terminate()


def connects(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            return True
    except OSError:
        return False


def test_a_held_port_takes_any_number_of_connections(port: int) -> None:
    """Chef's _status connects to each of them, and is asked again and again."""
    assert all(connects(port) for _ in range(200))
