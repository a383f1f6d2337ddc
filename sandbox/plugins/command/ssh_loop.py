"""The asyncio loop in which all SSH runs, and the access to it from the plugin's threads.

Importing this imports asyncssh, which takes longer than the rest of the plugin: import it with the first connection.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from sandbox.plugins.command import dial, execution, sftp
from sandbox.plugins.framework.table import Call
from sandbox.plugins.framework.values import Archive, Asset, Values

DIAL_ERRORS = dial.DIAL_ERRORS
Execution = execution.Execution

Result = TypeVar("Result")


class Loop:
    """An asyncio loop in its own thread; operations wait for it in theirs."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def start(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Does the work in the loop; the caller waits for its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def cancel(self) -> None:
        """Ends dialling; what is connected continues to its end."""
        self._loop.call_soon_threadsafe(dial.CANCELLED.set)


LOOP = Loop()


def execute(call: Call, connection: Values, command: Execution) -> tuple[str, str]:
    """Runs the command on the server; returns stdout and stderr."""
    stdout, stderr = _there(call, lambda tell: execution.execute(connection, command, tell, call.timeout))
    return stdout, stderr


def copy(call: Call, connection: Values, source: Asset | Archive, target: str) -> None:
    """Copies the asset or archive to the server."""
    _there(call, lambda tell: sftp.copy(connection, source, target, tell, call.timeout))


def cancel() -> None:
    """Ends dialling."""
    LOOP.cancel()


def _there(call: Call, work: Callable[[dial.Tell], Coroutine[Any, Any, Any]]) -> Any:
    """Does the work in the loop, and passes its messages to the engine's log from this thread, in order."""
    messages: SimpleQueue[tuple[str, str] | None] = SimpleQueue()

    async def telling() -> Any:
        try:
            return await work(lambda severity, message: messages.put((severity, message)))
        finally:
            messages.put(None)

    future = LOOP.start(telling())
    while (line := messages.get()) is not None:
        severity, message = line
        call.log(severity, message, status=severity == "info")
    return future.result()
