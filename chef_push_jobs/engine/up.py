"""Runs `pulumi up` and follows its event log, the same file that the Automation API follows.

The engine is a process of its own, in a session of its own: Ctrl-C reaches it once, through here, and then it ends what
runs in its own way. What is read of the log is kept, with the time at which it came.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

from chef_push_jobs.engine.event_log import Event, event_of, kept
from chef_push_jobs.engine.pulumi_cli import Pulumi

TICK = 0.1  # seconds
# Tasks at once. The engine's own choice, four a processor of this machine, is for tasks that work here; these wait.
PARALLEL = "64"
STOPS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Finished:
    """`status` is pulumi's exit status; `said` is what it printed."""

    status: int
    said: str


def run(
    arguments: Sequence[str],
    keep: Path,
    pulumi: Pulumi,
    on_events: Callable[[Sequence[Event]], None],
    on_stop: Callable[[], None],
) -> Finished:
    """Until the engine ends. Raises PulumiError where it cannot be started.

    `on_events` is called every tick, also without events; `on_stop` when the engine is to stop.
    """
    keep.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        log, printed = Path(folder) / "events.jsonl", Path(folder) / "printed"
        log.touch()
        with log.open() as lines, printed.open("wb") as output, _private(keep) as record:
            engine = _start(arguments, log, pulumi, output)
            with _passing_on(engine) as asked, _not_left_alone(engine):
                told = False
                told = False
                while engine.poll() is None:
                    on_events(_take(lines, record))
                    time.sleep(TICK)
                    if asked and not told:
                        told = True
                        on_stop()
            on_events(_take(lines, record))
        return Finished(engine.returncode, printed.read_text(errors="replace"))


def _start(arguments: Sequence[str], log: Path, pulumi: Pulumi, output: IO[bytes]) -> subprocess.Popen[bytes]:
    command = ["up", "--yes", "--skip-preview", "--color", "never", "--event-log", str(log)]
    # --event-log is one of the options for other programs, which are hidden without PULUMI_DEBUG_COMMANDS.
    environment = {"PULUMI_PARALLEL": os.environ.get("PULUMI_PARALLEL", PARALLEL), "PULUMI_DEBUG_COMMANDS": "true"}
    return pulumi.start(*command, *arguments, output=output, environment=environment)


def _private(file: Path) -> IO[str]:
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w")


def _take(lines: IO[str], record: IO[str]) -> list[Event]:
    """The events that are there by now; a line that is not whole yet is left for later."""
    return list(_events(lines, record, time.time()))


def _events(lines: IO[str], record: IO[str], now: float) -> Iterator[Event]:
    while True:
        start = lines.tell()
        line = lines.readline()
        if not line.endswith("\n"):
            lines.seek(start)
            record.flush()
            return
        read = kept(json.loads(line), round(now, 3))
        if read:
            record.write(json.dumps(read) + "\n")
            event = event_of(read)
            if event:
                yield event


@contextmanager
def _not_left_alone(engine: subprocess.Popen[bytes]) -> Iterator[None]:
    """If showing or keeping what it says fails, the engine is to stop, and is waited for: it holds the stack's lock."""
    try:
        yield
    except BaseException:
        engine.send_signal(signal.SIGINT)
        engine.wait()
        raise


@contextmanager
def _passing_on(engine: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    """The first request to stop goes to the engine, as an interrupt; it needs no second. Gives the requests so far."""
    asked: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        if not asked:
            engine.send_signal(signal.SIGINT)
        asked.append(number)

    before = {number: signal.signal(number, stop) for number in STOPS}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
