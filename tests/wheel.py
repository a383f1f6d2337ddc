"""The project as a wheel, built from a copy of what is in the clone, and environments that have it installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from sandbox.paths import CLONE

PACKAGES = ("chef_push_jobs", "components")
FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}


def build(folder: Path) -> Path:
    """The wheel. In a copy: what earlier builds left in the clone would come into it."""
    source = folder / "source"
    source.mkdir()
    for name in PACKAGES:
        shutil.copytree(CLONE / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(CLONE / name, source)
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source))
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, environment: Path) -> Path:
    """A fresh environment with the wheel, and with the dependencies that are here already; its folder of programs."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    pip("--python", str(python), "install", "--no-deps", "--no-index", "--no-compile", str(wheel))
    (site,) = environment.glob("lib/python*/site-packages")
    (here,) = Path(sys.prefix).glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(f"{here}\n")
    return environment / "bin"


def pip(*arguments: str) -> str:
    command = [sys.executable, "-m", "pip", "--quiet", *arguments]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"pip {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
    return done.stdout


def program(folder: Path, stack: str) -> None:
    """A user's project, with a package `components` that is no part of ours, and a stack `s` like one of ours."""
    (folder / "Pulumi.yaml").write_text(
        "name: mine\nruntime:\n  name: python\n  options:\n    toolchain: pip\n    virtualenv: .venv\n"
    )
    (folder / "components").mkdir()
    (folder / "components" / "__init__.py").write_text('"""Another package of that name."""\n')
    (folder / "components" / "cluster.py").write_text('GREETING = "the user\'s own"\n')
    (folder / "__main__.py").write_text(PROGRAM)
    settings = (CLONE / "stacks" / f"Pulumi.{stack}.yaml").read_text()
    (folder / "Pulumi.s.yaml").write_text(settings.replace("chef-push-jobs:", "mine:"))


PROGRAM = '''"""A cluster, and something of the user's own."""

from pathlib import Path

import pulumi
from components.cluster import GREETING

from chef_push_jobs.components.cluster import make_cluster
from chef_push_jobs.components.stack_configuration import read_stack

for name, value in make_cluster(read_stack(Path(__file__).parent)).items():
    pulumi.export(name, value)
pulumi.export("greeting", GREETING)
'''
