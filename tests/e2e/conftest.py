"""Whole stacks on sandboxes of their own: the real engine, real SSH, real packages, real firewalls. Needs root."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import lifecycle
from sandbox.hosts.host import Hosts
from sandbox.paths import CLONE, Sandbox
from tests.sandbox.conftest import Lab, new_name

PROJECT = "chef-push-jobs"
UP_SECONDS = 600


@dataclass
class Stack:
    """A stack on a sandbox. `settings` is its configuration file, a copy that a test may change."""

    sandbox: Sandbox
    name: str
    settings: Path
    lab: Lab
    log: Path
    commands: set[str] = field(default_factory=set)  # every command line that the machine saw while `watched`

    def pulumi(self, *arguments: str, check: bool = True, without: str = "") -> subprocess.CompletedProcess[str]:
        """The CLI as the operator runs it, but without questions; `without` is a variable that is not set."""
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "sandbox",
                "run",
                "--",
                *(("env", "-u", without) if without else ()),
                "pulumi",
                *arguments,
                "--stack",
                self.name,
                "--non-interactive",
            ],
            cwd=CLONE,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=UP_SECONDS,
        )
        assert not check or done.returncode == 0, f"pulumi {' '.join(arguments)}:\n{done.stdout}\n{done.stderr[-5000:]}"
        return done

    def environment(self) -> dict[str, str]:
        return {**os.environ, "SANDBOX": self.sandbox.name}

    def up(self, *arguments: str, check: bool = True, without: str = "") -> subprocess.CompletedProcess[str]:
        settings = ("--config-file", str(self.settings))
        return self.pulumi("up", "--yes", "--skip-preview", *settings, *arguments, check=check, without=without)

    def preview(self, *arguments: str) -> list[dict[str, Any]]:
        """The steps of the engine's plan."""
        done = self.pulumi("preview", "--json", "--config-file", str(self.settings), *arguments)
        steps: list[dict[str, Any]] = json.loads(done.stdout)["steps"]
        return steps

    def change(self, **changes: Any) -> None:
        """Settings of the project, in their place; None takes one out."""
        content = yaml.safe_load(self.settings.read_text())
        for name, value in changes.items():
            content["config"][f"{PROJECT}:{name}"] = value
            if value is None:
                del content["config"][f"{PROJECT}:{name}"]
        self.settings.write_text(yaml.safe_dump(content, default_style='"'))

    def setting(self, name: str) -> Any:
        """As the file has it."""
        return yaml.safe_load(self.settings.read_text())["config"][f"{PROJECT}:{name}"]

    def state(self, *arguments: str) -> dict[str, Any]:
        exported: dict[str, Any] = json.loads(self.pulumi("stack", "export", *arguments).stdout)
        return exported

    def outputs(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.pulumi("stack", "output", "--json").stdout)
        return found

    def output(self, host: str, script: str) -> str:
        """What a shell script prints, run as root on a host."""
        return self.lab.output(host, script)

    def connections(self) -> dict[str, int]:
        """SSH logins on each server until now."""
        servers = self.outputs()["servers"]
        return {name: int(self.output(name, "grep -c 'Accepted ' /var/log/sshd.log")) for name in servers}

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Notes each command line on this machine, those of the hosts among them; that takes a third of a processor."""
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.01):
                for process in Path("/proc").glob("[0-9]*/cmdline"):
                    try:
                        self.commands.add(process.read_text(errors="replace").replace("\0", " "))
                    except OSError:
                        continue  # it has ended since

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


@contextmanager
def stack(name: str, folder: Path) -> Iterator[Stack]:
    """A sandbox of its own, with a stack that is not up yet."""
    sandbox = Sandbox(new_name())
    try:
        lifecycle.start(sandbox, print)
        settings = folder / f"Pulumi.{name}.yaml"
        settings.write_text((CLONE / "stacks" / f"Pulumi.{name}.yaml").read_text())
        made = Stack(sandbox, name, settings, Lab(sandbox, Hosts(sandbox)), folder / "log")
        subprocess.run(
            [sys.executable, "-m", "sandbox", "run", "--", "pulumi", "stack", "init", name],
            cwd=CLONE,
            env=made.environment(),
            check=True,
        )
        yield made
    finally:
        lifecycle.stop(sandbox, print)


@pytest.fixture(scope="session")
def ha(root: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The high availability stack: previewed, then up, with the engine's log at its highest verbosity."""
    with stack("sandbox", tmp_path_factory.mktemp("ha")) as made:
        steps = made.preview()
        with made.watched():
            done = made.up("--logtostderr", "--logflow", "-v=11", "--debug")
        made.log.write_text(json.dumps(steps) + done.stdout + done.stderr)
        yield made


@pytest.fixture
def new_stack(root: None, tmp_path: Path) -> Iterator[Callable[[str], Stack]]:
    """Makes stacks that a test brings up itself."""
    with ExitStack() as made:
        yield lambda name: made.enter_context(stack(name, tmp_path))
