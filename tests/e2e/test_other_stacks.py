"""The other topologies and sources of packages, and the scripts that people type."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox import lifecycle
from sandbox.hosts import network
from sandbox.paths import CLONE, Sandbox
from tests.e2e.conftest import Stack
from tests.sandbox.conftest import new_name, traces, until

SECRETS = "/etc/opscode/private-chef-secrets.json"


@contextmanager
def served(folder: Path, sandbox: Sandbox) -> Iterator[str]:
    """A web server with the files of a folder, on the operator's address; its URL."""
    command = [sys.executable, "-m", "http.server", "80", "--bind", "10.8.0.10", "--directory", str(folder)]
    server = subprocess.Popen([*network.enter(sandbox.operator), *command], stderr=subprocess.DEVNULL)
    try:
        yield "http://10.8.0.10"
    finally:
        server.terminate()
        server.wait()


def test_a_tier_with_packages_from_a_url_and_of_the_second_generation(new_stack: Callable[[str], Stack]) -> None:
    tier = new_stack("sandbox")
    name = "opscode-push-jobs-server_2.2.8-1_amd64.deb"
    folder = CLONE / ".sandbox" / "packages"
    digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    with served(folder, tier.sandbox) as url:
        package = {"url": f"{url}/{name}", "sha256": digest}
        good: dict[str, Any] = {"package": package, "heartbeatPort": 11000}
        tier.change(
            topology="tier",
            highAvailability=None,
            backends="1",
            frontends="1",
            pushJobs={**good, "package": {**package, "sha256": "0" * 64}},
        )
        refused = tier.up(check=False)
        assert "FAILED" in refused.stdout, "a package with another digest must not be installed"
        assert "opscode-push-jobs" not in tier.output("frontend-0", "dpkg-query -W -f '${Package} '")
        tier.change(pushJobs=good)
        tier.up()
        assert tier.outputs()["test"].endswith("0 failures")
        # A new primary has other secrets, with which the frontend has to work.
        tier.up("--replace", "**aws:ec2/instance:Instance::backend-0")
    assert tier.outputs()["test"].endswith("0 failures")
    assert tier.lab.reaches("client-0", tier.outputs()["servers"]["backend-0"]["address"], 11000)
    dump = f"/opt/opscode/embedded/bin/veil-dump-secrets {SECRETS}"
    first, second = (json.loads(tier.output(name, dump))["push-jobs-server"] for name in ("backend-0", "frontend-0"))
    assert first == second
    assert "pushy_priv_key" in first, "this generation keeps its credentials there"


@pytest.fixture
def clone_sandbox(root: None) -> Iterator[Sandbox]:
    sandbox = Sandbox(new_name())
    yield sandbox
    lifecycle.stop(sandbox, print)


def script(name: str, sandbox: Sandbox, *arguments: str) -> str:
    done = subprocess.run(
        [f"scripts/{name}", *arguments],
        cwd=CLONE,
        env={**os.environ, "SANDBOX": sandbox.name},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_scripts_bring_a_standalone_server_up_twice_and_leave_nothing_behind(clone_sandbox: Sandbox) -> None:
    """On an image that holds Chef server already."""
    told = script("up", clone_sandbox, "sandbox-standalone")
    assert "0 failures" in told
    assert "The stack sandbox-standalone is up, and a job ran on both clients." in told
    last = ("stack", "history", "--page", "1", "--page-size", "1", "--stack", "sandbox-standalone")
    assert "0 failures" in script("up", clone_sandbox, "sandbox-standalone")
    told = script("pulumi", clone_sandbox, *last)
    assert "+0-0~0 " in told, f"something was made, deleted or changed: {told}"
    assert "0 failures" in script("pulumi", clone_sandbox, "stack", "output", "test", "--stack", "sandbox-standalone")
    assert "could not be destroyed" not in script("down", clone_sandbox)
    until(lambda: not any(traces(clone_sandbox).values()))


def test_an_unknown_stack_is_refused_with_those_that_there_are(clone_sandbox: Sandbox) -> None:
    environment = {**os.environ, "SANDBOX": clone_sandbox.name}
    done = subprocess.run(
        ["scripts/up", "none"], cwd=CLONE, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "there is no stack none" in done.stderr
    assert "choose one: sandbox" in done.stderr
