"""A connection that breaks while a script is on its way: the script is run whole, or not at all."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from chef_push_jobs import scripts

SUDO = '#!/bin/sh\n[ "$1" != -n ] || shift\nexec "$@"\n'
ROOT = '#!/bin/sh\n[ "$1" != -u ] || set -- 0\necho "$1"\n'


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """A folder that stands for a server with the runner on it, whose user is as good as root."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "log").mkdir()
    task = scripts.Script("task").text.replace(scripts.HOME, str(tmp_path)).replace(scripts.LOGS, str(tmp_path / "log"))
    for name, text in (("bin/sudo", SUDO), ("bin/id", ROOT), ("task", task)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def login(server: Path, command: str, came: bytes) -> subprocess.CompletedProcess[bytes]:
    """What sshd does: the command by the login shell; its input ends where the connection does."""
    line = f"PATH={server}/bin:$PATH; {command.replace(scripts.HOME, str(server))}"
    return subprocess.run(["sh", "-c", line], input=came, capture_output=True, check=False)


def script(server: Path) -> str:
    """Each of its lines leaves a trace, by its number; longer than a pipe holds."""
    return "".join(f"echo {'.' * 200} > {server}/ran-{number}  # é\n" for number in range(500))


@pytest.mark.parametrize("way", ["task", "connect"])
def test_a_script_that_did_not_come_whole_is_not_run(server: Path, way: str) -> None:
    text = script(server)
    command = scripts.runner("chef-install", 30, 0, text) if way == "task" else scripts.connecting(text)
    sent = text.encode()
    for cut in (0, 1, len(sent) // 3, len(sent) // 2, len(sent) - 2):
        done = login(server, command, sent[:cut])
        assert not list(server.glob("ran-*")), f"{way}: a part of it ran, of {cut} bytes"
        assert done.returncode == 74, done.stderr
        assert b"nothing was run" in done.stderr
        assert not list(server.glob("*.sh*")), "nothing of it is left"
    done = login(server, command, sent)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(list(server.glob("ran-*"))) == 500


def test_a_command_that_an_older_version_left_in_the_state_is_run(server: Path) -> None:
    """What is done when a resource is deleted is the state's."""
    done = login(server, f"{scripts.RUNNER} uninstall 30 0", f"echo > {server}/ran-0\n".encode())
    assert done.returncode == 0, done.stderr
    assert (server / "ran-0").exists()
