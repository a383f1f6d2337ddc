"""A change that stops machines: one at a time, each once the others can do without it, and tested at the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.clients import probed
from tests.e2e.conftest import Stack
from tests.e2e.observed import TEST, change, tasks

# From the master's last answer to the next one's first, 5 s on a quiet machine: keepalived's own decision takes most.
FAILOVER = 10.0
# The suite of push jobs 1.x, with which the run ends, restarts the service itself.
RESTART = 2.0


@contextmanager
def stopped(stack: Stack) -> Iterator[list[frozenset[str]]]:
    """Which machines were down together, in the order of time."""
    found: list[frozenset[str]] = []
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.02):
            down = frozenset(host.name for host in stack.lab.hosts.list() if host.state == "dead")
            if down and found[-1:] != [down]:
                found.append(down)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


def resized(stack: Stack, size: str, **others: object) -> None:
    stack.change(machines={**stack.setting("machines"), "instanceType": size}, **others)


def master(stack: Stack) -> str:
    said = {
        name: stack.output(name, "cat /var/opt/opscode/keepalived/current_cluster_status")
        for name in ("backend-0", "backend-1")
    }
    return ", ".join(name for name, status in said.items() if status.strip() == "master")


@pytest.fixture
def ha(new_stack: Callable[[str], Stack]) -> Stack:
    made = new_stack("sandbox")
    made.up()
    return made


def test_an_ha_cluster_gets_another_instance_type_machine_by_machine_and_clients_notice_one_failover(ha: Stack) -> None:
    assert master(ha) == "backend-0"
    resized(ha, "m5.xlarge")
    with probed(ha.lab, f"{ha.outputs()['vip']}:10000") as clients, stopped(ha) as order:
        done = change(ha)
    assert [sorted(down) for down in order] == [["frontend-0"], ["frontend-1"], ["backend-1"], ["backend-0"]]
    print(f"measured: no answer for {clients.lengths} s")
    longest, *others = sorted(clients.lengths, reverse=True)
    assert longest < FAILOVER
    assert len(others) <= 1 and all(each < RESTART for each in others), clients.lengths
    assert done.ran == tasks(TEST)
    assert master(ha) == "backend-1"
    assert "unchanged" in ha.up().stdout


def test_a_machine_is_not_stopped_while_another_one_that_does_its_work_is_broken(ha: Stack) -> None:
    ha.output("frontend-1", "chef-server-ctl stop nginx")
    resized(ha, "m5.xlarge")
    with stopped(ha) as order:
        done = ha.up(check=False)
    assert done.returncode != 0
    assert "frontend-0 was not stopped for its change: frontend-1 is not ready" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert order == []
    resized(ha, "m5.xlarge", allowDowntime=True)
    with stopped(ha) as order:
        ha.up()
    assert max(map(len, order)) > 1
    until = time.monotonic() + 60
    while master(ha) not in ("backend-0", "backend-1") and time.monotonic() < until:
        time.sleep(1)


def test_a_tier_loses_its_service_for_the_restart_of_its_backend_alone(new_stack: Callable[[str], Stack]) -> None:
    tier = new_stack("sandbox-private")
    tier.up()
    resized(tier, "m5.xlarge")
    with stopped(tier) as order:
        tier.up()
    assert [len(down) for down in order] == [1] * len(order)
    assert order[-1] == {"backend-0"}
