"""Which host key a server shows, asked before anybody logs in."""

from __future__ import annotations

from functools import partial
from typing import Any


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
