"""runsvdir of the stand-in: one process that keeps the enabled services running, and does what `sv` asks for.

A service that ends is started again, a second after its last start at the earliest. A request is one line of JSON on a
unix socket; see services.py. Every start, end and request is a line in the service's `current` log, with its time.
"""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from .services import ENABLED, LOGS, SOCKET

RUN = SOCKET.removesuffix(".sock")
SCAN_SECONDS = 5.0
RESTART_SECONDS = 1.0


@dataclass
class Service:
    name: str
    want: str
    process: subprocess.Popen[bytes] | None = None
    handle: int = -1
    since: float = field(default_factory=time.monotonic)
    started: float = float("-inf")

    @property
    def pid(self) -> int:
        return self.process.pid if self.process else 0

    def due(self) -> float | None:
        """When to start it, if it is to be started."""
        return self.started + RESTART_SECONDS if self.want == "up" and not self.process else None

    def log(self, message: str) -> None:
        with open(f"{LOGS}/{self.name}/current", "a", encoding="utf-8") as log:
            log.write(f"{datetime.now(UTC):%Y-%m-%d_%H:%M:%S.%f} runsv: {message}\n")

    def start(self) -> None:
        self.since = self.started = time.monotonic()
        with open(f"{LOGS}/{self.name}/current", "ab") as log:
            self.process = subprocess.Popen(
                ["./run"],
                cwd=f"{ENABLED}/{self.name}",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            )
        self.handle = os.pidfd_open(self.process.pid)
        self.log(f"started pid {self.process.pid}")

    def ended(self) -> None:
        if self.process:
            self.log(f"pid {self.process.pid} ended with status {self.process.wait()}")
        os.close(self.handle)
        self.process, self.handle, self.since = None, -1, time.monotonic()

    def signal(self, number: signal.Signals) -> None:
        if self.process:
            os.killpg(self.process.pid, number)


class Supervisor:
    def __init__(self) -> None:
        self.services: dict[str, Service] = {}
        self.selector = selectors.DefaultSelector()
        self.listener = socket.socket(socket.AF_UNIX)

    def listen(self) -> None:
        if os.path.exists(SOCKET):
            os.unlink(SOCKET)
        self.listener.bind(SOCKET)
        os.chmod(SOCKET, 0o600)
        self.listener.listen(64)
        self.selector.register(self.listener, selectors.EVENT_READ)

    def scan(self) -> None:
        """Take up what was enabled since, and drop what was disabled and is down."""
        names = set(os.listdir(ENABLED)) if os.path.isdir(ENABLED) else set()
        for name in sorted(names - self.services.keys()):
            if os.path.exists(f"{ENABLED}/{name}/run"):
                is_down = os.path.exists(f"{ENABLED}/{name}/down")
                self.services[name] = Service(name, "down" if is_down else "up")
        for name in self.services.keys() - names:
            self.services[name].want = "down"
            self.services[name].signal(signal.SIGTERM)
            if not self.services[name].process:
                del self.services[name]

    def command(self, command: str, name: str) -> dict[str, Any]:
        service = self.services.get(name)
        if command == "scan":
            self.scan()
        if service is None:
            return {"pid": 0, "since": 0, "want": "down", "known": False}
        before = service.pid
        if command in ("up", "restart"):
            service.want = "up"
        elif command in ("down", "kill"):
            service.want = "down"
        if command in ("down", "kill", "restart"):
            service.log(f"{command} requested")
            service.signal(signal.SIGKILL if command == "kill" else signal.SIGTERM)
        since = int(time.monotonic() - service.since)
        if command in ("up", "restart") and not service.process:
            service.started = float("-inf")
        return {"pid": before, "since": since, "want": service.want, "known": True}

    def answer(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            connection.settimeout(2)
            try:
                request = json.loads(connection.makefile("r", encoding="utf-8").readline())
                answer = self.command(request["command"], request["service"])
                connection.sendall(json.dumps(answer).encode() + b"\n")
            except (OSError, ValueError, KeyError, TypeError):
                return  # a client that went away or talks nonsense must not end the supervision

    def start(self, service: Service) -> None:
        try:
            service.start()
        except OSError as error:  # its run script or log directory is gone: tried again a second later, as runsv does
            print(f"{service.name}: {error}", file=sys.stderr)
            return
        self.selector.register(service.handle, selectors.EVENT_READ, service)

    def turn(self) -> None:
        """Start what is due, then wait for the next thing to happen."""
        now = time.monotonic()
        for service in self.services.values():
            due = service.due()
            if due is not None and due <= now:
                self.start(service)
        waiting = [due - now for due in (service.due() for service in self.services.values()) if due is not None]
        for key, _ in self.selector.select(max(0.0, min([SCAN_SECONDS, *waiting]))):
            if isinstance(key.data, Service):
                self.selector.unregister(key.fileobj)
                key.data.ended()
            else:
                self.answer()

    def run(self) -> None:
        self.listen()
        scanned = float("-inf")
        try:
            while True:
                if time.monotonic() - scanned >= SCAN_SECONDS:
                    self.scan()
                    scanned = time.monotonic()
                self.turn()
        finally:
            for service in self.services.values():
                service.signal(signal.SIGTERM)
            os.unlink(SOCKET)


def _stop(*_: object) -> NoReturn:
    raise SystemExit(0)


def main() -> int:
    lock = open(f"{RUN}.lock", "w", encoding="utf-8")  # noqa: SIM115  held until the process ends
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("runsvdir runs already", file=sys.stderr)
        return 0
    Path(f"{RUN}.pid").write_text(f"{os.getpid()}\n", encoding="ascii")
    supervisor = Supervisor()
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    supervisor.run()
    return 0
