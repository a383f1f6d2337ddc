"""A real sshd on a free loopback port, with keys and configuration of its own; leaves the machine's SSH alone.

It is the one that the sandbox's hosts run: this machine need not have one, nor the user that it wants to be.
"""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.hosts import root_image

CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/user_key.pub
StrictModes no
UsePAM no
PidFile none
PasswordAuthentication no
PermitRootLogin prohibit-password
MaxStartups 200:30:400
LogLevel VERBOSE
Subsystem sftp internal-sftp
{extra}
"""
WITH_ITS_USER = 'mount --bind "$0" /etc/passwd; exec "$@"'


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def make_key(path: Path, *options: str) -> None:
    """A key pair; without options an ed25519 one that has no passphrase."""
    kind = options or ("-t", "ed25519", "-N", "")
    subprocess.run(["ssh-keygen", "-q", "-f", path, "-C", "", *kind], check=True, stdin=subprocess.DEVNULL)


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} within {seconds} s"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Whether the process is there and not a zombie."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def _sshd(system: Path) -> list[str]:
    """With the libraries that it was built for; it would start itself anew without them, so it does not (-r)."""
    loader = next(system.glob("usr/lib*/**/ld-linux-*.so.*"))
    libraries = ":".join(str(path) for path in system.glob("usr/lib/*-linux-gnu"))
    return [str(loader), "--library-path", libraries, f"{system}/usr/sbin/sshd", "-r"]


@dataclass
class SshServer:
    """`start` and `stop` can be called again and again; keys and port stay."""

    directory: Path
    extra: str = ""
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        make_key(self.directory / "host_key")
        make_key(self.directory / "user_key")

    @property
    def key(self) -> str:
        return (self.directory / "user_key").read_text()

    @property
    def host_key(self) -> str:
        return (self.directory / "host_key.pub").read_text().strip()

    @property
    def log(self) -> str:
        return (self.directory / "sshd.log").read_text()

    @property
    def logins(self) -> int:
        return self.log.count("Accepted publickey")

    def connection(self, **changes: object) -> dict[str, object]:
        """The `connection` input for this server; a change to None leaves a value out."""
        base = {"host": "127.0.0.1", "port": self.port, "user": getpass.getuser(), "privateKey": self.key}
        return {key: value for key, value in {**base, **changes}.items() if value is not None}

    def start(self) -> None:
        command = _sshd(root_image.make(print))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd run by root insists on it, and on its user
            users = self.directory / "passwd"
            users.write_text(Path("/etc/passwd").read_text() + "sshd:x:101:65534::/run/sshd:/usr/sbin/nologin\n")
            command = ["unshare", "--mount", "sh", "-euc", WITH_ITS_USER, str(users), *command]
        config = self.directory / "sshd_config"
        config.write_text(CONFIG.format(port=self.port, directory=self.directory, extra=self.extra))
        self.process = subprocess.Popen([*command, "-D", "-f", config, "-E", self.directory / "sshd.log"])
        wait_until(self._listens, 10, "sshd listens")

    def _listens(self) -> bool:
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process = None
