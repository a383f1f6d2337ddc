"""What is said where a sandbox cannot start."""

from __future__ import annotations

import os

import pytest

from sandbox import prerequisites
from sandbox.__main__ import main
from sandbox.processes import SandboxError


@pytest.mark.parametrize("words", [["start"], ["stop"], ["status"], ["exec", "h", "--", "id"], ["run", "--", "id"]])
def test_every_command_says_that_it_needs_root(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(words) == 1
    assert "needs root: run with sudo" in capsys.readouterr().err


def test_all_missing_packages_are_named_at_once() -> None:
    def which(command: str, path: str) -> str | None:
        return None if command in ("ip", "nft", "nsenter", "unshare") else command

    with pytest.raises(SandboxError) as refused:
        prerequisites.need_commands(which)
    assert str(refused.value) == (
        "commands are missing: ip, nft, nsenter, unshare; install them: apt-get install iproute2 nftables util-linux"
    )


@pytest.mark.parametrize(
    "words", [[], ["restart"], ["exec", "host"], ["exec", "--", "id"], ["run"], ["start", "--", "x"]]
)
def test_a_command_line_that_is_none_shows_what_there_is(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert "python -m sandbox exec HOST -- CMD" in capsys.readouterr().err


def test_a_name_that_is_none_is_refused_before_anything_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SANDBOX", "../etc")
    assert main(["stop"]) == 1
    assert capsys.readouterr().err.startswith("error: sandbox name '../etc': must be 1 to 12 lower-case")
