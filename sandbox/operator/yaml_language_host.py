"""Pulumi's YAML language host, for the example in YAML.

Found next to the Pulumi CLI, otherwise built into its directory.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from sandbox.cache import say
from sandbox.operator import engine
from sandbox.operator.plugins import EngineError

MODULE = "github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml"
NAME = "pulumi-language-yaml"


def install() -> Path:
    """The host, found or built. Raises EngineError."""
    folder = engine.install().pulumi.parent
    found = folder / NAME
    return found if found.exists() else _build(folder)


def _build(folder: Path) -> Path:
    """Builds it with the go.mod and go.sum of pulumi-yaml/, and moves it into place in one step.

    Another may have been first.
    """
    go = shutil.which("go")
    if go is None:
        raise EngineError(f"no {NAME} in {folder}, and no Go to build it with: install Pulumi's release, or Go 1.26")
    say("building Pulumi's YAML language host from source: once, 2 minutes or so")
    with tempfile.TemporaryDirectory(dir=folder) as built:
        command = [go, "build", "-mod=readonly", "-ldflags", "-s -w", "-o", f"{built}/{NAME}", MODULE]
        try:
            subprocess.run(
                command,
                cwd=Path(__file__).parent / "pulumi-yaml",
                check=True,
                timeout=engine.BUILD_LIMIT,
                stdout=sys.stderr,
            )
        except subprocess.SubprocessError as error:
            raise EngineError(f"{NAME} could not be built ({error}); what Go said is above") from None
        return Path(built, NAME).rename(folder / NAME)


if __name__ == "__main__":
    print(install())
