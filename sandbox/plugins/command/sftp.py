"""CopyToRemote's copying over SFTP: a text, a file or a directory, as pulumi-command 1.2.1 places them.

Leaves out owners and modes (as the official plugin does), and assets from URIs, which 1.2.1 refuses.

    source | target is a directory | target does not exist | target is a file
    dir    | target/dir            | target/dir            | refused
    dir/   | target/…              | target/…              | refused
    file   | target/file           | target                | overwritten
    text   | refused               | target                | overwritten
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from posixpath import dirname, join

import asyncssh

from sandbox.plugins.command.dial import Tell, connect_within
from sandbox.plugins.framework.table import PluginError
from sandbox.plugins.framework.values import Archive, Asset, Values


async def copy(connection: Values, source: Asset | Archive, target: str, tell: Tell, timeout: float) -> None:
    """Copies the asset or archive to the path on the server, on its own connection."""
    async with AsyncExitStack() as stack:
        client = await connect_within(timeout, connection, stack, tell)
        remote = await stack.enter_async_context(client.start_sftp_client())
        try:
            if source.path is not None:
                await _copy_path(remote, source.path, target)
            elif isinstance(source, Asset):
                await _copy_text(remote, source.text or "", target)
        except asyncssh.SFTPError as error:
            raise PluginError(f"failed to copy to {connection['host']}:{target}: {error.reason}") from error
        except OSError as error:
            raise PluginError(f"failed to copy to {connection['host']}:{target}: {error}") from error


async def _copy_text(remote: asyncssh.SFTPClient, text: str, target: str) -> None:
    if await remote.isdir(target):
        raise PluginError(
            f"remote path {target} is a directory; when using a text asset, remotePath must be a file path"
        )
    await _write(remote, text.encode(), target)


async def _copy_path(remote: asyncssh.SFTPClient, source: str, target: str) -> None:
    local = Path(source)
    into = await remote.isdir(target)
    if not local.is_dir():
        await _write(remote, local.read_bytes(), join(target, local.name) if into else target)
        return
    if not into and await remote.exists(target):
        raise PluginError(f"remote path {target} exists but is not a directory")
    top = target if source.endswith("/") else join(target, local.name)
    await remote.makedirs(top, exist_ok=True)
    for path in sorted(local.rglob("*")):
        there = join(top, path.relative_to(local).as_posix())
        if path.is_dir():
            await remote.makedirs(there, exist_ok=True)
        else:
            await _write(remote, path.read_bytes(), there)


async def _write(remote: asyncssh.SFTPClient, content: bytes, target: str) -> None:
    if dirname(target):
        await remote.makedirs(dirname(target), exist_ok=True)
    async with remote.open(target, "wb") as file:
        await file.write(content)
