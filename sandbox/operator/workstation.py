"""The operator's workstation: a network namespace, a key in an ssh-agent, and the environment of commands."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict
from ipaddress import IPv4Interface
from pathlib import Path

from sandbox.hosts import launch, network
from sandbox.paths import CLONE, REGION, Sandbox
from sandbox.processes import Process, SandboxError, run

ADDRESS = IPv4Interface("10.8.0.10/24")
READY_SECONDS = 60.0
# From the user's own environment: nothing that would send a request elsewhere, or real credentials anywhere.
REMOVED = (
    "AWS_",
    "PULUMI_ACCESS_TOKEN",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
)


def create(sandbox: Sandbox) -> None:
    """Creates the operator's namespace and connects it to the router."""
    network.create(sandbox.operator)
    network.attach(sandbox, sandbox.operator, ADDRESS)
    network.batch(sandbox.operator, network.configuration(ADDRESS))


def make_key(sandbox: Sandbox) -> None:
    """Creates this clone's operator key, once."""
    if not sandbox.operator_key.exists():
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "operator", "-f", str(sandbox.operator_key)])


def start_agent(sandbox: Sandbox) -> None:
    """Starts an ssh-agent with the key, so that no configuration needs to contain the key."""
    command = [*network.enter(sandbox.operator), "ssh-agent", "-D", "-a", str(sandbox.agent)]
    _start(command, sandbox.run / "agent.log", sandbox.agent_process, sandbox.agent, os.environ)
    run(["env", f"SSH_AUTH_SOCK={sandbox.agent}", "ssh-add", "-q", str(sandbox.operator_key)])


def start_cloud(sandbox: Sandbox, python: str, module: str = "sandbox.aws.api_server") -> None:
    """Starts the sandbox's AWS API. Raises SandboxError if it does not serve in time."""
    command = [*network.enter(sandbox.operator), python, "-m", module, sandbox.name]
    _start(command, sandbox.cloud_log, sandbox.cloud_process, sandbox.cloud_ready, environment(sandbox, {}))


def recorded(file: Path) -> Process | None:
    """A background process of the sandbox, if it runs."""
    try:
        process = Process(**json.loads(file.read_text()))
    except FileNotFoundError:
        return None
    return process if process.alive else None


def environment(sandbox: Sandbox, engine: Mapping[str, str], own: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of the operator's commands: engine, location of the state, agent, made-up credentials."""
    return {
        **{name: value for name, value in own.items() if not name.startswith(REMOVED)},
        **engine,
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REGION": REGION,
        "PIP_NO_INDEX": "true",  # there is no route to one
        "PULUMI_BACKEND_URL": f"file://{sandbox.state}",
        "PULUMI_CONFIG_PASSPHRASE": "sandbox",
        "PULUMI_DIY_BACKEND_ZSTD": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "SANDBOX": sandbox.name,
        "SSH_AUTH_SOCK": str(sandbox.agent),
    }


def _start(command: list[str], log: Path, record: Path, ready: Path, variables: Mapping[str, str]) -> None:
    """Starts a background process and waits for its file `ready`. Raises SandboxError with the end of its output."""
    with log.open("ab") as output:
        child = launch.background(command, output, variables, CLONE)
    process = Process.of(child.pid)
    if process:
        record.write_text(json.dumps(asdict(process)))
    deadline = time.monotonic() + READY_SECONDS
    while not ready.exists():
        if child.poll() is not None or time.monotonic() > deadline:
            said = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
            raise SandboxError(f"{' '.join(command[2:])} did not get ready:\n{said}")
        time.sleep(0.02)
    _CHILDREN.append(child)


_CHILDREN: list[subprocess.Popen[bytes]] = []  # kept, so that Python does not warn about processes that outlive it
