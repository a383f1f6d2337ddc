"""Where an operator works: a folder with the project, and a shell in it, on a sandbox or beside it."""

from __future__ import annotations

import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.paths import CLONE, Sandbox

SECONDS = 600
SHARED = (
    ".sandbox",
    ".venv",
    "__main__.py",
    "chef_push_jobs",
    "components",
    "docs",
    "provider",
    "Pulumi.yaml",
    "requirements.txt",
)
SCRIPTS = ("requirements-dev.txt", "sandbox", "scripts")  # of the sandbox itself
OWN = ("stacks", "policy")  # what an operator changes
LOGIN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What a login sets, this machine's way to its registries, and which sandbox and Python the tests are run with.
LOGIN = re.compile(
    r"HOME|LANG|TERM|USER|LOGNAME|SHELL|XDG_\w+|PIP_\w+|GOPROXY|\w*(CERT|CA_BUNDLE)\w*|\w+_(proxy|PROXY)|PYTHON|SANDBOX\w*"
)


def login(own: Mapping[str, str]) -> dict[str, str]:
    """The reader's own shell, before the text tells him to set anything: nothing of whoever runs the tests."""
    kept = {name: value for name, value in own.items() if LOGIN.fullmatch(name)}
    return {**kept, "PATH": LOGIN_PATH}


def project(folder: Path) -> Path:
    """A checkout of the project, to change stack files in: what stays as it is are links to this one."""
    for name in (*SHARED, *SCRIPTS):
        (folder / name).symlink_to(CLONE / name)
    for name in OWN:
        shutil.copytree(CLONE / name, folder / name, ignore=shutil.ignore_patterns(".venv*", "__pycache__"))
    return folder


@dataclass(frozen=True)
class Desk:
    """`variables` are the operator's, and last from one script to the next. `functions` are of the shell there."""

    sandbox: Sandbox
    folder: Path
    variables: dict[str, str]
    functions: str = ""

    def start(self, script: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._inside(script),
            cwd=CLONE,
            env=self._environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def tried(self, script: str) -> tuple[int, str]:
        """Exit status, and all that it printed."""
        return self._run(self._inside(script), CLONE)

    def does(self, script: str) -> str:
        status, told = self.tried(script)
        assert status == 0, f"{script}:\n{told}"
        return told

    def beside(self, script: str) -> tuple[int, str]:
        """On this machine, not in the sandbox: what makes one, and what fetches packages."""
        return self._run(["sh", "-euc", script], self.folder)

    def on(self, host: str, script: str) -> tuple[int, str]:
        """As root on a host of the sandbox."""
        return self._run([sys.executable, "-m", "sandbox", "exec", host, "--", "sh", "-euc", script], CLONE)

    def in_terminal(self, script: str, question: str, answer: str) -> tuple[int, str]:
        """The same as `tried` in a terminal, where a question is answered."""
        ours, theirs = pty.openpty()
        running = subprocess.Popen(
            self._inside(script),
            cwd=CLONE,
            env={**self._environment, "TERM": "xterm", "COLUMNS": "200", "LINES": "50"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        shown, answered = b"", False
        try:
            while part := os.read(ours, 65536):
                shown += part
                if not answered and question.encode() in shown:
                    answered = os.write(ours, f"{answer}\n".encode()) > 0
        except OSError:
            pass  # how Linux says that the other end is closed
        os.close(ours)
        return running.wait(SECONDS), shown.decode(errors="replace")

    def _run(self, argv: list[str], folder: Path) -> tuple[int, str]:
        done = subprocess.run(
            argv,
            cwd=folder,
            env=self._environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=SECONDS,
        )
        return done.returncode, done.stdout

    def _inside(self, script: str) -> list[str]:
        exports = [f"export {name}={shlex.quote(value)}" for name, value in self.variables.items()]
        lines = "\n".join([f"cd {shlex.quote(str(self.folder))}", *exports, self.functions, script])
        return [sys.executable, "-m", "sandbox", "run", "--", "sh", "-euc", lines]

    @property
    def _environment(self) -> dict[str, str]:
        return {**login(os.environ), "SANDBOX": self.sandbox.name}
