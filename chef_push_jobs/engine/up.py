"""Runs `pulumi up` and follows its event log, the same file that the Automation API reads.

The engine is a separate process in its own session, so Ctrl-C reaches it once, through this module, and then it ends
its tasks in its own way. The events that are read are recorded, with the time at which they arrived.
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
# Tasks at once. The engine's own default, four per processor, suits tasks that work on this machine; these wait for
# servers.
PARALLEL = "64"
STOPS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Finished:
    """`status` is pulumi's exit status; `said` is its output."""

    status: int
    said: str


def run(
    arguments: Sequence[str],
    keep: Path,
    pulumi: Pulumi,
    on_events: Callable[[Sequence[Event]], None],
    on_stop: Callable[[], None],
) -> Finished:
    """Returns when the engine ends. Raises PulumiError if it cannot be started.

    Calls `on_events` every tick, also without events, and `on_stop` when the engine is asked to stop.
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
    # --event-log is hidden, with other options for programs, unless PULUMI_DEBUG_COMMANDS is set.
    environment = {"PULUMI_PARALLEL": os.environ.get("PULUMI_PARALLEL", PARALLEL), "PULUMI_DEBUG_COMMANDS": "true"}
    return pulumi.start(*command, *arguments, output=output, environment=environment)


def _private(file: Path) -> IO[str]:
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w")


def _take(lines: IO[str], record: IO[str]) -> list[Event]:
    """The events so far; an incomplete line is left for later."""
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
    """If showing or recording events fails, stops the engine and waits for it, because it holds the stack's lock."""
    try:
        yield
    except BaseException:
        engine.send_signal(signal.SIGINT)
        engine.wait()
        raise


@contextmanager
def _passing_on(engine: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    """Sends the first request to stop to the engine as an interrupt; it needs only one. Yields the requests so far."""
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
