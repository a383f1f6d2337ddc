"""The sandbox on the command line.

python -m sandbox start               create a whole cloud on this machine; safe to repeat
python -m sandbox stop                remove all of it, also after a crash; safe to repeat
python -m sandbox status              list its hosts; exit status 1 if it is not running
python -m sandbox exec HOST -- CMD…   run a command as root on a host, by name or id
python -m sandbox trait               list the traits of real servers: shells, keys, sudo, …
python -m sandbox trait HOST TRAIT    give a running host one of them, permanently
python -m sandbox run -- CMD…         run a command on the operator's machine, with Pulumi and chef-push-jobs
python -m sandbox job [COMMAND]       run a command as a push job on both clients (sets them up first)
python -m sandbox inject              list the faults that its AWS API can return, and those that are pending
python -m sandbox inject FAULT [ACTION] [TIMES]   return a fault for the next requests; ACTION is e.g. RunInstances
python -m sandbox inject clear        remove pending faults

The environment variable SANDBOX selects the sandbox; by default it is this clone's own. Needs root.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox import job_clients, lifecycle, prerequisites
from sandbox.aws import fault_injection
from sandbox.hosts import network
from sandbox.hosts.host import Hosts, HostStatus
from sandbox.hosts.traits import TRAITS, give
from sandbox.operator import engine, workstation
from sandbox.operator.plugins import EngineError
from sandbox.paths import Sandbox
from sandbox.processes import SandboxError

COLUMNS = ("NAME", "ID", "ADDRESS", "IMAGE", "STATE", "SSHD")


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status; 2 for an invalid command line."""
    words, command = _split(arguments)
    try:
        sandbox = Sandbox.default()
        match words, command:
            case ["start"], None:
                lifecycle.start(sandbox, say)
            case ["stop"], None:
                lifecycle.stop(sandbox, say)
            case ["status"], None:
                return status(sandbox)
            case ["exec", host], [_, *_]:
                prerequisites.need_root()
                _become(Hosts(sandbox).command(host, command), dict(os.environ))
            case ["trait"], None:
                for name, trait in TRAITS.items():
                    say(f"{name:<20}{trait.title}")
            case ["trait", host, name], None:
                give_trait(sandbox, host, name)
            case ["inject", *rest], None if len(rest) <= 3:
                inject(sandbox, rest)
            case ["run"], [_, *_]:
                run(sandbox, command)
            case ["job", *words], None if len(words) <= 1:
                job(sandbox, *words)
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except (SandboxError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def status(sandbox: Sandbox) -> int:
    prerequisites.need_root()
    if not lifecycle.running(sandbox):
        print(f"sandbox {sandbox.name} is not running; `python -m sandbox start` starts it", file=sys.stderr)
        return 1
    rows = [COLUMNS, *(_row(host) for host in Hosts(sandbox).list())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def run(sandbox: Sandbox, command: Sequence[str]) -> None:
    """Replaces this process by the command. Raises SandboxError if there is no sandbox or no engine."""
    prerequisites.need_root()
    if not lifecycle.running(sandbox):
        raise SandboxError(f"sandbox {sandbox.name} is not running; `python -m sandbox start` starts it")
    try:
        found = engine.environment(sandbox.run / "home")
    except EngineError as error:
        raise SandboxError(str(error)) from error
    environment = workstation.environment(sandbox, found)
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    environment["debian_chroot"] = f"sandbox {sandbox.name}"  # a prompt of Debian's begins with it
    _become([*network.enter(sandbox.operator), *command], environment)


def job(sandbox: Sandbox, command: str = job_clients.COMMAND) -> None:
    """Raises SandboxError."""
    prerequisites.need_root()
    if not lifecycle.running(sandbox):
        raise SandboxError(f"sandbox {sandbox.name} is not running; `python -m sandbox start` starts it")
    job_clients.run_job(sandbox, command, say)


def give_trait(sandbox: Sandbox, host: str, name: str) -> None:
    """Raises ValueError for an unknown trait, SandboxError for a host that does not run."""
    prerequisites.need_root()
    if name not in TRAITS:
        raise ValueError(f"there is no trait {name}; `python -m sandbox trait` lists them")
    give(Hosts(sandbox), host, name)
    say(f"{host}: {TRAITS[name].title}")


def inject(sandbox: Sandbox, words: Sequence[str]) -> None:
    """Raises ValueError for an unknown fault, SandboxError if there is no sandbox."""
    if not lifecycle.running(sandbox):
        raise SandboxError(f"sandbox {sandbox.name} is not running; `python -m sandbox start` starts it")
    store = fault_injection.Faults(sandbox.faults)
    if list(words) == ["clear"]:
        store.clear()
    elif words:
        times = next((int(word) for word in words[1:] if word.isdecimal()), 1)
        action = next((word for word in words[1:] if not word.isdecimal()), "")
        store.inject(words[0], action, times)
    else:
        for name, fault in fault_injection.FAULTS.items():
            print(f"{name:<36}{fault.action:<32}{fault.message}")
    for row in store.waiting():
        print(f"waits: {row.fault} for {row.action}, {row.times} times")


def say(line: str) -> None:
    print(line, flush=True)


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """The words before `--`, and the command after it; None if there is no `--`."""
    words = list(arguments)
    if "--" not in words:
        return words, None
    at = words.index("--")
    return words[:at], words[at + 1 :]


def _row(host: HostStatus) -> tuple[str, ...]:
    return host.name, host.id, host.address, host.image, host.state, "listens" if host.sshd else "-"


def _become(argv: Sequence[str], environment: dict[str, str]) -> None:
    os.execvpe(argv[0], list(argv), environment)  # noqa: S606 - a shell would only stand between


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
