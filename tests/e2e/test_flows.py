"""Between the servers exactly the flows of the table are open, tried from each server to each other one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import pytest

from chef_push_jobs.model.flows import CHEF_FLOWS, RESERVED
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
    ("client-0", "backend-0"): {HEARTBEAT, COMMANDS},
    ("client-0", "frontend-0"): {443, 80},
    ("stranger-0", "backend-0"): set(),
    ("stranger-0", "frontend-0"): set(),
}
# Listens where nothing does yet.
LISTEN = """
import socket, sys, time
kept = []
for port in map(int, sys.argv[1:]):
    try:
        kept.append(socket.create_server(("", port)))
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
# Sends a packet of a protocol to an address; a server of that protocol says whether it came.
RECEIVE = """
import socket, sys
link = socket.socket(socket.AF_INET, socket.SOCK_RAW, int(sys.argv[1]))
link.settimeout(float(sys.argv[2]))
while b"flow" not in link.recv(2048):
    pass
"""
SEND = """
import socket, sys
socket.socket(socket.AF_INET, socket.SOCK_RAW, int(sys.argv[2])).sendto(b"flow", (sys.argv[1], 0))
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
        ports = " ".join(map(str, TRIED))
        ha.output(
            server, f"setsid python3 /tmp/listen.py {ports} > /dev/null 2>&1 & echo $! > /tmp/listen.pid; sleep 1"
        )
        assert open_ports(ha, server, server, TRIED) == set(TRIED)
    yield ha
    for server in ("backend-0", "backend-1", "frontend-0", "frontend-1"):
        ha.output(server, "kill $(cat /tmp/listen.pid); rm /tmp/listen.py /tmp/listen.pid")


@pytest.mark.parametrize(("source", "target"), OPEN)
def test_from_one_host_to_another_exactly_the_flows_are_open(listening: Stack, source: str, target: str) -> None:
    assert open_ports(listening, source, target, TRIED) == OPEN[source, target]


def test_between_the_backends_vrrp_is_open_and_no_port_but_those_of_drbd(listening: Stack) -> None:
    between = {flow.port for flow in CHEF_FLOWS if flow.rule == "peer" and flow.what.startswith("DRBD")}
    found = open_ports(listening, "backend-0", "backend-1", TRIED)
    assert found <= between
    wanted = {"112": True, "2": False}
    for protocol, is_open in wanted.items():
        receiving = script(RECEIVE, protocol, 4)
        listening.output("backend-1", f"({receiving}\n) > /dev/null 2>&1 && touch /tmp/came &")
        sent = script(SEND, address(listening, "backend-1"), protocol)
        listening.output("backend-0", f"sleep 1; {sent}")
        listening.output("backend-1", "sleep 4; true")
        came = listening.output("backend-1", "test -e /tmp/came && echo came; rm -f /tmp/came")
        assert (came == "came") is is_open, f"protocol {protocol}"
