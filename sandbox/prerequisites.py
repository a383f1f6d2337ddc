"""What this machine needs before a sandbox can start. Installs nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

from sandbox.processes import SandboxError

PACKAGES = {  # by command
    "ip": "iproute2",
    "nft": "nftables",
    "ssh-agent": "openssh-client",
    "ssh-keygen": "openssh-client",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "dpkg-deb": "dpkg",
    "mmdebstrap": "mmdebstrap",
}
WHERE = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def need_root() -> None:
    """Raises SandboxError."""
    if os.geteuid() != 0:
        raise SandboxError("the sandbox makes network namespaces and mounts, so it needs root: run with sudo")


def need_commands(which: Callable[..., str | None] = shutil.which) -> None:
    """Raises SandboxError that names every missing package."""
    missing = {command: package for command, package in PACKAGES.items() if which(command, path=WHERE) is None}
    if missing:
        packages = " ".join(sorted(set(missing.values())))
        raise SandboxError(f"commands are missing: {', '.join(missing)}; install them: apt-get install {packages}")
