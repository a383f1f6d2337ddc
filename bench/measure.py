"""Measures one run of a command from outside: seconds, CPU time of everything that it started, peak memory."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

CONTROL = Path("/sys/fs/cgroup")
TICK = 0.2  # seconds between two samples of the processes
LIMIT = 1800.0  # seconds
TICKS = os.sysconf("SC_CLK_TCK")  # per second


class Failed(Exception):
    """A command failed."""


@dataclass(frozen=True)
class Seen:
    """A process: CPU seconds, and its peak memory in bytes."""

    program: str
    cpu: float
    memory: int


@dataclass(frozen=True)
class Run:
    """Seconds.

    `cpu` is the operator's, `servers_cpu` the rest of the machine's. `programs`: CPU and peak bytes by program.
    """

    wall: float
    cpu: float
    servers_cpu: float
    programs: Mapping[str, tuple[float, int]] = field(default_factory=dict)


def run(argv: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> Run:
    """Waits until the command ends, then ends processes that it left behind. Raises Failed."""
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
        with _watched(group) as seen:
            try:
                status = process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                raise Failed(f"{argv} did not end within {LIMIT:.0f} s; it said {log}") from None
        wall = time.monotonic() - begun
        cpu = _cpu(group)
        total = machine_seconds()[0] - worked
    if status:
        raise Failed(f"{' '.join(argv)}: exit status {status}; it said:\n{log.read_text(errors='replace')[-3000:]}")
    return Run(wall, cpu, max(0.0, total - cpu), _by_program(seen.values()))


def machine_seconds() -> tuple[float, float]:
    """CPU seconds of this machine since its start: busy and idle, summed over all processors."""
    ticks = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle = ticks[3] + ticks[4]
    return (sum(ticks) - idle) / TICKS, idle / TICKS


def busy() -> float:
    """The share of all processors that is busy, over one second."""
    before = machine_seconds()
    time.sleep(1)
    worked, idle = (now - then for now, then in zip(machine_seconds(), before, strict=True))
    return worked / (worked + idle)


@contextmanager
def _group() -> Iterator[Path]:
    """A control group for the run, so that everything it starts is found."""
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
def _watched(group: Path) -> Iterator[dict[int, Seen]]:
    """The latest sample of each process; a process that ends between two samples may be missed."""
    last: dict[int, Seen] = {}
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(TICK):
            for pid in _processes(group):
                seen = _seen(pid)
                if seen:
                    last[pid] = seen

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield last
    finally:
        ended.set()
        thread.join()


def _by_program(seen: Iterable[Seen]) -> dict[str, tuple[float, int]]:
    """CPU seconds of all processes of a program, and the peak of the largest."""
    found: dict[str, tuple[float, int]] = {}
    for each in seen:
        cpu, memory = found.get(each.program, (0.0, 0))
        found[each.program] = (cpu + each.cpu, max(memory, each.memory))
    return found


def _seen(pid: int) -> Seen | None:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        status = Path(f"/proc/{pid}/status").read_text()
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    peak = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    if not peak:
        return None
    ticks = int(fields[11]) + int(fields[12])
    return Seen(_program(words), ticks / TICKS, int(peak[0]) * 1024)


def _program(words: Sequence[str]) -> str:
    """The module that Python runs, otherwise the program's name."""
    if "-m" in words[:-1]:
        return words[words.index("-m") + 1]
    return Path(words[0]).name
