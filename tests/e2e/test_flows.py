"""Between the servers exactly the flows of the table are open, tried from each server to each other one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import pytest

from chef_push_jobs.model.flows import RESERVED
from tests.e2e.conftest import Stack

API, HEARTBEAT, COMMANDS = 10002, 10000, 10003
SSH = 22
TRIED = sorted({*RESERVED, SSH, API, HEARTBEAT, COMMANDS, 9, 4369, 11211})
# What the stack's version of Chef server, 12.19.31, asks in an ha cluster.
FRONTEND_TO_BACKEND = {443, 4321, 5432, 5672, 8983, 15672, 16379, API}
OPEN: dict[tuple[str, str], set[int]] = {
    ("frontend-0", "backend-0"): {SSH, *FRONTEND_TO_BACKEND},
    ("frontend-0", "backend-1"): FRONTEND_TO_BACKEND,
    ("frontend-0", "frontend-1"): set(),
    ("backend-0", "frontend-0"): {443},
    ("backend-1", "frontend-1"): {443},
    ("backend-0", "backend-1"): set(),
    ("backend-1", "backend-0"): {SSH},
    ("client-0", "backend-0"): {HEARTBEAT, COMMANDS},
    ("client-0", "frontend-0"): {443, 80},
    ("stranger-0", "backend-0"): set(),
    ("stranger-0", "frontend-0"): set(),
}
# Listens where nothing does yet.
LISTEN = """
import socket, sys, time
kept = []
for port in map(int, sys.argv[2:]):
    try:
        kept.append(socket.create_server((sys.argv[1], port)))
    except OSError:
        pass
time.sleep(600)
"""
CONNECT = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor
def connects(port):
    try:
        socket.create_connection((sys.argv[1], port), timeout=2).close()
        return True
    except OSError:
        return False
ports = [int(port) for port in sys.argv[2:]]
with ThreadPoolExecutor(32) as pool:
    print(json.dumps([port for port, is_open in zip(ports, pool.map(connects, ports)) if is_open]))
"""
# Receives a packet of a protocol, and says so.
RECEIVE = """
import socket, sys
link = socket.socket(socket.AF_INET, socket.SOCK_RAW, int(sys.argv[1]))
while b"flow" not in link.recv(2048):
    pass
open("/tmp/came", "w").write("came")
"""
# What the sender's own firewall keeps in is refused to it. Without the right to send, there is no such socket at all.
SEND = """
import socket, sys
link = socket.socket(socket.AF_INET, socket.SOCK_RAW, int(sys.argv[2]))
try:
    link.sendto(b"flow", (sys.argv[1], 0))
except PermissionError:
    print("not let out")
"""


def address(cluster: Stack, server: str) -> str:
    return str(cluster.outputs()["servers"][server]["address"])


def script(text: str, *arguments: object) -> str:
    return " ".join(["python3 -", *map(str, arguments), "<<'END'\n"]) + text.lstrip() + "END"


def open_ports(cluster: Stack, source: str, target: str, ports: Iterable[int]) -> set[int]:
    found: list[int] = json.loads(cluster.output(source, script(CONNECT, address(cluster, target), *ports)))
    return set(found)


@pytest.fixture(scope="module")
def listening(ha: Stack) -> Iterator[Stack]:
    """Every server answers on every port that is tried, so that what does not answer is the firewall."""
    for server in ("backend-0", "backend-1", "frontend-0", "frontend-1"):
        ha.output(server, f"cat > /tmp/listen.py <<'END'\n{LISTEN}END")
        arguments = " ".join(map(str, (address(ha, server), *TRIED)))
        started = f"setsid python3 /tmp/listen.py {arguments} > /dev/null 2>&1 &"
        ha.output(server, f"{started} echo $! > /tmp/listen.pid; sleep 1")
        assert open_ports(ha, server, server, TRIED) == set(TRIED)
    yield ha
    for server in ("backend-0", "backend-1", "frontend-0", "frontend-1"):
        ha.output(server, "kill $(cat /tmp/listen.pid); rm /tmp/listen.py /tmp/listen.pid")


@pytest.mark.parametrize(("source", "target"), OPEN)
def test_from_one_host_to_another_exactly_the_flows_are_open(listening: Stack, source: str, target: str) -> None:
    assert open_ports(listening, source, target, TRIED) == OPEN[source, target]


@pytest.mark.parametrize(("protocol", "is_open"), [("112", True), ("2", False)])
def test_between_the_backends_vrrp_is_open_and_no_other_protocol(ha: Stack, protocol: str, is_open: bool) -> None:
    ha.output("backend-1", f"rm -f /tmp/came; cat > /tmp/receive.py <<'END'\n{RECEIVE}END")
    ha.output("backend-1", f"setsid python3 /tmp/receive.py {protocol} > /dev/null 2>&1 & echo $! > /tmp/receive.pid")
    sent = script(SEND, address(ha, "backend-1"), protocol)
    came = False
    for _ in range(5):
        assert ha.output("backend-0", f"sleep 1; {sent}") == ("" if is_open else "not let out")
        came = came or ha.output("backend-1", "cat /tmp/came 2> /dev/null || :") == "came"
    ha.output("backend-1", "kill $(cat /tmp/receive.pid) 2> /dev/null || :; rm -f /tmp/came /tmp/receive.*")
    assert came is is_open
