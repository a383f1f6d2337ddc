"""A sandbox from start to stop, and what is left when it is killed in between: nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from sandbox import lifecycle
from sandbox.hosts import network
from sandbox.hosts.host import Hosts, HostSpec
from sandbox.operator import workstation
from sandbox.paths import CLONE, NAMESPACES, Sandbox
from sandbox.processes import Process, SandboxError
from tests.sandbox.conftest import traces, until

NOTHING: dict[str, Sequence[str]] = {"namespaces": [], "mounts": [], "processes": [], "files": []}


def command(sandbox: Sandbox, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sandbox", *words],
        cwd=CLONE,
        env=os.environ | {"SANDBOX": sandbox.name, "AWS_PROFILE": "real", "https_proxy": "http://real"},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def machine_links() -> list[str]:
    return sorted(os.listdir("/sys/class/net"))


def test_a_start_makes_everything_and_a_stop_removes_it(new_sandbox: Callable[[], Sandbox]) -> None:
    sandbox, links = new_sandbox(), machine_links()
    started = command(sandbox, "start")
    assert started.returncode == 0, started.stderr
    assert machine_links() == links, "this machine's own network gets no link"
    left = traces(sandbox)
    assert all(left.values()), "what is to be gone later is seen now"
    table = command(sandbox, "status")
    assert table.returncode == 0
    rows = [line.split() for line in table.stdout.splitlines()]
    assert rows[1] == ["client-0", "client-0", "10.1.0.10", "base", "running", "listens"]
    assert [row[0] for row in rows[1:]] == ["client-0", "client-1", "stranger-0"]
    for _ in range(2):
        stopped = command(sandbox, "stop")
        assert stopped.returncode == 0, stopped.stderr
        assert traces(sandbox) == NOTHING
    assert machine_links() == links
    assert command(sandbox, "status").returncode == 1


def test_a_second_start_changes_nothing_and_boots_only_what_is_missing(new_sandbox: Callable[[], Sandbox]) -> None:
    sandbox = new_sandbox()
    lifecycle.start(sandbox, print)
    hosts = Hosts(sandbox)
    before = {status.id: status.pid for status in hosts.list()}
    lifecycle.start(sandbox, print)
    assert {status.id: status.pid for status in hosts.list()} == before
    os.kill(before["client-1"] or 0, signal.SIGKILL)
    lifecycle.start(sandbox, print)
    after = {status.id: status.pid for status in hosts.list()}
    assert {host for host in before if before[host] != after[host]} == {"client-1"}
    assert {status.state for status in hosts.list()} == {"running"}


def test_a_host_that_was_killed_is_dead_while_its_last_process_is_still_waited_for(
    new_sandbox: Callable[[], Sandbox],
) -> None:
    """pid 1 has no network any more then, but is not gone: a parent outside holds it, as a busy machine does."""
    sandbox = new_sandbox()
    lifecycle.start(sandbox, print)
    hosts = Hosts(sandbox)
    before = {status.id: status.pid for status in hosts.list()}
    held = subprocess.Popen(
        hosts.command("client-1", ["sh", "-c", "echo inside; exec sleep 60"]), stdout=subprocess.PIPE
    )
    assert held.stdout
    assert held.stdout.readline() == b"inside\n"
    os.kill(held.pid, signal.SIGSTOP)
    try:
        until(lambda: Path(f"/proc/{held.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        os.kill(before["client-1"] or 0, signal.SIGKILL)
        until(lambda: {status.id: status.state for status in hosts.list()}["client-1"] == "dead")
        assert Path(f"/proc/{before['client-1']}").exists(), "it is waited for"
    finally:
        os.kill(held.pid, signal.SIGCONT)
        held.wait()
    lifecycle.start(sandbox, print)
    assert {status.state for status in hosts.list()} == {"running"}


def test_exec_passes_input_output_and_exit_status_through(running: Sandbox) -> None:
    done = command(running, "exec", "client-0", "--", "sh", "-c", "cat; hostname; echo oh >&2; exit 7", stdin="given\n")
    assert (done.returncode, done.stdout, done.stderr) == (7, "given\nip-10-1-0-10\n", "oh\n")
    unknown = command(running, "exec", "nobody", "--", "true")
    assert unknown.returncode == 1
    assert unknown.stderr == "error: there is no host nobody; running: client-0, client-1, stranger-0\n"


def test_run_works_where_the_operator_is_with_nothing_of_the_operators_own_credentials(running: Sandbox) -> None:
    done = command(running, "run", "--", "sh", "-c", "env; hostname -I; ssh-add -l; pwd; exit 5")
    assert done.returncode == 5, done.stderr
    seen = done.stdout.splitlines()
    for line in (
        f"PULUMI_BACKEND_URL=file://{running.state}",
        "PULUMI_CONFIG_PASSPHRASE=sandbox",
        f"SSH_AUTH_SOCK={running.agent}",
        "AWS_ACCESS_KEY_ID=sandbox",
        "AWS_CONFIG_FILE=/dev/null",
        f"SANDBOX={running.name}",
        str(CLONE),
    ):
        assert line in seen
    assert "10.8.0.10" in done.stdout
    assert "ED25519" in done.stdout, "the agent holds the key"
    assert "real" not in "".join(line for line in seen if line.startswith(("AWS_", "https_proxy")))


def test_the_cloud_answers_in_the_operators_network_and_nowhere_else(running: Sandbox) -> None:
    ask = ["curl", "--silent", "--max-time", "5", "--output", "/dev/null", "http://127.0.0.1:5000/moto-api/"]
    inside = subprocess.run([*network.enter(running.operator), *ask], check=False)
    assert inside.returncode == 0
    for host in ("client-0", "stranger-0"):
        done = Hosts(running).exec(host, ["curl", "--silent", "--max-time", "2", "http://10.8.0.10:5000/"])
        assert done.returncode == 7, "connection refused"


def test_after_everything_was_killed_a_stop_leaves_nothing(new_sandbox: Callable[[], Sandbox]) -> None:
    sandbox = new_sandbox()
    lifecycle.start(sandbox, print)
    half_made = sandbox.namespace("i-half")
    network.create(half_made)
    sleeper = subprocess.Popen([*network.enter(half_made), "sleep", "600"])
    sandbox.host("i-half").mkdir()
    pids = [status.pid for status in Hosts(sandbox).list()]
    cloud = workstation.recorded(sandbox.cloud_process)
    assert cloud
    for pid in (*pids, cloud.pid):
        os.kill(pid or 0, signal.SIGKILL)
    assert command(sandbox, "stop").returncode == 0
    assert sleeper.wait(timeout=10) == -signal.SIGKILL
    assert traces(sandbox) == NOTHING


def test_a_start_after_a_crash_begins_anew(new_sandbox: Callable[[], Sandbox]) -> None:
    sandbox = new_sandbox()
    lifecycle.start(sandbox, print)
    cloud = workstation.recorded(sandbox.cloud_process)
    assert cloud
    os.kill(cloud.pid, signal.SIGKILL)
    until(lambda: not lifecycle.running(sandbox))
    Hosts(sandbox).boot(HostSpec("i-old", "", "10.0.1.10", 24, "base"))
    said: list[str] = []
    lifecycle.start(sandbox, said.append)
    assert "parts of it are left from a crash" in said[0]
    assert [status.id for status in Hosts(sandbox).list()] == list(lifecycle.CLIENTS)


@pytest.mark.parametrize("step", ["start_agent", "start_cloud", "create"])
def test_a_start_that_fails_leaves_nothing(
    new_sandbox: Callable[[], Sandbox], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def broken(*_: object) -> None:
        raise SandboxError("broken for a test")

    sandbox = new_sandbox()
    monkeypatch.setattr(workstation, step, broken)
    with pytest.raises(SandboxError, match="broken for a test"):
        lifecycle.start(sandbox, print)
    left = traces(sandbox)
    assert (left["namespaces"], left["mounts"], left["processes"]) == ([], [], [])
    assert not sandbox.run.exists()


def test_a_cloud_that_does_not_start_is_told_with_what_it_said(
    new_sandbox: Callable[[], Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = new_sandbox()
    real = workstation.start_cloud
    monkeypatch.setattr(workstation, "start_cloud", lambda sandbox, python: real(sandbox, python, "sandbox.nowhere"))
    with pytest.raises(SandboxError, match=r"No module named sandbox\.nowhere"):
        lifecycle.start(sandbox, print)


def test_stop_removes_namespace_names_that_outlived_the_kernels_namespaces(new_sandbox: Callable[[], Sandbox]) -> None:
    sandbox = new_sandbox()
    stale = NAMESPACES / sandbox.router
    NAMESPACES.mkdir(exist_ok=True)
    stale.touch()  # as after a crash of the machine, where /run is on a disk
    lifecycle.stop(sandbox, print)
    assert not stale.exists()


def test_two_sandboxes_side_by_side_have_the_same_addresses_and_do_not_meet(
    running: Sandbox, new_sandbox: Callable[[], Sandbox]
) -> None:
    other = new_sandbox()
    lifecycle.start(other, print)
    names = {sandbox.name: Hosts(sandbox) for sandbox in (running, other)}
    for name, hosts in names.items():
        hosts.exec("client-0", ["sh", "-c", f"echo {name} >/root/whose"])
    for name, hosts in names.items():
        assert hosts.exec("client-0", ["cat", "/root/whose"]).stdout == f"{name}\n"
        assert hosts.exec("client-0", ["hostname", "-I"]).stdout == "10.1.0.10 \n"
    before = {status.id: status.pid for status in Hosts(running).list()}
    lifecycle.stop(other, print)
    assert traces(other) == NOTHING
    assert {status.id: status.pid for status in Hosts(running).list()} == before, "the other one is as it was"


def test_a_process_with_a_recorded_pid_that_is_another_one_is_left_alone() -> None:
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        now = Process.of(stranger.pid)
        assert now
        recorded = Process(now.pid, now.started - 1)
        assert not recorded.alive
        assert recorded.end(), "there is nothing to wait for"
        assert stranger.poll() is None
        assert now.end()
        assert stranger.wait() == -signal.SIGKILL
    finally:
        stranger.kill()


def test_a_zombie_counts_as_ended() -> None:
    child = subprocess.Popen(["true"])
    until(lambda: Path(f"/proc/{child.pid}/stat").read_text().split()[2] == "Z")
    assert Process.of(child.pid) is None
    child.wait()
