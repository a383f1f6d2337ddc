"""The scripts say what they are for and do nothing, and where the sandbox cannot run, why and where it can."""

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


@pytest.mark.parametrize("name", ["bench", "down", "pulumi", "test", "up"])
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_is_what_stands_at_the_head_and_nothing_is_done(machine: Path, name: str, option: str) -> None:
    script = CLONE / "scripts" / name
    for command in ("uname", "id", "unshare"):
        say(machine, command, "exit 9")
    variables = {**os.environ, "PATH": f"{machine}:{os.environ['PATH']}"}
    done = subprocess.run([script, option], env=variables, capture_output=True, text=True, check=False)
    head = [line[2:] for line in script.read_text().splitlines()[1:] if line.startswith("# ")]
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == head[: len(done.stdout.splitlines())]
    assert f"scripts/{name}" in done.stdout


def test_down_does_nothing_on_a_word_that_it_does_not_know(machine: Path) -> None:
    variables = {**os.environ, "PATH": f"{machine}:{os.environ['PATH']}"}
    down = CLONE / "scripts" / "down"
    done = subprocess.run([down, "everything"], env=variables, capture_output=True, text=True, check=False)
    said = "error: scripts/down takes --all, --help or nothing, and not: everything\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)
