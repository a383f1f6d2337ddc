"""The host key that a server presents, asked for before a login."""

from __future__ import annotations

from functools import partial
from typing import Any


def algorithms(host_key: str) -> list[str]:
    """The signature types to request, so that the server presents its key of this type: only the type's own name.

    So an sshd that no longer makes `ssh-rsa` signatures presents no RSA key; pulumi-command does not get one either.
    Source: pulumi-command, provider/pkg/provider/remote/connection.go.
    """
    return [host_key.split(maxsplit=1)[0]]


async def shown(host: str, port: int, host_key: str, tunnel: Any = ()) -> str:
    """The fingerprint of the server's key of the same type as `host_key`. Raises OSError, asyncssh.Error."""
    import asyncssh  # noqa: PLC0415 - it takes half a second, and most runs ask nobody

    ask = partial(asyncssh.get_server_host_key, host, port, tunnel=tunnel, config=None)
    try:
        key = await ask(server_host_key_algs=algorithms(host_key))
    except (asyncssh.Error, OSError):
        await ask()  # sshd hangs up if it does not have the requested type, and answers if any type will do
        key = None
    return key.get_fingerprint() if key else "of another kind"
