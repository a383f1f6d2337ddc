"""What a contender is, and files that several of them use."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.order import Order, Server, Task

HERE = Path(__file__).resolve().parent
BIN = HERE.parent / ".venv" / "bin"  # of the environment from bench/requirements.txt

Prepare = Callable[[Order, Path], list[str]]


@dataclass(frozen=True)
class Contender:
    """A tool for rollouts.

    `prepare` writes the tool's files into an empty directory and returns the command to run (and to time) there. Its
    exit status is 0 if every task succeeded. `check` does the same for a run that changes nothing.
    """

    name: str
    version: Callable[[], str]
    prepare: Prepare
    check: Prepare | None = None
    available: Callable[[], bool] = lambda: True


def version_of(package: str) -> str:
    """The version of a package in the contenders' environment."""
    ask = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([BIN / "python", "-c", ask], capture_output=True, text=True, check=True).stdout.strip()


def write_tasks(order: Order, folder: Path) -> None:
    """Writes files for each task: commands/ID, and stdin/ID, which contains marks instead of keys."""
    for kind in ("commands", "stdin"):
        (folder / kind).mkdir()
    for task in order.tasks:
        (folder / "commands" / task.id).write_text(task.command)
        (folder / "stdin" / task.id).write_text(task.stdin)


def write_ssh_config(order: Order, folder: Path, *more: str) -> None:
    """Writes ssh_config, with `more` lines for all servers, so that they can be reached by name."""
    lines = [
        f"User {order.user}",
        f"Port {order.port}",
        f"UserKnownHostsFile {order.known_hosts.absolute()}",
        "GlobalKnownHostsFile /dev/null",
        "StrictHostKeyChecking yes",
        "PasswordAuthentication no",
        "LogLevel ERROR",
        *more,
    ]
    hosts = [f"Host {server.name}\nHostName {server.address}" for server in order.servers]
    (folder / "ssh_config").write_text("\n".join([*hosts, "Host *", *lines]) + "\n")


def by_step(order: Order, step: str, servers: tuple[Server, ...]) -> tuple[Task, ...]:
    """The tasks of a step on some servers."""
    names = {server.name for server in servers}
    return tuple(task for task in order.tasks if task.step == step and task.server in names)
