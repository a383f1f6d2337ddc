"""The system of the hosts: made once, whole or not at all. A stand-in for mmdebstrap says how far it came."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.hosts import root_image
from sandbox.paths import CLONE
from sandbox.processes import SandboxError
from tests.sandbox.conftest import until

pytestmark = pytest.mark.usefixtures("root")

WHOLE = 'for last; do :; done; mkdir "$last"; echo made >> {log}; touch "$last/whole"'
Mmdebstrap = Callable[[str], Path]


@pytest.fixture
def mmdebstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mmdebstrap:
    """Puts a script in the place of mmdebstrap and gives the log that it may write; the cache is the test's own."""

    def replace(script: str) -> Path:
        log, command = tmp_path / "log", tmp_path / "bin" / "mmdebstrap"
        command.parent.mkdir(exist_ok=True)
        command.write_text(f"#!/bin/sh\nset -eu\n{script.format(log=log)}\n")
        command.chmod(0o755)
        return log

    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return replace


def test_it_is_made_once_by_any_number_that_want_it(mmdebstrap: Mmdebstrap) -> None:
    log = mmdebstrap("sleep 0.2; " + WHOLE)
    program = [sys.executable, "-m", "sandbox.hosts.root_image"]
    wanting = [subprocess.Popen(program, cwd=CLONE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    places = {process.communicate()[0].strip() for process in wanting}
    assert places == {str(root_image.place())}
    assert (root_image.place() / "whole").exists()
    assert log.read_text() == "made\n"


def test_another_recipe_is_another_image(mmdebstrap: Mmdebstrap, monkeypatch: pytest.MonkeyPatch) -> None:
    mmdebstrap(WHOLE)
    first = root_image.make(print)
    monkeypatch.setattr(root_image, "PACKAGES", (*root_image.PACKAGES, "cowsay"))
    second = root_image.make(print)
    assert first != second and first.exists() and second.exists()


def test_what_is_missing_is_said_and_no_half_is_left(mmdebstrap: Mmdebstrap) -> None:
    mmdebstrap('for last; do :; done; mkdir "$last"; echo "E: Unable to locate package cowsay"; exit 100')
    with pytest.raises(SandboxError) as refused:
        root_image.make(print)
    said = str(refused.value).splitlines()
    assert said[0].endswith("mmdebstrap: exit status 100; the last of what it said:")
    assert said[1] == "  | E: Unable to locate package cowsay"
    assert said[2].startswith("Rule: ") and said[3].startswith("Do: ")
    assert [path.name for path in root_image.place().parent.iterdir()] == ["root.lock"]


def test_a_killed_build_leaves_no_process_and_the_next_one_begins_anew(mmdebstrap: Mmdebstrap) -> None:
    log = mmdebstrap('for last; do :; done; mkdir "$last"; touch "$last/half"; echo begun > {log}; exec sleep 6543')
    killed = subprocess.Popen([sys.executable, "-m", "sandbox.hosts.root_image"], cwd=CLONE)
    until(log.exists)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    until(lambda: subprocess.run(["pgrep", "-f", "sleep 6543"], stdout=subprocess.DEVNULL, check=False).returncode == 1)
    assert not root_image.place().exists()
    mmdebstrap(WHOLE)
    root = root_image.make(print)
    assert sorted(path.name for path in root.iterdir()) == ["whole"]
