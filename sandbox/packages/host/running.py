"""What a configured Chef server says of itself: the file that `chef-server-ctl reconfigure` leaves; and who it is."""

from __future__ import annotations

import os
import subprocess
from typing import Any

from .files import StandinError, read_json

ETC = "/etc/opscode"
RUNNING = f"{ETC}/chef-server-running.json"
USER = "opscode"


def running_config() -> dict[str, Any] | None:
    return read_json(RUNNING) if os.path.exists(RUNNING) else None


def fqdn() -> str:
    done = subprocess.run(["hostname", "-f"], capture_output=True, text=True, check=False)
    if done.returncode != 0 or not done.stdout.strip():
        raise StandinError(f"cannot find this host's FQDN: hostname -f: {done.stderr.strip()}")
    return done.stdout.strip()
