"""What is looked at before the plugin dials, over real SSH on this machine: nobody waits in the dark."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh
import pulumi
import pytest

from chef_push_jobs import scripts
from chef_push_jobs.engine import first_contact, shown_keys
from components import before_dialling
from tests.programs import COPY_KEY
from tests.unit.test_doctor_visit import KEY, MINE, OTHER, RSA, a_server, answers, line

MINE_TEXT = MINE.export_private_key().decode()


@dataclass
class Told:
    """What stands beside the resource."""

    ephemeral: list[str] = field(default_factory=list)
    lasting: list[str] = field(default_factory=list)

    def say(self, text: str, _resource: object = None, _stream: object = None, ephemeral: bool = False) -> None:
        (self.ephemeral if ephemeral else self.lasting).append(text)


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    told = Told()
    for severity in ("info", "warn"):
        monkeypatch.setattr(pulumi.log, severity, told.say)
    monkeypatch.setattr(first_contact, "PAUSE", 0.05)
    first_contact._KNOWN.clear()
    first_contact._LET_IN.clear()
    yield told


def check(connection: dict[str, Any], create: str = "true", old: str | None = None, boots: bool = False) -> Any:
    secret = {**connection, "host": "127.0.0.1", "user": "ubuntu", "dialErrorLimit": 5}
    inputs = {"connection": pulumi.Output.secret(secret), "create": create}
    outputs = None if old is None else {"stdout": old}
    args = pulumi.ResourceHookArgs("urn", "id", "install-x", "t", inputs, inputs, None, outputs)
    return before_dialling._check(args, boots=boots)


def checked(
    shown: asyncssh.SSHKey = KEY,
    old: str | None = None,
    pinned: asyncssh.SSHKey | None = KEY,
    *,
    reader: asyncssh.SSHKey = MINE,
    create: str = "true",
    boots: bool = False,
    wait: float = 0,
    **connection: Any,
) -> str | None:
    """What the hook says of a task on a server that shows a key: nothing, or why it is refused."""

    async def act() -> None:
        async with a_server(answers, host_key=shown, reader=reader) as port:
            known = {"hostKey": line(pinned)} if pinned else {}
            given = {"port": float(port), "privateKey": MINE_TEXT, **known, **connection}
            await check({name: value for name, value in given.items() if value}, create, old, boots)
            await asyncio.sleep(wait)

    try:
        asyncio.run(act())
    except ValueError as refused:
        return str(refused)
    return None


# Whose key it is


def test_a_task_on_a_server_that_shows_its_key_goes_on() -> None:
    assert checked(KEY) is None
    assert checked(KEY, old=f"{line(KEY)}\n{COPY_KEY}\n") is None
    assert checked(KEY, old=f"{COPY_KEY}\n") is None
    assert checked(KEY, old="4 examples, 0 failures") is None


@pytest.mark.parametrize("shown", [OTHER, RSA], ids=["of the same kind", "of another kind"])
@pytest.mark.parametrize("let_in", [False, True], ids=["met first", "met before"])
def test_a_task_on_a_server_that_shows_another_key_is_refused_before_anybody_dials(
    shown: asyncssh.SSHKey, let_in: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if let_in:
        monkeypatch.setattr(first_contact, "_place", lambda end: (end["host"], int(end["port"]), "ubuntu"))
        monkeypatch.setattr(first_contact, "_LET_IN", Everyone())
    told = checked(shown)
    assert told is not None
    for part in ("install-x (127.0.0.1)", KEY.get_fingerprint(), "Do:"):
        assert part in told
    assert (OTHER.get_fingerprint() if shown is OTHER else "of another kind") in told


class Everyone(set[Any]):
    def __contains__(self, _: object) -> bool:
        return True


def test_what_an_older_version_had_pinned_is_not_given_up_for_who_is_met_now() -> None:
    told = checked(OTHER, old=f"{line(KEY)}\n{COPY_KEY}\n", pinned=OTHER)
    assert told is not None and KEY.get_fingerprint() in told and OTHER.get_fingerprint() in told


# Who gets in


@pytest.mark.parametrize("pinned", [None, KEY], ids=["met first", "met before"])
def test_a_server_that_lets_nobody_in_is_told_at_once_with_what_to_do(pinned: asyncssh.SSHKey | None) -> None:
    begun = time.monotonic()
    said = checked(pinned=pinned, reader=OTHER)
    assert time.monotonic() - begun < 5
    assert said is not None
    assert "install-x (127.0.0.1): sshd lets none of the 1 keys in as ubuntu" in said
    assert "ssh.user" in said and "AllowUsers" in said and "Do:" in said


def test_a_machine_at_its_first_boot_is_dialled_on_and_the_reason_stands_beside_it(told: Told) -> None:
    assert checked(pinned=None, reader=OTHER, create=scripts.HOST_KEY, boots=True, wait=0.6) is None
    assert len(told.ephemeral) >= before_dialling.PATIENCE
    (lasting,) = told.lasting
    assert lasting.startswith("install-x (127.0.0.1): sshd lets none of the 1 keys in as ubuntu")


def test_a_server_that_is_not_there_yet_is_dialled_with_the_reason_beside_it_until_it_is(told: Told) -> None:
    async def act() -> None:
        async with a_server(answers) as port:
            pass
        await check({"port": port, "privateKey": MINE_TEXT, "hostKey": line(KEY)})
        await asyncio.sleep(0.12)
        keys = asyncssh.import_authorized_keys(line(MINE))
        server = await asyncssh.listen(
            "127.0.0.1", port, server_host_keys=[KEY], process_factory=answers, authorized_client_keys=keys
        )
        await asyncio.sleep(0.3)
        assert not before_dialling._WAITING, "it ends where somebody answers"
        server.close()

    asyncio.run(act())
    assert told.ephemeral
    assert set(told.ephemeral) == {"install-x: 127.0.0.1: Connection refused: dialled again"}


@pytest.mark.parametrize(
    ("answers_", "wanted"),
    [
        ([asyncssh.ConnectionLost("busy"), OTHER, KEY], KEY.get_fingerprint()),
        (
            [asyncssh.ConnectionLost("no such type"), OTHER, ConnectionResetError(104, "again"), OTHER],
            "of another kind",
        ),
        ([ConnectionRefusedError(111, "not up yet"), KEY], ConnectionRefusedError),
        ([asyncssh.ConnectionLost("it stops"), ConnectionRefusedError(111, "down")], ConnectionRefusedError),
    ],
    ids=["busy", "has no such key", "not up yet", "is stopping"],
)
def test_a_server_that_is_busy_or_just_starting_presents_no_other_key(
    answers_: list[Any], wanted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask(*_: object, **__: object) -> Any:
        answer = answers_.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(asyncssh, "get_server_host_key", ask)
    if isinstance(wanted, str):
        assert asyncio.run(shown_keys.shown("127.0.0.1", 22, line(KEY))) == wanted
    else:
        with pytest.raises(wanted):
            asyncio.run(shown_keys.shown("127.0.0.1", 22, line(KEY)))


def test_the_reason_is_told_as_long_as_the_plugin_dials_and_no_longer(told: Told) -> None:
    async def act() -> None:
        async with a_server(answers) as port:
            pass
        await check({"port": port, "privateKey": MINE_TEXT})
        await asyncio.sleep(0.6)
        assert not before_dialling._WAITING

    asyncio.run(act())
    assert len(told.ephemeral + told.lasting) == 5


# Whether there is a key at all


@pytest.mark.parametrize("agent", ["", "/nowhere/agent", "a socket without an agent", "an agent without a key"])
def test_without_a_key_to_log_in_with_nobody_is_dialled(
    agent: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def empty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if "without a key" in agent:
            await reader.readexactly(5)
            writer.write(b"\x00\x00\x00\x05\x0c\x00\x00\x00\x00")
            await writer.drain()
            await reader.read()
        writer.close()

    async def act() -> None:
        async with AsyncExitStack() as stack:
            path = agent
            if " " in agent:
                path = str(tmp_path / "agent")
                await stack.enter_async_context(await asyncio.start_unix_server(empty, path))
            monkeypatch.setenv("SSH_AUTH_SOCK", path)
            await check({"port": 1})

    with pytest.raises(ValueError, match="SSH agent") as refused:
        asyncio.run(act())
    for part in ("install-x: ", "ssh-add", "ssh.privateKey", "Do:"):
        assert part in str(refused.value)


@pytest.mark.parametrize(("key", "preview", "warned"), [(None, False, 1), (None, True, 0), ("key", False, 0)])
def test_a_missing_agent_is_told_before_machines_are_made(
    key: str | None, preview: bool, warned: int, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: preview)
    before_dialling.warn_without_agent(key)
    assert len(told.lasting) == warned
    assert all("there is no SSH agent" in text and "ssh-add" in text for text in told.lasting)
