"""A plugin as a process: its gRPC server, the port on stdout, the engine's log, and its end when the engine is gone."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NoReturn

import grpc  # type: ignore[import-untyped]  # publishes no types

from sandbox.plugins.framework.protocol import engine_pb2, engine_pb2_grpc
from sandbox.plugins.framework.table import Log
from sandbox.processes import Signals

WORKERS = 512  # threads are created when needed; a waiting command occupies one
# How often the official plugins and language host check that the engine still exists; until then they outlive one that
# was killed. SANDBOX_HEALTH_CHECK sets other seconds, for tests that cannot wait.
HEALTH_CHECK_SECONDS, SOONER_HEALTH_CHECK = 300.0, "SANDBOX_HEALTH_CHECK"
ANSWER_SECONDS = 10.0
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
SEVERITIES = {
    "debug": engine_pb2.DEBUG,
    "info": engine_pb2.INFO,
    "warning": engine_pb2.WARNING,
    "error": engine_pb2.ERROR,
}


def serve(
    register: Callable[[grpc.Server], None], engine: Callable[[], str], at_end: Callable[[], None] | None = None
) -> NoReturn:
    """Serves on a free loopback port until the engine interrupts the process or is gone; then calls `at_end` and ends.

    `engine` is the engine's address, or "", which is never checked.
    """
    # The engine ends a plugin with this signal; it runs plugins in their own process group.
    interrupt = Signals(signal.SIGINT)
    server = grpc.server(ThreadPoolExecutor(max_workers=WORKERS), options=UNLIMITED)
    register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    every = float(os.environ.get(SOONER_HEALTH_CHECK, HEALTH_CHECK_SECONDS))
    gone = False
    while not gone and not interrupt.wait(every):
        gone = not healthy(engine())
    if at_end is not None:
        at_end()
    os._exit(1 if gone else 0)  # nobody is waiting for threads that still work


def healthy(address: str) -> bool:
    """Whether the engine answers, even if only that it does not know the request."""
    if not address:
        return True
    with grpc.insecure_channel(address) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            check(b"", timeout=ANSWER_SECONDS)
        except grpc.RpcError as error:
            return bool(error.code() == grpc.StatusCode.UNIMPLEMENTED)
    return True


class EngineLog:
    """Writes lines to the engine's log, about one resource or about the whole run. `engine` is its address."""

    def __init__(self, address: str) -> None:
        self.engine = ""
        self._lock = threading.Lock()
        self._engine: engine_pb2_grpc.EngineStub | None = None
        if address:
            self.connect(address)

    def connect(self, address: str) -> None:
        """Writes to the engine at this address from now on."""
        self.engine = address
        with self._lock:
            self._engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address, options=UNLIMITED))

    def about(self, urn: str) -> Log:
        """The log of one resource."""
        return partial(self._write, urn)

    def _write(self, urn: str, severity: str, message: str, *, status: bool = False) -> None:
        if self._engine is None:
            print(f"{severity}: {message}", file=sys.stderr, flush=True)
            return
        request = engine_pb2.LogRequest(severity=SEVERITIES[severity], message=message, urn=urn, ephemeral=status)
        self._engine.Log(request)
