"""What happens with the services when a host boots. Leaves out the election: a backend stays what it was."""

from __future__ import annotations

import os
import subprocess

from . import keepalived, services


def main() -> int:
    """Start the supervisor if anything was ever enabled; in ha, bring this backend into its recorded state."""
    if not os.path.isdir(services.ENABLED):
        return 0
    services.start_supervisor()
    current = keepalived.status()
    return subprocess.run([keepalived.SCRIPT, current], check=False).returncode if current else 0
