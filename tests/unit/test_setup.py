"""The scripts say what they are for and do nothing, and where the sandbox cannot run, why and where it can."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
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
            "root may not make namespaces and mounts here, as in an ordinary container",
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


@pytest.mark.parametrize("words", [["up", "sandbox", "--help"], ["bench", "ha-2+2", "-h"], ["down", "--all", "--help"]])
def test_help_is_given_wherever_it_is_asked_for(machine: Path, words: list[str]) -> None:
    for command in ("uname", "id", "unshare"):
        say(machine, command, "exit 9")
    variables = {**os.environ, "PATH": f"{machine}:{os.environ['PATH']}"}
    script, *arguments = words
    done = subprocess.run(
        [CLONE / "scripts" / script, *arguments], env=variables, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"scripts/{script}" in done.stdout


@pytest.mark.parametrize("name", ["run", "review", "changed-stacks"])
def test_what_ci_runs_helps_too(name: str) -> None:
    script = CLONE / ".ci" / name
    done = subprocess.run([script, "--help"], capture_output=True, text=True, check=False, timeout=10)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(script.read_text().splitlines()[1].removeprefix("# "))


@pytest.mark.parametrize("name", ["review", "changed-stacks"])
def test_what_ci_runs_says_what_it_takes(name: str) -> None:
    done = subprocess.run([CLONE / ".ci" / name], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: .ci/{name} takes ") and done.stderr.count("\n") == 1


def tools() -> list[Path]:
    """Modules that are run by `python -m`, as their pages say."""
    files = [path for folder in ("bench", "sandbox", "tests") for path in (CLONE / folder).rglob("*.py")]
    own = [path for path in files if ".venv" not in path.parts and 'if __name__ == "__main__":' in path.read_text()]
    pages = {path: ast.get_docstring(ast.parse(path.read_text())) or "" for path in own}
    return [path for path, page in pages.items() if re.search(r"(^|: )python -m", page, re.MULTILINE)]


@pytest.mark.parametrize("file", tools(), ids=lambda file: str(file.relative_to(CLONE)))
def test_every_tool_says_what_it_is_for_before_it_does_anything(file: Path) -> None:
    text = file.read_text()
    guarded = text.partition('if __name__ == "__main__":\n')[2]
    assert guarded.startswith("    help_if_asked(__doc__)\n") or "argparse" in text or "print(__doc__" in text


def test_a_tool_that_is_asked_what_it_is_for_does_nothing_else() -> None:
    recorded = CLONE / "tests" / "unit" / "files" / "script_digests.json"
    before = recorded.stat().st_mtime_ns
    command = [sys.executable, "-m", "tests.script_digests", "--help"]
    done = subprocess.run(command, cwd=CLONE, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("python -m tests.script_digests: records that")
    assert recorded.stat().st_mtime_ns == before


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """scripts/up, where everything is set up, on a sandbox with the stacks in `stacks.json`; python notes its words."""
    (tmp_path / "scripts").mkdir()
    shutil.copytree(CLONE / "stacks", tmp_path / "stacks")
    shutil.copy(CLONE / "scripts" / "up", tmp_path / "scripts" / "up")
    setup = 'say() { echo "$*" >&2; }\nfail() { say "error: $1"; say "what to do: $2"; exit 1; }\n'
    (tmp_path / "scripts" / "setup.sh").write_text(f"{setup}cd {tmp_path}\n")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    say(
        tmp_path / ".venv" / "bin",
        "python",
        f'[ "$1" != -c ] || exec {sys.executable} "$@"\necho "$*" >> {tmp_path}/asked\n'
        f'case "$*" in *"stack ls"*) cat {tmp_path}/stacks.json ;; esac',
    )
    return tmp_path


def brought_up(clone: Path, *words: str, stacks: object = ()) -> subprocess.CompletedProcess[str]:
    (clone / "stacks.json").write_text(json.dumps(stacks))
    return subprocess.run([clone / "scripts" / "up", *words], capture_output=True, text=True, check=False)


SANDBOXES = "sandbox-existing-vpc sandbox-ha-aws sandbox-private sandbox-standalone sandbox"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["example-aws"], "the stack example-aws is not one of the sandbox: it names another cloud, or none"),
        (["existing"], "the stack existing is not one of the sandbox: it names another cloud, or none"),
        (["nope"], "there is no stack nope"),
        (["sandbox", "sandbox-ha-aws"], "scripts/up takes one stack, and not: sandbox sandbox-ha-aws"),
    ],
)
def test_a_stack_that_is_none_of_the_sandbox_is_refused_and_nothing_touched(
    clone: Path, words: list[str], said: str
) -> None:
    done = brought_up(clone, *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {said}\nwhat to do: choose one: {SANDBOXES}")
    assert not (clone / "asked").exists(), "neither the sandbox nor pulumi is asked"


def test_a_second_stack_on_a_sandbox_in_use_is_told_what_to_do(clone: Path) -> None:
    stacks = [
        {"name": "sandbox", "resourceCount": 112},
        {"name": "empty", "resourceCount": 1},
        {"name": "never"},
        {"name": "sandbox-ha-aws", "resourceCount": 2},
    ]
    done = brought_up(clone, "sandbox-standalone", stacks=stacks)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: on this sandbox is sandbox sandbox-ha-aws already: one stack at a time, since their servers have the "
        "same addresses\nwhat to do: take it down first: scripts/down; or go on with it: scripts/up sandbox\n"
    )
    assert "select" not in (clone / "asked").read_text()
    assert brought_up(clone, "sandbox", stacks=stacks[:3]).returncode == 0


def test_down_does_nothing_on_a_word_that_it_does_not_know(machine: Path) -> None:
    variables = {**os.environ, "PATH": f"{machine}:{os.environ['PATH']}"}
    down = CLONE / "scripts" / "down"
    done = subprocess.run([down, "everything"], env=variables, capture_output=True, text=True, check=False)
    said = "error: scripts/down takes --all, --help or nothing, and not: everything\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)
