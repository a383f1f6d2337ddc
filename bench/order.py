"""A work order: which shell commands run on which hosts, and their dependencies; the same for all contenders. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter

KEY = "@key:{}@"  # in a task's standard input: that server's key, only known at run time

_KEY = re.compile(r"@key:([a-z0-9-]+)@")


@dataclass(frozen=True)
class Server:
    """A host, by its name (backend-0, frontend-1, …; backend-0 is the primary) and its IP address."""

    name: str
    address: str


@dataclass(frozen=True)
class Task:
    """A step on a server: `command`, a shell command line for the login user, with `stdin`, whole lines, piped to it.

    `id` consists of letters, digits and dashes. `after` are ids of tasks that must have succeeded. A task that `tells`
    prints its server's public key, after at most one other line. Raises ValueError for input that some contender could
    not pass on.
    """

    id: str
    step: str
    server: str
    command: str
    stdin: str
    after: tuple[str, ...] = ()
    tells: bool = False

    def __post_init__(self) -> None:
        if self.stdin and not self.stdin.endswith("\n"):
            raise ValueError(
                f"task {self.id}: its standard input must end with a newline; it ends {self.stdin[-20:]!r}"
            )

    @property
    def keys(self) -> tuple[str, ...]:
        """The servers whose public keys its standard input needs."""
        return tuple(dict.fromkeys(_KEY.findall(self.stdin)))


@dataclass(frozen=True)
class Phase:
    """Every server runs its tasks of these steps in order; with `serial`, one server after the other."""

    steps: tuple[str, ...]
    serial: bool = False


@dataclass(frozen=True)
class Order:
    """`tasks` with their dependencies; `phases`, one after the other, say the same for tools without edges.

    `port` is SSH's; `known_hosts` contains the servers' host keys by address.
    """

    user: str
    port: int
    known_hosts: Path
    servers: tuple[Server, ...]
    tasks: tuple[Task, ...]
    phases: tuple[Phase, ...]

    def on(self, phase: Phase) -> tuple[Server, ...]:
        """The servers that have tasks in a phase."""
        names = {task.server for task in self.tasks if task.step in phase.steps}
        return tuple(server for server in self.servers if server.name in names)

    def of(self, phase: Phase, server: Server) -> tuple[Task, ...]:
        """A server's tasks in a phase, in order."""
        tasks = {task.step: task for task in self.tasks if task.server == server.name}
        return tuple(tasks[step] for step in phase.steps if step in tasks)


_ORDER = TypeAdapter(Order)


def to_json(order: Order) -> str:
    return _ORDER.dump_json(order, indent=1).decode()


def from_json(text: str) -> Order:
    """Raises ValueError if the text is not an order."""
    return _ORDER.validate_json(text)


def only(order: Order, ids: Set[str], keys: Mapping[str, str]) -> Order:
    """The part of an order with these tasks; each waits for those that it waited for through others.

    `keys` are those of servers that no task of this part tells.
    """
    kept: dict[str, Task] = {}
    ends: dict[str, tuple[str, ...]] = {}  # by task, what of this part it stands for
    for task in order.tasks:
        after = tuple(dict.fromkeys(end for earlier in task.after for end in ends[earlier]))
        ends[task.id] = (task.id,) if task.id in ids else after
        if task.id in ids:
            kept[task.id] = replace(task, after=after)
    telling = {task.server for task in kept.values() if task.tells}
    known = {server: key for server, key in keys.items() if server not in telling}
    tasks = tuple(
        replace(task, stdin=_KEY.sub(lambda mark: known.get(mark[1], mark[0]), task.stdin)) for task in kept.values()
    )
    steps = {task.step for task in tasks}
    phases = (replace(phase, steps=tuple(step for step in phase.steps if step in steps)) for phase in order.phases)
    return replace(order, tasks=tasks, phases=tuple(phase for phase in phases if phase.steps))


def printed_key(output: str) -> str:
    """The public key in the output of a task that tells. Raises ValueError unless that is one line or two."""
    *other, key = output.splitlines()
    if len(other) > 1:
        raise ValueError(f"too many lines to tell a key: {output!r}")
    return key


def filled(stdin: str, keys: Mapping[str, str]) -> str:
    """A task's standard input, with the keys (by server) in place of their marks. Raises KeyError."""
    return _KEY.sub(lambda mark: keys[mark[1]], stdin)
