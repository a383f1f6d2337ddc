"""Runs short scripts on servers, over SSH as pulumi-command connects: pinned host keys, through the bastion."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chef_push_jobs.model.shown import line

if TYPE_CHECKING:
    import asyncssh

MOST = 64 * 1024  # bytes of an answer that are read


@dataclass(frozen=True)
class Answer:
    """How a script ended, and what it printed. `status` is None where it could not be run, or not to its end."""

    status: int | None
    lines: tuple[str, ...]

    @property
    def last(self) -> str:
        return self.lines[-1] if self.lines else "no answer"


async def login(end: Mapping[str, Any], tunnel: Any = ()) -> asyncssh.SSHClientConnection:
    """A connection to `end`, which is as pulumi-command has it. Raises OSError, asyncssh.Error."""
    import asyncssh  # noqa: PLC0415 - it takes half a second, and most runs ask nobody

    key = end.get("privateKey")
    own: dict[str, Any] = {"client_keys": [asyncssh.import_private_key(key)], "agent_path": None} if key else {}
    pinned = end.get("hostKey")
    return await asyncssh.connect(
        end["host"],
        int(end.get("port") or 22),
        tunnel=tunnel,
        username=end.get("user") or "root",
        known_hosts=([asyncssh.import_public_key(pinned)], [], []) if pinned else None,
        config=None,
        preferred_auth="publickey",
        **own,
    )


async def run(connection: Mapping[str, Any], command: str, script: str, seconds: float) -> Answer:
    """Run `command` with `script` as its input, within `seconds`; `connection` is as pulumi-command has it.

    Whatever a server makes of it is an answer.
    """
    import asyncssh  # noqa: PLC0415 - as above

    opened: list[asyncssh.SSHClientConnection] = []
    try:
        async with asyncio.timeout(seconds):
            for end in (connection.get("proxy"), connection):
                if end:
                    opened.append(await login(end, opened[-1] if opened else ()))
            process = await opened[-1].create_process(command, stderr=asyncssh.STDOUT, errors="replace")
            process.stdin.write(script)
            process.stdin.write_eof()
            printed = await process.stdout.read(MOST)
            await process.wait_closed()
            return Answer(process.returncode, tuple(line(each) for each in printed.splitlines() if each.strip()))
    except TimeoutError:
        return Answer(None, (f"no answer within {seconds:g} s",))
    except (OSError, asyncssh.Error) as error:
        return Answer(None, (line(getattr(error, "strerror", None) or str(error) or type(error).__name__),))
    finally:
        for each in reversed(opened):
            each.abort()
