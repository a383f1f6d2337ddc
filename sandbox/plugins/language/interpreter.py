"""Which Python runs a program, with what environment: the `virtualenv` of Pulumi.yaml, else the host's own Python.

Leaves out the toolchains poetry and uv, and type checkers: refused, since ignoring them would run the wrong thing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[3]
IMPLEMENTED = {"virtualenv": None, "toolchain": "pip", "typechecker": "none"}


class InterpreterError(Exception):
    """Pulumi.yaml asks for an interpreter that is not there, or in a way that is not implemented."""


@dataclass(frozen=True)
class Interpreter:
    """A Python and the environment to start it with."""

    executable: str
    environment: Mapping[str, str]


def find(options: Mapping[str, Any], root: str) -> Interpreter:
    """The interpreter for `runtime.options` of the Pulumi.yaml in the directory `root`."""
    for name, value in options.items():
        if name not in IMPLEMENTED or IMPLEMENTED[name] not in (None, value):
            raise InterpreterError(f"this stand-in language host does not implement the runtime option {name}: {value}")
    environment = _without_repository(os.environ)
    if not options.get("virtualenv"):
        return Interpreter(sys.executable, environment)
    directory = Path(root, str(options["virtualenv"])).absolute()
    executable = directory / "bin" / "python"
    if not executable.exists():
        raise InterpreterError(
            f"Pulumi.yaml names the virtual environment {options['virtualenv']}, and there is none at {directory}: "
            f"python3 -m venv {directory} && {executable} -m pip install -r {Path(root, 'requirements.txt')}"
        )
    environment |= {"VIRTUAL_ENV": str(directory), "PATH": f"{executable.parent}:{environment.get('PATH', '')}"}
    environment.pop("PYTHONHOME", None)
    return Interpreter(str(executable), environment)


def _without_repository(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment as it was before the launcher put this repository on the path, which programs must not see."""
    copied = dict(environment)
    others = [entry for entry in copied.pop("PYTHONPATH", "").split(os.pathsep) if entry and entry != str(REPOSITORY)]
    return copied | {"PYTHONPATH": os.pathsep.join(others)} if others else copied
