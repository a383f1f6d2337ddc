"""One run of a command, measured from outside: seconds, processor time of all that it started, peak memory."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.farm import machine_seconds

CONTROL = Path("/sys/fs/cgroup")
TICK = 0.2  # seconds between two looks at the processes
LIMIT = 1800.0  # seconds


class Failed(Exception):
    """A command that did not end well."""


@dataclass(frozen=True)
class Run:
    """Seconds; `cpu` is the operator's, `servers_cpu` the rest of the machine's. `memory`: peak by program, bytes."""

    wall: float
    cpu: float
    servers_cpu: float
    memory: Mapping[str, int] = field(default_factory=dict)


def run(argv: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> Run:
    """Until the command ends; processes that it leaves behind are ended then. Raises Failed."""
    with _group() as group, log.open("wb") as output:
        worked, _ = machine_seconds()
        begun = time.monotonic()
        process = subprocess.Popen(
            ["sh", "-c", 'echo $$ > "$1/cgroup.procs"; shift; exec "$@"', "sh", str(group), *argv],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        with _watched(group) as memory:
            try:
                status = process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                raise Failed(f"{argv} did not end within {LIMIT:.0f} s; it said {log}") from None
        wall = time.monotonic() - begun
        cpu = _cpu(group)
        total = machine_seconds()[0] - worked
    if status:
        raise Failed(f"{' '.join(argv)}: exit status {status}; it said:\n{log.read_text(errors='replace')[-3000:]}")
    return Run(wall, cpu, max(0.0, total - cpu), dict(memory))


@contextmanager
def _group() -> Iterator[Path]:
    """A control group of the run's own, by which everything is found that it starts."""
    version_2 = (CONTROL / "cgroup.controllers").exists()
    group = (CONTROL if version_2 else CONTROL / "cpuacct") / f"bench-{os.getpid()}"
    group.mkdir()
    try:
        yield group
    finally:
        deadline = time.monotonic() + 10
        while left := _processes(group):
            for pid in left:
                _kill(pid)
            if time.monotonic() > deadline:
                raise Failed(f"processes {left} do not end")
            time.sleep(0.05)
        group.rmdir()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _processes(group: Path) -> list[int]:
    return [int(line) for line in (group / "cgroup.procs").read_text().split()]


def _cpu(group: Path) -> float:
    if (group / "cpuacct.usage").exists():
        return int((group / "cpuacct.usage").read_text()) / 1e9
    fields = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
    return int(fields["usage_usec"]) / 1e6


@contextmanager
def _watched(group: Path) -> Iterator[dict[str, int]]:
    """The largest resident size of each program so far, by what its command line calls it."""
    peak: dict[str, int] = {}
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(TICK):
            for pid in _processes(group):
                seen = _memory(pid)
                if seen:
                    name, size = seen
                    peak[name] = max(peak.get(name, 0), size)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def _memory(pid: int) -> tuple[str, int] | None:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return (_program(words), int(found[0]) * 1024) if found else None


def _program(words: Sequence[str]) -> str:
    """The module that Python runs, else the program's name."""
    if "-m" in words[:-1]:
        return words[words.index("-m") + 1]
    return Path(words[0]).name
