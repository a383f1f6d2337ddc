"""Doctor's visits over real sockets and SSH on this machine: each ends in time, with an answer and no exception."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncssh
import pytest

from chef_push_jobs.cli.doctor import probe
from chef_push_jobs.cli.doctor.observations import PortState, ProbeResult
from chef_push_jobs.cli.doctor.visit import visit, visit_all
from chef_push_jobs.config.stack_config import Ssh
from chef_push_jobs.engine.stack_state import Target

KEY = asyncssh.generate_private_key("ssh-ed25519")
OTHER = asyncssh.generate_private_key("ssh-ed25519")
MINE = asyncssh.generate_private_key("ssh-ed25519")
RSA = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
PACKAGES = "".join(f"package\t{name}\tnone\tno\n" for name in probe.PACKAGES)
ANSWER = f"from\t10.8.0.10\nprepared\tyes\n{PACKAGES}service\tnone\nend\tof-answers\n"


def line(key: asyncssh.SSHKey) -> str:
    return " ".join(key.export_public_key().decode().split()[:2])


def ssh(port: int) -> Ssh:
    return Ssh.model_validate({"port": port, "privateKey": MINE.export_private_key().decode()})


@asynccontextmanager
async def a_server(
    behaviour: Any, host_key: asyncssh.SSHKey = KEY, reader: asyncssh.SSHKey = MINE
) -> AsyncIterator[int]:
    keys = asyncssh.import_authorized_keys(line(reader))
    server = await asyncssh.listen(
        "127.0.0.1", 0, server_host_keys=[host_key], process_factory=behaviour, authorized_client_keys=keys
    )
    try:
        yield server.get_port()
    finally:
        server.close()


async def answers(process: asyncssh.SSHServerProcess[str]) -> None:
    await process.stdin.read()
    process.stdout.write(ANSWER)
    process.exit(0)


async def refuses(process: asyncssh.SSHServerProcess[str]) -> None:
    process.stderr.write("sudo: a password is required\n")
    process.exit(1)


async def greets(process: asyncssh.SSHServerProcess[str]) -> None:
    process.stdout.write("Welcome!\n")
    await answers(process)


def says(text: str) -> Any:
    async def behaviour(process: asyncssh.SSHServerProcess[str]) -> None:
        process.stdout.write(text)
        process.exit(0)

    return behaviour


async def speaks_for_ever(process: asyncssh.SSHServerProcess[str]) -> None:
    with suppress(OSError, asyncssh.Error):
        while True:
            process.stdout.write("from\t10.8.0.10\n" * 1000)
            await process.stdout.drain()


async def sleeps(process: asyncssh.SSHServerProcess[str]) -> None:
    await asyncio.sleep(60)


async def go(port: int, seconds: float = 20, host_key: asyncssh.SSHKey = KEY) -> ProbeResult:
    return await visit(Target("one", "127.0.0.1", line(host_key)), ssh(port), "script", [], seconds)


@pytest.mark.parametrize("behaviour", [answers, greets])
def test_a_server_answers(behaviour: Any) -> None:
    async def act() -> ProbeResult:
        async with a_server(behaviour) as port:
            return await go(port)

    found = asyncio.run(act())
    assert found.answers is not None
    assert found.answers.source == "10.8.0.10"


@pytest.mark.parametrize("shown", [OTHER, RSA], ids=["of the same kind", "of another kind"])
def test_another_host_key_is_told_by_its_fingerprint_and_nothing_is_sent(shown: asyncssh.SSHKey) -> None:
    asked = []

    async def asks(process: asyncssh.SSHServerProcess[str]) -> None:
        asked.append(process.command)

    async def act() -> ProbeResult:
        async with a_server(asks, host_key=shown) as port:
            return await go(port)

    found = asyncio.run(act())
    assert found.host_key == (OTHER.get_fingerprint() if shown is OTHER else "of another kind")
    assert (found.answers, asked) == (None, [])


@pytest.mark.parametrize(
    ("behaviour", "reader", "told"),
    [
        (refuses, MINE, "sudo: a password is required"),
        (answers, OTHER, "SSH does not accept your keys (is the right one in the ssh-agent?)"),
        (sleeps, MINE, "no answer within 1.5 s"),
        (speaks_for_ever, MINE, "its answer is longer than 256 KB"),
        (says("\x00\xff junk\n"), MINE, "its answer is incomplete"),
        (
            says(ANSWER.replace("\tnone\tno", "\t9.9; touch X\tno")),
            MINE,
            "it gave an unexpected answer: package  opscode-push-jobs-server  9.9; touch X  no",
        ),
        (
            says(ANSWER.replace("end\t", "listens\t\x1b[2J\nend\t")),
            MINE,
            "it gave an unexpected answer: listens  \\u001b[2J",
        ),
        (says(ANSWER.replace("end\t", "file\t/x\nend\t")), MINE, "it gave an unexpected answer: file  /x"),
        (says("from\t\nend\tof-answers\n"), MINE, "its answer lacks prepared, service"),
        (
            says("from\t\nprepared\tyes\nservice\tnone\nend\tof-answers\n"),
            MINE,
            "its answer lacks the version of chef-server-core, opscode-push-jobs-server",
        ),
    ],
    ids=[
        *("sudo refuses", "the key is refused", "it hangs", "it never ends", "junk", "an order as a version"),
        *("no number", "a line cut off", "words missing", "versions missing"),
    ],
)
def test_what_is_wrong_is_told_in_words(behaviour: Any, reader: asyncssh.SSHKey, told: str) -> None:
    async def act() -> ProbeResult:
        async with a_server(behaviour, reader=reader) as port:
            return await go(port, seconds=1.5)

    assert asyncio.run(act()).trouble == told


def test_one_server_that_never_speaks_and_many_that_do_take_the_time_of_one() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Holds both: a connection that nobody refers to is closed."""
        await asyncio.sleep(60)

    async def act() -> dict[str, ProbeResult]:
        silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
        port = silent.sockets[0].getsockname()[1]
        targets = [Target(str(number), "127.0.0.1", line(KEY)) for number in range(20)]
        try:
            return await visit_all(targets, ssh(port), "script", [], 1)
        finally:
            silent.close()

    started = time.monotonic()
    found = asyncio.run(act())
    assert {visit.trouble for visit in found.values()} == {"no answer within 1 s"}
    assert time.monotonic() - started < 5


def test_doors_are_open_refused_or_silent() -> None:
    async def act() -> ProbeResult:
        door = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
        gone = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
        ports = [server.sockets[0].getsockname()[1] for server in (door, gone)]
        gone.close()
        await gone.wait_closed()
        try:
            return await visit(Target("one", "127.0.0.1", line(KEY)), ssh(1), "script", ports, 5)
        finally:
            door.close()

    found = asyncio.run(act())
    assert list(found.doors.values()) == [PortState.OPEN, PortState.REFUSED]
    assert found.trouble == "Connect call failed ('127.0.0.1', 1)"
