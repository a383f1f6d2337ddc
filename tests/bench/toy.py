"""A work order of a few lines that has all that a real one has, and what its hosts tell of how it went."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.order import KEY, Order, Phase, Server, Task, filled

NASTY = """${x} $x {{ y }} {# z #} {% r %} %{ q } %% "a" 'b' \\ \\n \\\\ $(c) `d` & ! ~ * #e é @key: /, \t."""
SERVERS = ("backend-0", "backend-1", "frontend-0")
OTHERS = SERVERS[1:]
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key.pub"
NOW = "$(date +%s%N)"

Shell = Callable[[str, str], str]


def order(addresses: dict[str, str], known_hosts: Path) -> Order:
    tasks = [
        *(_task("connect", server, [], tells=True) for server in SERVERS),
        *(_task("install", server, [f"connect-{server}"]) for server in SERVERS),
        _task("configure", "backend-0", [f"install-{server}" for server in SERVERS]),
        _task("share", "backend-0", ["configure-backend-0", *(f"connect-{each}" for each in OTHERS)], OTHERS),
        *(_task("copy", server, ["share-backend-0", f"install-{server}"], ["backend-0"]) for server in OTHERS),
        *(_task("reconfigure", server, [f"copy-{server}"]) for server in OTHERS),
        _task("restart", "backend-0", [f"reconfigure-{server}" for server in OTHERS]),
        _task("verify", "backend-0", ["restart-backend-0"]),
        _task("restart", "backend-1", ["reconfigure-backend-1", "verify-backend-0"]),
        _task("verify", "backend-1", ["restart-backend-1"]),
    ]
    phases = (
        Phase(("connect", "install")),
        Phase(("configure",)),
        Phase(("share",)),
        Phase(("copy", "reconfigure")),
        Phase(("restart", "verify"), serial=True),
    )
    servers = tuple(Server(name, addresses[name]) for name in SERVERS)
    return Order("ubuntu", 22, known_hosts, servers, tuple(tasks), phases)


def _task(step: str, server: str, after: Sequence[str], keys: Sequence[str] = (), tells: bool = False) -> Task:
    """Logs its start and end, and keeps what came: its command's text and its input."""
    task = f"{step}-{server}"
    kept = f"printf %s {shlex.quote(NASTY)} >{task}.command; cat >{task}.stdin"
    told = f"; cat {HOST_KEY} {HOST_KEY}" if tells else "; echo done"
    command = f'echo "start {task} {NOW}" >>log; {kept}; echo "end {task} {NOW}" >>log{told}'
    lines = [f"{task} says", NASTY, *(KEY.format(key) for key in keys), "", "  the end  "]
    stdin = "" if tells else "\n".join(lines) + "\n"
    return Task(task, step, server, command, stdin, tuple(after), tells)


def failing(given: Order, task: str) -> Order:
    """The same, but that one ends with exit status 3."""
    tasks = [replace(each, command="exit 3") if each.id == task else each for each in given.tasks]
    return replace(given, tasks=tuple(tasks))


def dependents(given: Order, task: str) -> set[str]:
    """All that must not run when it failed."""
    found = {task}
    while more := {each.id for each in given.tasks if found & set(each.after)} - found:
        found |= more
    return found - {task}


@dataclass(frozen=True)
class Span:
    """When a task ran, in ns of the machine's clock, which is every host's."""

    start: int
    end: int


def spans(given: Order, shell: Shell) -> dict[str, Span]:
    """By task, of those that ran. Fails for one that ran twice or elsewhere."""
    found: dict[tuple[str, str], int] = {}
    for server in given.servers:
        for line in shell(server.name, "touch log; cat log").splitlines():
            what, task, at = line.split()
            assert task.endswith(f"-{server.name}"), f"{task} ran on {server.name}"
            assert (what, task) not in found, f"{task} ran twice"
            found[what, task] = int(at)
    return {task: Span(at, found["end", task]) for (what, task), at in found.items() if what == "start"}


def expected(given: Order, keys: dict[str, str]) -> dict[str, tuple[str, str]]:
    """By task: the text of its command, and its input with the keys."""
    return {task.id: (NASTY, filled(task.stdin, keys)) for task in given.tasks}


def kept(given: Order, shell: Shell) -> dict[str, tuple[str, str]]:
    """The same, as the hosts have it."""
    return {
        task.id: (shell(task.server, f"cat {task.id}.command"), shell(task.server, f"cat {task.id}.stdin"))
        for task in given.tasks
    }
