"""Connects to a server over SSH and tries its ports. Every visit ends in time with an answer, never an exception.

The questions are in `probe.py`; `checks.py` interprets the answers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any

import asyncssh

from chef_push_jobs.cli.doctor import probe
from chef_push_jobs.cli.doctor.observations import PortState, ProbeResult
from chef_push_jobs.cli.doctor.probe import IncompleteFacts
from chef_push_jobs.config.stack_config import Ssh
from chef_push_jobs.engine import shown_keys
from chef_push_jobs.engine.remote_shell import bounded
from chef_push_jobs.engine.stack_state import Target
from chef_push_jobs.model.shown import line
from chef_push_jobs.model.ssh_keys import is_fingerprint

DIAL_SECONDS = 5.0
# A firewall that drops packets can only be recognised by silence.
KNOCK_SECONDS = 2.0
MOST_AT_ONCE = 50


async def visit_all(
    targets: Sequence[Target], ssh: Ssh, script: str, ports: Sequence[int], seconds: float
) -> dict[str, ProbeResult]:
    """The results by server name. No visit takes longer than `seconds`."""
    gate = asyncio.Semaphore(MOST_AT_ONCE)

    async def one(target: Target) -> ProbeResult:
        async with gate:
            return await visit(target, ssh, script, ports, seconds)

    visits = await asyncio.gather(*(one(target) for target in targets))
    return {target.name: found for target, found in zip(targets, visits, strict=True)}


async def visit(target: Target, ssh: Ssh, script: str, ports: Sequence[int], seconds: float) -> ProbeResult:
    doors = asyncio.gather(*(_knock(target.address, port) for port in ports))
    try:
        async with asyncio.timeout(seconds):
            found = await _ask(target, ssh, script)
    except TimeoutError:
        found = ProbeResult(trouble=f"no answer within {seconds:g} s")
    return replace(found, doors=dict(zip(ports, await doors, strict=True)))


async def _ask(target: Target, ssh: Ssh, script: str) -> ProbeResult:
    with ExitStack() as connections:
        try:
            options = await _options(ssh, connections)
            connection = await asyncssh.connect(
                target.address,
                ssh.port,
                username=ssh.user,
                known_hosts=_trusted(target.host_key),
                server_host_key_algs=shown_keys.algorithms(target.host_key),
                **options,
            )
            # Not an orderly close, which would wait for the server.
            connections.callback(connection.abort)
            process = await connection.create_process(probe.COMMAND, errors="replace")
            with suppress(OSError):  # if the server ends before it reads, its output says why
                process.stdin.write(script)
                process.stdin.write_eof()
            answered, said = await asyncio.gather(bounded(process.stdout), bounded(process.stderr))
            return ProbeResult(probe.parse_facts(answered), time=time.time())
        except (asyncssh.HostKeyNotVerifiable, asyncssh.KeyExchangeFailed):
            return ProbeResult(host_key=await _presented(target, ssh, options))
        except IncompleteFacts as error:
            last = said.strip().splitlines()[-1:]
            return ProbeResult(trouble=line(last[0] if last else str(error)))
        except Exception as error:  # whatever a server does to the SSH connection only affects its own row
            return ProbeResult(trouble=line(_plain(error)))


async def _options(ssh: Ssh, connections: ExitStack) -> dict[str, Any]:
    """Options of every connection: the operator's keys, timeouts, the way through a bastion."""
    options: dict[str, Any] = {
        "config": None,
        "preferred_auth": "publickey",
        "connect_timeout": DIAL_SECONDS,
        "login_timeout": 2 * DIAL_SECONDS,
    }
    if ssh.private_key is not None:
        options["client_keys"] = [asyncssh.import_private_key(ssh.private_key.get_secret_value())]
        options["agent_path"] = None
    if ssh.proxy is not None:
        key = None if not ssh.proxy.host_key or is_fingerprint(ssh.proxy.host_key) else ssh.proxy.host_key
        bastion = await asyncssh.connect(
            ssh.proxy.host,
            ssh.proxy.port,
            username=ssh.proxy.user,
            known_hosts=_trusted(key) if key else None,
            **options,
        )
        connections.callback(bastion.abort)
        options["tunnel"] = bastion
    return options


def _trusted(host_key: str) -> tuple[list[asyncssh.SSHKey], list[asyncssh.SSHKey], list[asyncssh.SSHKey]]:
    return [asyncssh.import_public_key(host_key)], [], []


async def _presented(target: Target, ssh: Ssh, options: Mapping[str, Any]) -> str:
    """The fingerprint of the host key that the server presents instead."""
    try:
        return await shown_keys.shown(target.address, ssh.port, target.host_key, options.get("tunnel", ()))
    except Exception:  # as above
        return "a different one"


def _plain(error: Exception) -> str:
    """An error in an operator's words."""
    if isinstance(error, TimeoutError):
        return f"no connection within {DIAL_SECONDS:g} s"
    if isinstance(error, asyncssh.PermissionDenied):
        return "SSH does not accept your keys (is the right one in the ssh-agent?)"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


async def _knock(address: str, port: int) -> PortState:
    try:
        async with asyncio.timeout(KNOCK_SECONDS):
            _, writer = await asyncio.open_connection(address, port)
    except ConnectionRefusedError:
        return PortState.REFUSED
    except OSError:
        return PortState.SILENT  # no answer, or a router's message that there is no route
    writer.close()
    return PortState.OPEN
