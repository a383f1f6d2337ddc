"""Where the sandbox cannot run, `scripts/up` says why and where it can, before it installs anything."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from sandbox.paths import CLONE

PLACES = """\
what to do: run it in a virtual machine, on a cloud machine, or in a container that may do it:
            docker run --privileged --rm -it -v "$PWD:/project" -w /project debian:12 """


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder of commands that come before those of this machine: root of a Linux, which has everything already."""
    say(tmp_path, "uname", "echo Linux")
    say(tmp_path, "id", "echo 0")
    say(tmp_path, "unshare", "exit 0")
    for name in ("apt-get", "pip", "python3"):
        say(tmp_path, name, f"echo {name} was called; exit 9")
    return tmp_path


def say(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    ("command", "script", "error", "remedy"),
    [
        ("uname", "echo Darwin", "the sandbox needs Linux, and this is Darwin", PLACES),
        ("uname", "echo MINGW64_NT-10.0", "the sandbox needs Linux, and this is MINGW64_NT-10.0", PLACES),
        (
            "unshare",
            "echo unshare failed: Operation not permitted >&2; exit 1",
            "root may not make namespaces and mounts here, as in a plain container",
            PLACES,
        ),
        ("id", "echo 1000", "the sandbox makes network namespaces and mounts, so it needs root", "what to do: sudo "),
    ],
    ids=["macOS", "Windows", "container", "no root"],
)
def test_it_says_why_and_where_and_installs_nothing(
    machine: Path, command: str, script: str, error: str, remedy: str
) -> None:
    say(machine, command, script)
    up = CLONE / "scripts" / "up"
    variables = {**os.environ, "PATH": f"{machine}:{os.environ['PATH']}"}
    done = subprocess.run([up], env=variables, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"error: {error}\n{remedy}{up}\n")
