"""Runs short scripts on servers over SSH, as pulumi-command connects: with pinned host keys, through the bastion."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chef_push_jobs.engine.first_contact import NoKey, NotThere, OtherKey, TurnedAway, login
from chef_push_jobs.model.shown import line

if TYPE_CHECKING:
    import asyncssh

MOST = 256 * 1024  # characters of an answer; the probe of a cluster with a thousand servers answers with 80,000


class TooMuch(Exception):
    """A server's output exceeds the limit."""


@dataclass(frozen=True)
class Answer:
    """How a script ended, and what it printed. `status` is None if it could not run, or did not finish."""

    status: int | None
    lines: tuple[str, ...]

    @property
    def last(self) -> str:
        return self.lines[-1] if self.lines else "no answer"


async def run(connection: Mapping[str, Any], command: str, script: str, seconds: float) -> Answer:
    """Runs `command` with `script` as its input, within `seconds`; `connection` is as in pulumi-command.

    Always returns an Answer, whatever the server does.
    """
    import asyncssh  # noqa: PLC0415 - it takes half a second, and most runs ask nobody

    try:
        async with AsyncExitStack() as stack, asyncio.timeout(seconds):
            end = await login(connection, stack)
            process = await end.create_process(command, stderr=asyncssh.STDOUT, errors="replace")
            process.stdin.write(script)
            process.stdin.write_eof()
            printed = await bounded(process.stdout)
            await process.wait_closed()
            return Answer(process.returncode, tuple(line(each) for each in printed.splitlines() if each.strip()))
    except TimeoutError:
        return Answer(None, (f"no answer within {seconds:g} s",))
    except (NoKey, NotThere, OtherKey, TooMuch, TurnedAway, OSError, asyncssh.Error) as error:
        return Answer(None, (line(str(error) or type(error).__name__),))


async def bounded(stream: asyncssh.SSHReader[str]) -> str:
    """Reads all output. Raises TooMuch."""
    pieces: list[str] = []
    while piece := await stream.read(MOST):
        pieces.append(piece)
        if sum(map(len, pieces)) > MOST:
            raise TooMuch(f"its answer is longer than {MOST // 1024} KB")
    return "".join(pieces)
