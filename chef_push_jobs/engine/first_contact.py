"""The first contact with a server in a run, before pulumi-command dials: who answers, and can we log in?

The plugin itself dials for minutes, whatever the reason, and reports it only at the end.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from chef_push_jobs.engine import shown_keys
from chef_push_jobs.model.ssh_keys import fingerprint

if TYPE_CHECKING:
    import asyncssh

SECONDS = 10
PAUSE = 5  # seconds at most, like the plugin
_KNOWN: dict[tuple[Any, ...], asyncio.Task[None]] = {}
_LET_IN: set[tuple[Any, ...]] = set()
Connection = Mapping[str, Any]


class NotThere(Exception):
    """Nobody answers at the moment."""


class NoKey(Exception):
    """There is no key to log in with."""


class TurnedAway(Exception):
    """`host` accepts none of our keys for `user`; `on_the_way` says whether it is a bastion."""

    def __init__(self, host: str, user: str, keys: int, said: str, on_the_way: bool) -> None:
        super().__init__(f"sshd lets none of the {keys} keys in as {user} ({said})")
        self.host, self.user, self.on_the_way = host, user, on_the_way


class OtherKey(Exception):
    """`host` presents a different key than the pinned one; both as fingerprints."""

    def __init__(self, host: str, pinned: str, shown: str) -> None:
        super().__init__(f"the host key is {shown}, not {pinned}")
        self.host, self.pinned, self.shown = host, pinned, shown


async def contact(connection: Connection) -> None:
    """Logs in once per run and server. `connection` is as in pulumi-command.

    Raises NoKey, OtherKey, TurnedAway or NotThere.
    """
    ends = _ends(connection)
    place = tuple((*_place(end), end.get("hostKey")) for end in ends)
    if place not in _KNOWN:
        _KNOWN[place] = asyncio.ensure_future(attempt(connection))
    await asyncio.shield(_KNOWN[place])


async def attempt(connection: Connection) -> None:
    """Like `contact`, but each call makes a new attempt."""
    ends = _ends(connection)
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(SECONDS):
                tunnel: asyncssh.SSHClientConnection | None = None
                for end in ends:
                    if end is ends[-1] and _place(end) in _LET_IN:
                        await _is_pinned(end, tunnel)
                    else:
                        tunnel = await _login(end, tunnel, stack, on_the_way=end is not ends[-1])
        except TimeoutError:
            raise NotThere(f"{connection['host']} lets nobody in within {SECONDS} s") from None
    _LET_IN.update(map(_place, ends))


async def attempts(connection: Connection, tell: Callable[[Exception, int], None]) -> None:
    """Makes attempts while the plugin dials, until one succeeds or none can; tells each failure with its number."""
    for number in range(int(connection.get("dialErrorLimit") or 1)):
        try:
            await attempt(connection)
        except (NotThere, TurnedAway) as why:
            tell(why, number)
        except (NoKey, OtherKey) as why:
            tell(why, number)
            return
        else:
            return
        await asyncio.sleep(PAUSE)


async def login(connection: Connection, stack: AsyncExitStack) -> asyncssh.SSHClientConnection:
    """A connection to the last host, which `stack` closes. Raises NoKey, OtherKey, TurnedAway or NotThere."""
    *way, end = _ends(connection)
    tunnel: asyncssh.SSHClientConnection | None = None
    for each in way:
        tunnel = await _login(each, tunnel, stack, on_the_way=True)
    return await _login(end, tunnel, stack, on_the_way=False)


def _ends(connection: Connection) -> list[Connection]:
    return [end for end in (connection.get("proxy"), connection) if end]


def _place(end: Connection) -> tuple[Any, ...]:
    return end["host"], int(end.get("port") or 22), end.get("user") or "root"


async def _login(
    end: Connection, tunnel: asyncssh.SSHClientConnection | None, stack: AsyncExitStack, *, on_the_way: bool
) -> asyncssh.SSHClientConnection:
    import asyncssh  # noqa: PLC0415 - it takes half a second, and most runs ask nobody

    host, port, user = _place(end)
    pinned = end.get("hostKey")
    keys = await _keys(end, stack)
    options: dict[str, Any] = {"server_host_key_algs": shown_keys.algorithms(pinned)} if pinned else {}
    try:
        made = await asyncssh.connect(
            host,
            port,
            tunnel=tunnel or (),
            username=user,
            known_hosts=([asyncssh.import_public_key(pinned)], [], []) if pinned else None,
            client_keys=list(keys),
            agent_path=None,
            config=None,
            gss_host=None,
            preferred_auth="publickey",
            **options,
        )
    except asyncssh.PermissionDenied as error:
        raise TurnedAway(host, user, len(keys), error.reason, on_the_way) from None
    except (asyncssh.Error, OSError) as error:
        if pinned:
            await _is_pinned(end, tunnel)
        if "authentication failures" in str(error):
            raise TurnedAway(host, user, len(keys), str(error), on_the_way) from None
        raise NotThere(f"{host}: {_plain(error)}") from None
    stack.callback(made.abort)
    return made


async def _keys(end: Connection, stack: AsyncExitStack) -> Sequence[Any]:
    import asyncssh  # noqa: PLC0415 - as above

    if key := end.get("privateKey"):
        try:
            return [asyncssh.import_private_key(key)]
        except ValueError as error:
            raise NoKey(f"ssh.privateKey cannot be read ({error})") from None
    if why := agent_trouble():
        raise NoKey(why)
    agent = asyncssh.SSHAgentClient(os.environ["SSH_AUTH_SOCK"])
    try:
        await agent.connect()
        stack.callback(agent.close)
        keys = await agent.get_keys()
    except (OSError, ValueError) as error:
        raise NoKey(f"the SSH agent at {os.environ['SSH_AUTH_SOCK']} does not answer ({_plain(error)})") from None
    if not keys:
        raise NoKey("the SSH agent holds no key (`ssh-add -l`)")
    return keys


def agent_trouble() -> str | None:
    """Why no SSH agent is available, as far as that is known without asking it; None if there seems to be one."""
    path = os.environ.get("SSH_AUTH_SOCK")
    if not path:
        return "there is no SSH agent (SSH_AUTH_SOCK is not set)"
    return None if os.path.exists(path) else f"there is no SSH agent at {path} (SSH_AUTH_SOCK)"


async def _is_pinned(end: Connection, tunnel: asyncssh.SSHClientConnection | None) -> None:
    import asyncssh  # noqa: PLC0415 - as above

    host, port, _ = _place(end)
    if pinned := end.get("hostKey"):
        try:
            is_shown = await shown_keys.shown(host, port, pinned, tunnel or ())
        except (asyncssh.Error, OSError) as error:
            raise NotThere(f"{host}: {_plain(error)}") from None
        if is_shown != fingerprint(pinned):
            raise OtherKey(host, fingerprint(pinned), is_shown)


def _plain(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
