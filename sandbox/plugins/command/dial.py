"""Connections as pulumi-command 1.2.1 dials them: authentication, host keys, bastions, retries with growing delays.

The caller's exit stack closes them (the official plugin leaves a command's connection open).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncssh

from sandbox.plugins.framework.table import PluginError
from sandbox.plugins.framework.values import Values

FIRST_DELAY, DELAY_GROWTH, LONGEST_DELAY = 0.1, 1.5, 5.0
UNLIMITED = -1
CANCELLED = asyncio.Event()  # by the engine; in the one loop in which all dialling happens
# What Go's net.Dialer sets in the kernel (seconds and probes): a server that is gone ends a command after 150 s. There
# is no other limit: 1.2.1 has none for a command, and a custom timeout only ends dialling.
KEEPALIVE = {socket.TCP_KEEPIDLE: 15, socket.TCP_KEEPINTVL: 15, socket.TCP_KEEPCNT: 9}
SHORTER_KEEPALIVE = "SANDBOX_KEEPALIVE"  # "1,1,3" instead of those, for tests that cannot wait
# What a failed attempt to connect raises; anything else is a bug in this module.
DIAL_ERRORS = (OSError, asyncssh.Error, asyncio.TimeoutError)

Result = TypeVar("Result")
Tell = Callable[[str, str], None]  # (severity, message); such a message is shown while the operation lasts


@dataclass(frozen=True)
class Login:
    """How to authenticate at a server, and the host key that it must present: `connection` without its address."""

    user: str
    keys: tuple[Any, ...]
    password: str | None
    host_key: asyncssh.SSHKey | None

    def options(self) -> dict[str, Any]:
        """Options for asyncssh.connect without this machine's configuration, default keys and known hosts."""
        pinned: dict[str, Any] = {"known_hosts": None}
        if self.host_key is not None:
            algorithm = self.host_key.algorithm.decode()
            pinned = {"known_hosts": ([self.host_key], [], []), "server_host_key_algs": [algorithm]}
        return {
            **pinned,
            "username": self.user,
            "client_keys": list(self.keys) or None,
            "password": self.password,
            "agent_path": None,
            "config": None,
            "gss_host": None,
            "preferred_auth": ["publickey", "password", "keyboard-interactive"],
            "login_timeout": 0,
        }

    def explain(self, error: Exception) -> str:  # noqa: PLR0911 - a table of types
        """The error in the official plugin's words."""
        match error:
            case asyncssh.HostKeyNotVerifiable():
                return "ssh: handshake failed: ssh: host key mismatch"
            case asyncssh.ConnectionLost() | ConnectionError() if self.host_key is not None:
                # The answer of a server that has no key of this type; the official plugin sees its list and says so.
                kind = self.host_key.algorithm.decode()
                return f"ssh: handshake failed: EOF (has the server a host key of type {kind}, as it is pinned?)"
            case asyncssh.PermissionDenied():
                methods = "none" + " publickey" * bool(self.keys) + " password" * (self.password is not None)
                tried = f"attempted methods [{methods}], no supported methods remain"
                return f"ssh: handshake failed: ssh: unable to authenticate, {tried}"
            case asyncssh.ChannelOpenError():
                return f"ssh: rejected: connect failed ({error.reason})"
            case ConnectionError():
                return f"ssh: handshake failed: {os.strerror(error.errno or 0).lower()}"
            case asyncssh.Error():
                return f"ssh: handshake failed: {error.reason or 'EOF'}"
            case TimeoutError():
                return "i/o timeout"
        return str(error)


@functools.lru_cache(maxsize=64)
def parsed_private_key(text: str, passphrase: str | None) -> asyncssh.SSHKey:
    """The parsed key; cached, because every command of a program has the same."""
    try:
        return asyncssh.import_private_key(text, passphrase)
    except asyncssh.KeyEncryptionError as error:
        raise PluginError(f"the private key cannot be decrypted: {error}") from error
    except asyncssh.KeyImportError as error:
        raise PluginError(f"the private key cannot be read: {error}") from error


@functools.lru_cache(maxsize=1024)
def parsed_host_key(text: str) -> asyncssh.SSHKey:
    try:
        return asyncssh.import_public_key(text)
    except asyncssh.KeyImportError as error:
        raise PluginError(f"failed to parse host key: {error}") from error


async def _login(connection: Values, stack: AsyncExitStack) -> Login:
    keys: tuple[Any, ...] = ()
    if connection.get("privateKey") is not None:
        keys = (parsed_private_key(connection["privateKey"], connection.get("privateKeyPassword")),)
    agent_path = connection.get("agentSocketPath") or os.environ.get("SSH_AUTH_SOCK")
    if agent_path:
        # The agent is used even with a private key, as in the official plugin: an agent that is gone is an error either
        # way.
        agent = await _agent(agent_path)
        stack.callback(agent.close)
        keys = keys or tuple(await agent.get_keys())
    host_key = connection.get("hostKey")
    return Login(
        user=connection["user"],
        keys=keys,
        password=connection.get("password"),
        host_key=parsed_host_key(host_key) if host_key is not None else None,
    )


async def _agent(path: str) -> asyncssh.SSHAgentClient:
    agent = asyncssh.SSHAgentClient(path)
    try:
        await agent.connect()
    except OSError as error:
        raise PluginError(f"dial unix {path}: connect: {os.strerror(error.errno or 0).lower()}") from error
    return agent


async def _retried(what: str, limit: int, dial: Callable[[], Awaitable[Result]], login: Login, tell: Tell) -> Result:
    """Dials until it succeeds, or has failed once more than the limit; logs each failure.

    The engine's Cancel ends the wait for the next attempt. An attempt that succeeds after it is used, as in 1.2.1.
    """
    delay, dials = FIRST_DELAY, 0
    while True:
        try:
            return await dial()
        except DIAL_ERRORS as error:
            if limit > UNLIMITED and dials + 1 > limit:
                raise PluginError(f"after {dials} failed attempts: {login.explain(error)}") from error
        dials += 1
        tell("info", f"{what} {dials}/{'inf' if limit == UNLIMITED else limit} failed: retrying")
        if await _cancelled_within(delay):
            raise PluginError("context canceled")
        delay = min(delay * DELAY_GROWTH, LONGEST_DELAY)


async def _cancelled_within(seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        return await asyncio.wait_for(CANCELLED.wait(), seconds)
    return False


async def connect_within(
    timeout: float, connection: Values, stack: AsyncExitStack, tell: Tell
) -> asyncssh.SSHClientConnection:
    """Like `connect`, within so many seconds (0: no limit): a custom timeout ends dialling, but no command."""
    try:
        async with asyncio.timeout(timeout or None):
            return await connect(connection, stack, tell)
    except TimeoutError:
        raise PluginError("context deadline exceeded") from None


async def connect(connection: Values, stack: AsyncExitStack, tell: Tell) -> asyncssh.SSHClientConnection:
    """A connection to the server, through its proxy if it has one; the stack closes it."""
    login = await _login(connection, stack)
    limit, host, port = connection["dialErrorLimit"], connection["host"], int(connection["port"])
    proxy = connection.get("proxy")
    if proxy is None:
        return await _retried("Dial", limit, lambda: _dial(connection, login, stack), login, tell)
    try:
        bastion = await connect(proxy | {"proxy": None}, stack, lambda severity, text: tell(severity, f"proxy: {text}"))

        async def through() -> asyncssh.SSHClientConnection:
            opened = await asyncssh.connect(host, port, tunnel=bastion, **login.options())
            return await stack.enter_async_context(opened)

        return await _retried("Dial from proxy", limit, through, login, tell)
    except PluginError as error:
        raise PluginError(f"proxy: {error}") from error


async def _dial(connection: Values, login: Login, stack: AsyncExitStack) -> asyncssh.SSHClientConnection:
    host, port = connection["host"], int(connection["port"])
    try:
        # The limit is only for the TCP connection, as in the official plugin; 0 means none.
        sock = await asyncio.wait_for(_tcp(host, port), connection["perDialTimeout"] or None)
    except OSError as error:
        reason = (
            "i/o timeout" if isinstance(error, TimeoutError) else f"connect: {os.strerror(error.errno or 0).lower()}"
        )
        raise OSError(f"dial tcp {host}:{port}: {reason}") from error
    return await stack.enter_async_context(await asyncssh.connect(host, port, sock=sock, **login.options()))


def _keep_alive(sock: socket.socket) -> None:
    shorter = os.environ.get(SHORTER_KEEPALIVE)
    values = [int(value) for value in shorter.split(",")] if shorter else KEEPALIVE.values()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in zip(KEEPALIVE, values, strict=True):
        sock.setsockopt(socket.IPPROTO_TCP, option, value)


async def _tcp(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    family, kind, protocol, _, address = (await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))[0]
    sock = socket.socket(family, kind, protocol)
    sock.setblocking(False)
    _keep_alive(sock)
    try:
        await loop.sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock
