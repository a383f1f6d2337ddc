"""Starts a process as pid 1 in its own namespaces and root, with few capabilities; or joins one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from sandbox.hosts import network
from sandbox.processes import Process

SETUP = Path(__file__).parent / "setup.sh"
UNSHARE = ("unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# The capabilities of root on a host: a container's usual ones, without devices, but with its own network interface.
RIGHTS = (
    *("audit_write", "chown", "dac_override", "fowner", "fsetid", "kill", "net_admin", "net_bind_service", "net_raw"),
    *("setfcap", "setgid", "setpcap", "setuid", "sys_chroot"),
)
CAPABILITIES = "-all," + ",".join(f"+{right}" for right in RIGHTS)
DISK = ("root", "root.work", "mnt")


def make_disk(directory: Path) -> None:
    """Creates the empty upper layers of a root, in their own directory."""
    for name in DISK:
        (directory / name).mkdir(parents=True)
        (directory / name).chmod(0o755)


def launch(
    directory: Path, namespace: str, layers: Sequence[Path], argv: Sequence[str], configuration: str = ""
) -> subprocess.Popen[bytes]:
    """Starts `argv` on the disk in `directory`, over `layers` (upper ones first); `configuration` is `ip -batch` input.

    Its output goes to console.log in that directory, and its pid to init.pid.
    """
    (directory / "network").write_text(configuration)
    (directory / "init.pid").unlink(missing_ok=True)
    variables = {
        "HOST_DIR": str(directory),
        "HOST_PATH": PATH,
        "CAPABILITIES": CAPABILITIES,
        "LOWER": ":".join(str(layer) for layer in layers),
    }
    command = [*network.enter(namespace), *UNSHARE, "sh", str(SETUP), *argv]
    with (directory / "console.log").open("ab") as console:
        return background(command, console, os.environ | variables)


def background(
    argv: Sequence[str], output: IO[bytes], environment: Mapping[str, str] | None = None, directory: Path = Path("/")
) -> subprocess.Popen[bytes]:
    """Starts a process that outlives this one."""
    return subprocess.Popen(
        argv,
        env=environment,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )


def launched(directory: Path) -> Process | None:
    """The pid 1 that was started there; None if it is not recorded yet, or has ended."""
    try:
        pid = (directory / "init.pid").read_text().strip()
    except FileNotFoundError:
        return None
    return Process.of(int(pid)) if pid else None


def join(init: Process, argv: Sequence[str]) -> list[str]:
    """The command that runs `argv` as root next to a running pid 1, with no more rights than that has."""
    enter = ["nsenter", f"--target={init.pid}", "--mount", "--uts", "--ipc", "--net", "--pid"]
    clean = ["env", "-i", f"PATH={PATH}", "HOME=/root", "LANG=C.UTF-8"]
    return [*enter, *clean, "setpriv", f"--bounding-set={CAPABILITIES}", "--inh-caps=-all", *argv]


def console(directory: Path, lines: int = 10) -> str:
    """The last lines that it printed."""
    file = directory / "console.log"
    text = file.read_text(errors="replace").strip() if file.exists() else ""
    return "\n".join(text.splitlines()[-lines:]) or "(nothing)"
