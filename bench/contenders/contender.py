"""What a contender is, and the files that several of them work from."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.order import Order, Server, Task

HERE = Path(__file__).resolve().parent
BIN = HERE.parent / ".venv" / "bin"  # of the environment made from bench/requirements.txt

Prepare = Callable[[Order, Path], list[str]]


@dataclass(frozen=True)
class Contender:
    """A tool that people use for rollouts.

    `prepare` writes what it works from into an empty folder, and returns the command to run (and to time) in there:
    exit status 0 says that every task ended well. `check` does the same for a look that changes nothing.
    """

    name: str
    version: Callable[[], str]
    prepare: Prepare
    check: Prepare | None = None
    available: Callable[[], bool] = lambda: True


def version_of(package: str) -> str:
    """Of a package in the contenders' environment."""
    ask = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([BIN / "python", "-c", ask], capture_output=True, text=True, check=True).stdout.strip()


def write_tasks(order: Order, folder: Path) -> None:
    """A file a task, by its id: commands/ID, and stdin/ID, where keys are still marks."""
    for kind in ("commands", "stdin"):
        (folder / kind).mkdir()
    for task in order.tasks:
        (folder / "commands" / task.id).write_text(task.command)
        (folder / "stdin" / task.id).write_text(task.stdin)


def write_ssh_config(order: Order, folder: Path, *more: str) -> None:
    """ssh_config, with `more` lines for all servers; they are reached by their names."""
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
