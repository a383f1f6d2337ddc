"""Which host key a server shows, asked before anybody logs in."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from chef_push_jobs.engine.remote_shell import login
from chef_push_jobs.model.ssh_keys import fingerprint

if TYPE_CHECKING:
    import asyncssh

SECONDS = 10
_KNOWN: dict[tuple[Any, ...], asyncio.Task[OtherKey | None]] = {}
_AT_ONCE = 8


@dataclass(frozen=True)
class OtherKey:
    """At `host` another key is shown than the pinned one; both by their fingerprints."""

    host: str
    pinned: str
    shown: str


def algorithms(host_key: str) -> list[str]:
    """The signatures to ask for, so that the server shows its key of this kind: the kind's own name, and no other.

    So an RSA key is shown by no sshd that does not sign with `ssh-rsa` any more: pulumi-command does not get it either.
    Source: pulumi-command, provider/pkg/provider/remote/connection.go.
    """
    return [host_key.split(maxsplit=1)[0]]


async def shown(host: str, port: int, host_key: str, tunnel: Any = ()) -> str:
    """The fingerprint of the key that is shown, of the kind that `host_key` is of. Raises OSError, asyncssh.Error."""
    import asyncssh  # noqa: PLC0415 - it takes half a second, and most runs ask nobody

    ask = partial(asyncssh.get_server_host_key, host, port, tunnel=tunnel, config=None)
    try:
        key = await ask(server_host_key_algs=algorithms(host_key))
    except (asyncssh.Error, OSError):
        await ask()  # sshd hangs up on who asks for a kind that it has not, and answers who asks for any
        key = None
    return key.get_fingerprint() if key else "of another kind"


async def other_than_pinned(connection: Mapping[str, Any]) -> OtherKey | None:
    """What is not as `connection` pins it, at its proxy or its end, each asked once a run.

    `connection` is as pulumi-command has it. Whoever cannot be asked is left to the plugin, which dials more than once.
    """
    ends = [end for end in (connection.get("proxy"), connection) if end]
    place = tuple((end["host"], end.get("port"), end.get("hostKey")) for end in ends)
    if place not in _KNOWN:
        _KNOWN[place] = asyncio.ensure_future(_other(ends))
    return await _KNOWN[place]


async def _other(ends: list[Mapping[str, Any]]) -> OtherKey | None:
    import asyncssh  # noqa: PLC0415 - as above

    tunnel: asyncssh.SSHClientConnection | None = None
    try:
        async with asyncio.timeout(SECONDS):
            for end in ends:
                host, port, pinned = end["host"], int(end.get("port") or 22), end.get("hostKey")
                if pinned:
                    is_shown = await shown(host, port, pinned, tunnel or ())
                    if is_shown != fingerprint(pinned):
                        return OtherKey(host, fingerprint(pinned), is_shown)
                if end is not ends[-1]:
                    tunnel = await login(end)
    except (OSError, asyncssh.Error, TimeoutError):
        return None
    finally:
        if tunnel:
            tunnel.abort()
    return None
