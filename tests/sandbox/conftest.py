"""Real sandboxes for the tests of hosts: root is needed, and everything that a test starts is removed again."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from sandbox import lifecycle
from sandbox.hosts import network
from sandbox.hosts.host import Hosts, HostSpec
from sandbox.paths import Sandbox

WHY = "these tests make network namespaces and mounts, so they need root: run scripts/test with sudo"
SSH = ("ssh", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR")
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=1)"
LISTEN = "import socket, sys, time; s = socket.create_server(('', int(sys.argv[1]))); time.sleep(600)"


@dataclass
class Lab:
    """A running sandbox, and hosts in it that go when the test ends."""

    sandbox: Sandbox
    hosts: Hosts
    booted: list[str] = field(default_factory=list)

    def boot(self, spec: HostSpec) -> str:
        self.booted.append(spec.id)
        self.hosts.boot(replace(spec, authorized_key=self.sandbox.operator_public_key.read_text()))
        return spec.id

    def shell(self, host: str, script: str) -> subprocess.CompletedProcess[str]:
        return self.hosts.exec(host, ["sh", "-c", script])

    def output(self, host: str, script: str) -> str:
        done = self.shell(host, script)
        assert done.returncode == 0, f"{script} on {host}: {done.stderr}"
        return done.stdout.strip()

    def ssh(self, login: str, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        """From the operator's namespace, with the operator's key."""
        key = ("-i", str(self.sandbox.operator_key), "-o", "IdentitiesOnly=yes")
        argv = [*network.enter(self.sandbox.operator), *SSH, *key, *options, login, command]
        return subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=30)

    def listen(self, host: str, port: int) -> None:
        self.output(host, f'setsid python3 -c "{LISTEN}" {port} >/dev/null 2>&1 &')
        until(lambda: self.reaches(host, "127.0.0.1", port))

    def reaches(self, host: str, address: str, port: int) -> bool:
        return self.hosts.exec(host, ["python3", "-c", CONNECT, address, str(port)]).returncode == 0


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


def new_name() -> str:
    return "t" + secrets.token_hex(4)


def traces(sandbox: Sandbox) -> dict[str, Sequence[str]]:
    """Everything of a sandbox that this machine shows; all empty when it is gone."""
    table = Path("/proc/self/mountinfo").read_text().splitlines()
    mounts = [line for line in table if f"/{sandbox.name} " in line or sandbox.namespace_prefix in line]
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout.splitlines()
    marks = (f"/{sandbox.name}/", sandbox.namespace_prefix, f"sandbox.aws.api_server {sandbox.name}")
    return {
        "namespaces": network.namespaces(sandbox),
        "mounts": mounts,
        "processes": [line for line in listed if any(mark in line for mark in marks)],
        "files": [str(path) for path in (sandbox.run, sandbox.lock) if path.exists()],
    }


@pytest.fixture(scope="session")
def root() -> None:
    if os.geteuid() != 0:
        if os.environ.get("CI") == "true":
            pytest.fail(WHY)
        pytest.skip(WHY)


@pytest.fixture(scope="session")
def running(root: None) -> Iterator[Sandbox]:
    """One sandbox for all tests that leave it as it is."""
    sandbox = Sandbox(new_name())
    try:
        lifecycle.start(sandbox, print)
        yield sandbox
    finally:
        lifecycle.stop(sandbox, print)


@pytest.fixture
def lab(running: Sandbox) -> Iterator[Lab]:
    lab = Lab(running, Hosts(running))
    yield lab
    for host in lab.booted:
        lab.hosts.terminate(host)


@pytest.fixture
def new_sandbox(root: None) -> Iterator[Callable[[], Sandbox]]:
    """Makes names of sandboxes that a test starts, and breaks, itself."""
    made: list[Sandbox] = []

    def make() -> Sandbox:
        made.append(Sandbox(new_name()))
        return made[-1]

    yield make
    for sandbox in made:
        lifecycle.stop(sandbox, print)
