"""The Python that runs a program: the `virtualenv` of Pulumi.yaml, created if it is missing; otherwise the one on PATH.

As the official host's toolchain pip does it. Refuses the toolchains poetry and uv, and type checkers, because ignoring
them would run the wrong thing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[3]
IMPLEMENTED = {"virtualenv": None, "toolchain": "pip", "typechecker": "none"}
OF_A_PLUGIN = "venv"  # a plugin never runs in the Python on PATH

Tell = Callable[[str, str], None]  # (severity, text)


class ToolchainError(Exception):
    """Pulumi.yaml asks for an interpreter that does not exist, or in a way that is not implemented."""


@dataclass(frozen=True)
class Toolchain:
    """`virtualenv` is the environment's directory; None for the Python on PATH. `option` is as in Pulumi.yaml."""

    virtualenv: Path | None
    option: str

    @property
    def python(self) -> str:
        return str(self.virtualenv / "bin" / "python") if self.virtualenv else on_path()

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of a program: the virtual environment activated, and nothing of this repository."""
        variables = _without_repository(os.environ)
        if self.virtualenv is not None:
            path = f"{self.virtualenv / 'bin'}:{variables.get('PATH', '')}"
            variables |= {"VIRTUAL_ENV": str(self.virtualenv), "PATH": path}
            variables.pop("PYTHONHOME", None)
        return variables

    def validate(self) -> None:
        """Raises ToolchainError if the named directory is not an environment."""
        if self.virtualenv is None or Path(self.python).is_file():
            return
        wrong = "doesn't appear to be a virtual environment" if self.virtualenv.exists() else "doesn't exist"
        raise ToolchainError(
            f'The \'virtualenv\' option in Pulumi.yaml is set to "{self.option}", but "{self.virtualenv}" {wrong}; '
            "run the following commands to create the virtual environment and install dependencies into it:\n\n"
            f"    1. python3 -m venv {self.virtualenv}\n"
            f"    2. {self.python} -m pip install --upgrade pip setuptools wheel\n"
            f"    3. {self.python} -m pip install -r requirements.txt\n"
        )

    def ensure(self, directory: str, tell: Tell) -> None:
        """Creates the environment if its directory is missing or empty; any other directory stays as it is."""
        folder = self.virtualenv
        if folder is None or Path(self.python).is_file():
            return
        if folder.exists() and not folder.is_dir():
            raise ToolchainError(f"the 'virtualenv' option in Pulumi.yaml is set to {folder}, which is no directory")
        if not folder.exists() or not any(folder.iterdir()):
            self.install(directory, tell)

    def install(self, directory: str, tell: Tell) -> None:
        """Creates the environment, and has pip install the requirements.txt of the directory in it."""
        if self.virtualenv is not None:
            tell("info", "Creating virtual environment...\n")
            self._run([on_path(), "-m", "venv", str(self.virtualenv)], directory, tell)
        tell("info", "Updating pip, setuptools, and wheel in virtual environment...\n")
        pip = [self.python, "-m", "pip", "install"]
        self._run([*pip, "--upgrade", "pip", "setuptools", "wheel"], directory, tell)
        if Path(directory, "requirements.txt").exists():
            tell("info", "Installing dependencies in virtual environment...\n")
            self._run([*pip, "-r", "requirements.txt"], directory, tell)
            tell("info", "Finished installing dependencies\n")

    def _run(self, argv: list[str], directory: str, tell: Tell) -> None:
        done = subprocess.run(
            argv,
            cwd=directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.stdout:
            tell("info", done.stdout)
        if done.returncode:
            raise ToolchainError(f"`{' '.join(argv)}`: exit status {done.returncode}: {done.stderr.strip()}")


def resolve(options: Mapping[str, Any], root: str, *, plugin: bool = False) -> Toolchain:
    """From `runtime.options` of the Pulumi.yaml (or PulumiPlugin.yaml) in the directory `root`."""
    for name, value in options.items():
        if name not in IMPLEMENTED or IMPLEMENTED[name] not in (None, value):
            raise ToolchainError(f"this stand-in language host does not implement the runtime option {name}: {value}")
    option = str(options.get("virtualenv") or "") or (OF_A_PLUGIN if plugin else "")
    return Toolchain(Path(os.path.normpath(Path(root, option))) if option else None, option)


def on_path() -> str:
    """PULUMI_PYTHON_CMD, otherwise python3 or python, on PATH."""
    given = os.environ.get("PULUMI_PYTHON_CMD")
    names = [given] if given else ["python3", "python"]
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        raise ToolchainError(f"failed to locate any of {names} on your PATH. Have you installed Python?")
    return found


def _without_repository(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment before the launcher added this repository to the path, which programs must not see."""
    copied = dict(environment)
    others = [entry for entry in copied.pop("PYTHONPATH", "").split(os.pathsep) if entry and entry != str(REPOSITORY)]
    return copied | {"PYTHONPATH": os.pathsep.join(others)} if others else copied
