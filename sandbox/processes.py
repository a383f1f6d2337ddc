"""Other processes: runs one with a clear error, identifies one, ends exactly those of a sandbox."""

from __future__ import annotations

import os
import select
import shlex
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

DEATH_SECONDS = 10.0
PF_EXITING = 0x4  # include/linux/sched.h


class SandboxError(Exception):
    """What went wrong, and what the operator can do about it."""


class Signals:
    """Signals that the main thread waits for.

    Python runs handlers only when that thread continues, so a signal that arrives just before it waits, or in another
    thread, would not end the wait. Python writes to a descriptor at once. Signals are not blocked, because child
    processes would inherit that.
    """

    def __init__(self, *numbers: signal.Signals) -> None:
        self._come, told = os.pipe()
        os.set_blocking(told, False)
        signal.set_wakeup_fd(told, warn_on_full_buffer=False)
        for number in numbers:
            signal.signal(number, lambda *_: None)

    def wait(self, seconds: float | None = None) -> bool:
        """Whether one has arrived by then."""
        return bool(select.select([self._come], [], [], seconds)[0])


def run(argv: Sequence[str], stdin: str = "") -> str:
    """The command's output. Raises SandboxError with the command and its output."""
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip() or "it printed nothing"
        raise SandboxError(f"{shlex.join(argv)}: exit status {done.returncode}: {said}")
    return done.stdout


@dataclass(frozen=True)
class Process:
    """A process that can be recognised: pids are reused, but start times (ticks since boot) distinguish processes."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """None if there is no such process, or only its zombie."""
        found = _stat(pid)
        return cls(pid, int(found[19])) if found else None

    @property
    def alive(self) -> bool:
        return Process.of(self.pid) == self

    @property
    def works(self) -> bool:
        """Alive and not ending: a killed pid 1 stays until the last process of its namespace is gone."""
        found = _stat(self.pid)
        return found is not None and int(found[19]) == self.started and not int(found[6]) & PF_EXITING

    def works_in(self, directory: str) -> bool:
        """Whether its working directory, as named in its own root, is below this one."""
        try:
            return os.readlink(f"/proc/{self.pid}/cwd").startswith(f"{directory}/")
        except OSError:
            return False

    def end(self, number: signal.Signals = signal.SIGKILL, seconds: float = DEATH_SECONDS) -> bool:
        """Signals it and waits until it is gone; False if it still runs. Another process with its pid is left alone."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return True
        try:
            if self.alive:  # checked while the handle is held, so the signal below cannot reach another process
                signal.pidfd_send_signal(handle, number)
                return bool(select.select([handle], [], [], seconds)[0])
        except ProcessLookupError:
            pass  # it has ended meanwhile
        finally:
            os.close(handle)
        return True


def inside(namespaces: Iterable[Path]) -> list[Process]:
    """All processes in these network namespaces: exactly what a sandbox started, recorded or not."""
    wanted = {_identity(path) for path in namespaces} - {None}
    if not wanted:
        return []
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    found = (Process.of(pid) for pid in pids if _identity(Path(f"/proc/{pid}/ns/net")) in wanted)
    return [process for process in found if process]


def end_all(namespaces: Sequence[Path]) -> None:
    """Ends all processes in these network namespaces, including those that start meanwhile. Raises SandboxError."""
    deadline = time.monotonic() + DEATH_SECONDS
    while processes := inside(namespaces):
        if time.monotonic() > deadline:
            raise SandboxError(
                f"processes {[process.pid for process in processes]} do not end; is a disk or mount stuck?"
            )
        for process in processes:
            process.end()


def _stat(pid: int) -> list[str] | None:
    """The fields of proc_pid_stat(5) from the state on; None if there is no such process, or only its zombie."""
    try:
        found = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if found[0] in "ZX" else found


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None  # gone; or it has more rights than this one, so nothing here started it
    return found.st_dev, found.st_ino
