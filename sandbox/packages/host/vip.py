"""The addresses of this host."""

from __future__ import annotations

import json
import subprocess


def is_here(address: str) -> bool:
    done = subprocess.run(["ip", "-json", "-4", "address", "show"], capture_output=True, text=True, check=True)
    links = json.loads(done.stdout or "[]")
    return any(entry.get("local") == address for link in links for entry in link.get("addr_info", []))
