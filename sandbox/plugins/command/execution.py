"""One command on one connection, as pulumi-command 1.2.1 runs it: environment, input, logged output, and its end.

Nothing ends a running command, not even the engine's Cancel. Differs where the official plugin would only cost the
sandbox: the connection is closed after the command, and a logged line over 64 KiB fails (the official plugin hangs).
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

import asyncssh

from sandbox.plugins.command.dial import Tell, connect_within
from sandbox.plugins.framework.table import PluginError
from sandbox.plugins.framework.values import Values

LONGEST_SHOWN_LINE = 64 * 1024
REFUSED_VARIABLE = (
    "Unable to set '{}'. This only works if your SSH server is configured to accept these variables via AcceptEnv. "
    "Alternatively, if a Bash-like shell runs the command on the remote host, you could prefix the command itself "
    "with the variables in the form 'VAR=value command'"
)


@dataclass(frozen=True)
class Execution:
    """One command: its input and environment, and which of its output is logged while it runs."""

    command: str
    stdin: str
    environment: Mapping[str, str]  # the server must accept these
    optional_environment: Mapping[str, str]  # the server may refuse these, with a warning
    shown: frozenset[str]  # of "stdout", "stderr"


class Session(asyncssh.SSHClientSession[bytes]):
    """Collects the command's output, and logs its complete lines."""

    def __init__(self, execution: Execution, tell: Tell) -> None:
        self.execution = execution
        self.tell = tell
        self.written = {"stdout": bytearray(), "stderr": bytearray(), "both": bytearray()}
        self.line = bytearray()
        self.failure: PluginError | None = None

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """Sends the environment before the command, and waits for answers: asyncssh itself does not ask for them."""
        self.channel = chan
        self._request = chan._make_request
        chan._make_request = self._environment_first  # type: ignore[method-assign]

    async def _environment_first(self, request: bytes, *args: bytes) -> bool | None:
        for name, value in self.execution.environment.items():
            if not await self._accepted(name, value):
                self.tell("error", REFUSED_VARIABLE.format(name))
                raise PluginError(f'could not set environment variable "{name}": ssh: setenv failed')
        for name, value in self.execution.optional_environment.items():
            if not await self._accepted(name, value):
                self.tell("warning", REFUSED_VARIABLE.format(name))
        return await self._request(request, *args)

    async def _accepted(self, name: str, value: str) -> bool | None:
        strings = (text.encode() for text in (name, value))
        return await self._request(b"env", *(len(text).to_bytes(4, "big") + text for text in strings))

    def data_received(self, data: bytes, datatype: int | None) -> None:
        name = "stdout" if datatype is None else "stderr"
        self.written[name] += data
        self.written["both"] += data
        if name in self.execution.shown:
            self._show(data)

    def _show(self, data: bytes) -> None:
        self.line += data
        *lines, rest = bytes(self.line).split(b"\n")
        self.line = bytearray(rest)
        for line in lines:
            self.tell("info", line.decode(errors="replace").removesuffix("\r"))
        if len(rest) >= LONGEST_SHOWN_LINE:
            self.failure = PluginError(
                "the command wrote a line of more than 64 KiB, on which the official plugin hangs: use logging: none"
            )
            self.channel.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.line:
            self.tell("info", self.line.decode(errors="replace"))

    def text(self, name: str) -> str:
        return self.written[name].decode(errors="replace")


async def execute(connection: Values, execution: Execution, tell: Tell, timeout: float) -> tuple[str, str]:
    """Runs the command on its own connection; returns stdout and stderr. Fails unless it ends with exit status 0."""
    async with AsyncExitStack() as stack:
        client = await connect_within(timeout, connection, stack, tell)
        session = Session(execution, tell)
        channel, _ = await client.create_session(lambda: session, execution.command, encoding=None)
        stack.callback(channel.close)
        if execution.stdin:  # a command without input may have ended by now, which is not an error
            channel.write(execution.stdin.encode())
        channel.write_eof()
        await channel.wait_closed()
        if session.failure is not None:
            raise session.failure
        problem = _ending(channel)
        if problem:
            raise PluginError(f"{problem}: running {quoted(execution.command)}:\n{session.text('both')}")
        return session.text("stdout"), session.text("stderr")


def _ending(channel: asyncssh.SSHClientChannel[bytes]) -> str:
    """Why the command failed, in the official plugin's words; "" if it did not."""
    ended_by = channel.get_exit_signal()
    if ended_by is not None:
        name, _, message, _ = ended_by
        number = getattr(signal, f"SIG{name}", 0)
        return f"Process exited with status {128 + number} from signal {name}" + (
            f". Reason was: {message}" if message else ""
        )
    status = channel.get_exit_status()
    if status is None:
        return "wait: remote command exited without exit status or exit signal"
    return f"Process exited with status {status}" if status else ""


ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}


def quoted(text: str) -> str:
    """The text in double quotes, as Go's %q formats it."""
    return '"' + "".join(ESCAPES.get(c, c if c.isprintable() else f"\\x{ord(c):02x}") for c in text) + '"'
