"""The Pulumi CLI on a sandbox, in any folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sandbox.paths import CLONE, Sandbox

SECONDS = 600


def pulumi(sandbox: Sandbox, *arguments: str, folder: Path = CLONE, check: bool = True) -> str:
    """All that it says. Fails the test, with that, where `check` is on and the CLI fails."""
    done = subprocess.run(
        [sys.executable, "-m", "sandbox", "run", "--", "pulumi", "-C", str(folder), *arguments, "--non-interactive"],
        cwd=CLONE,
        env={**os.environ, "SANDBOX": sandbox.name},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert not check or done.returncode == 0, f"pulumi {' '.join(arguments)}:\n{done.stdout}"
    return done.stdout
