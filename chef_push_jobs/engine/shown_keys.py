"""The host key that a server presents, asked for before a login."""

from __future__ import annotations

from functools import partial
from typing import Any

OTHER_KIND = "of another kind"


def algorithms(host_key: str) -> list[str]:
    """The signature types to request, so that the server presents its key of this type: only the type's own name.

    So an sshd that no longer makes `ssh-rsa` signatures presents no RSA key; pulumi-command does not get one either.
    Source: pulumi-command, provider/pkg/provider/remote/connection.go.
    """
    return [host_key.split(maxsplit=1)[0]]


async def shown(host: str, port: int, host_key: str, tunnel: Any = ()) -> str:
    """The fingerprint of the server's key of the same type as `host_key`. Raises OSError, asyncssh.Error.

    sshd hangs up if it does not have the requested type, and answers if any type will do. It also hangs up when it is
    busy or about to stop, so both are asked twice.
    """
    import asyncssh  # noqa: PLC0415 - it takes half a second, and most runs ask nobody

    ask = partial(asyncssh.get_server_host_key, host, port, tunnel=tunnel, config=None)
    for _ in range(2):
        try:
            key = await ask(server_host_key_algs=algorithms(host_key))
        except (asyncssh.Error, ConnectionResetError, BrokenPipeError):
            await ask()
        else:
            return str(key.get_fingerprint()) if key else OTHER_KIND
    return OTHER_KIND
