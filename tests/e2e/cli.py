"""The Pulumi CLI on a sandbox, in any folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sandbox.paths import CLONE, Sandbox

SECONDS = 600


def pulumi(sandbox: Sandbox, *arguments: str, folder: Path = CLONE, check: bool = True) -> str:
    """Its standard output. Fails the test, with all that it says, where `check` is on and the CLI fails."""
    done = subprocess.run(
        [sys.executable, "-m", "sandbox", "run", "--", "pulumi", "-C", str(folder), *arguments, "--non-interactive"],
        cwd=CLONE,
        env={**os.environ, "SANDBOX": sandbox.name},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert not check or done.returncode == 0, f"pulumi {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
    return done.stdout
