"""The stand-in keepalived: what it sends, what it takes for a heartbeat, and when a backend changes its role.

With packets made up here; real ones travel in tests/e2e/test_high_availability.py.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest

from sandbox.packages.host import heartbeat
from sandbox.packages.host.heartbeat import ALIVE, LEAVES, SILENCE, Daemon

IP = bytes([0x45]) + bytes(19)


def test_a_heartbeat_is_what_stands_after_the_ip_header() -> None:
    assert heartbeat._payload(IP + ALIVE) == ALIVE


class Link:
    """What a socket would receive; the peer's address is 10.0.0.5 unless said."""

    def __init__(self, heard: Sequence[tuple[bytes, str]]) -> None:
        self.heard, self.sent = list(heard), list[bytes]()

    def settimeout(self, seconds: float) -> None: ...

    def sendto(self, packet: bytes, address: tuple[str, int]) -> None:
        self.sent.append(packet)

    def recvfrom(self, size: int) -> tuple[bytes, tuple[str, int]]:
        if not self.heard:
            raise TimeoutError
        payload, sender = self.heard.pop(0)
        return IP + payload, (sender, 0)


class Noted(Daemon):
    """Notes the role that it takes up, instead of running cluster.sh."""

    def become(self, master: bool) -> None:
        self.master = master


def daemon(*heard: tuple[bytes, str], own: str = "10.0.0.4", **state: Any) -> Noted:
    link: Any = Link(heard)
    return Noted(own, "10.0.0.5", link, **state)


LONG_AGO = -2 * SILENCE


@pytest.mark.parametrize(
    ("heard", "since", "master"),
    [
        ([(ALIVE, "10.0.0.5")], LONG_AGO, False),
        ([(ALIVE, "10.0.0.6")], LONG_AGO, True),
        ([(b"ping", "10.0.0.5")], LONG_AGO, True),
        ([], LONG_AGO, True),
        ([], 0.0, False),
        ([(LEAVES, "10.0.0.5")], 0.0, True),
    ],
)
def test_a_standby_becomes_master_in_the_peers_silence_or_when_it_leaves(
    heard: list[tuple[bytes, str]], since: float, master: bool
) -> None:
    standby = daemon(*heard, heard=time.monotonic() + since)
    standby.turn()
    assert standby.master == master


@pytest.mark.parametrize(("own", "stays"), [("10.0.0.4", False), ("10.0.0.6", True)])
def test_of_two_masters_the_lower_address_gives_way(own: str, stays: bool) -> None:
    master = daemon((ALIVE, "10.0.0.5"), own=own, master=True)
    master.turn()
    assert master.master == stays
