"""Separate Python environments, each in FOLDER/.venv with FOLDER/requirements.txt; created once.

python -m sandbox.operator.environments FOLDER…   creates those that are missing, or whose requirements have changed
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from sandbox.helped import help_if_asked
from sandbox.locks import lock


def make(folder: Path) -> Path:
    """The environment's directory. Raises subprocess.CalledProcessError; pip's output is above it."""
    with lock(folder / ".venv.lock"):
        return _make(folder / ".venv", folder / "requirements.txt")


def _make(environment: Path, requirements: Path) -> Path:
    stamp = environment / "stamp"
    wanted = _digest(requirements)
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"making the Python environment in {environment}: once, half a minute or so", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
        install = ["pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", "-r", str(requirements)]
        subprocess.run([environment / "bin" / "python", "-m", *install], check=True)
        stamp.write_text(wanted)
    return environment


def _digest(requirements: Path) -> str:
    """A digest of everything that decides what is installed, including the interpreter."""
    content = sys.version + "".join(file.read_text() for file in files(requirements))
    return hashlib.sha256(content.encode()).hexdigest()


def files(requirements: Path) -> Iterator[Path]:
    """The file, and those that it includes with -r and -c."""
    yield requirements
    for line in requirements.read_text().splitlines():
        option, _, name = line.partition(" ")
        if option in ("-r", "-c"):
            yield from files(requirements.parent / name)


if __name__ == "__main__":
    help_if_asked(__doc__)
    for each in sys.argv[1:]:
        make(Path(each).resolve())
