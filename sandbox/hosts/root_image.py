"""The system below every host's disk: Debian, built once per user from Debian's own packages and kept in the cache.

It uses nothing of this machine: everything that a host runs is installed there, and this machine gets no service for
it.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from sandbox.cache import cache
from sandbox.locks import lock
from sandbox.processes import SandboxError

SUITE = "bookworm"
LOGIN_USER = "ubuntu"
LOGIN_UID = 1000
BUILD_SECONDS = 1200
PACKAGES = (
    # What a cloud image has, as far as scripts and people use it
    *("ca-certificates", "curl", "hostname", "iproute2", "iputils-ping", "less", "nftables", "openssh-client"),
    *("openssh-server", "openssl", "perl", "procps", "python3", "sudo"),
    # What Chef server brings in its own package
    *("keepalived", "nginx-light", "postgresql-15", "python3-psycopg2", "python3-zmq", "ruby"),
    "runit",
    # The login shells that people give their servers (traits.py)
    *("fish", "tcsh", "zsh"),
)
# No manuals, which are a third of the files. Nothing is flushed to the disk, because an interrupted image is discarded.
DPKG = (
    *("force-unsafe-io", "path-exclude=/usr/share/doc/*", "path-exclude=/usr/share/man/*"),
    *("path-exclude=/usr/share/locale/*", "path-include=/usr/share/doc/*/copyright"),
)
# Runs in the new root. A host creates its own SSH host keys; a Chef server's database starts as a copy of an empty one.
FINISH = f"""\
set -eu
rm -f /etc/ssh/ssh_host_* /etc/hostname /etc/resolv.conf
pg_dropcluster 15 main
install -d -o postgres /usr/lib/chef-sandbox/postgresql
chpst -u postgres /usr/lib/postgresql/15/bin/initdb --pgdata=/usr/lib/chef-sandbox/postgresql --username=opscode-pgsql \
  --auth=peer --encoding=UTF8 --locale=C.UTF-8 --wal-segsize=1 --no-sync > /dev/null
useradd --create-home --shell /bin/bash --uid {LOGIN_UID} --password '*' {LOGIN_USER}
"""
# A killed build leaves no process and no mount behind, because both are in a namespace that ends with it.
CONTAINED = (
    *("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
)

Say = Callable[[str], None]


def place() -> Path:
    """The path of this recipe's image, whether or not it exists; another recipe has another path."""
    recipe = "\n".join(_command(Path("ROOT")))
    return cache() / f"root-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def make(say: Say) -> Path:
    """The image, built if it does not exist. If it raises SandboxError, it leaves nothing incomplete behind."""
    root = place()
    if root.exists():
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    with lock(root.parent / "root.lock"):  # by all sandboxes of this user
        if not root.exists():
            say(f"making the hosts' system, Debian {SUITE}, in {root}: once, about a minute")
            building = root.with_suffix(".building")
            _remove(building)
            _build(building)
            building.rename(root)
    return root


def _command(root: Path) -> list[str]:
    options = [f"--dpkgopt={option}" for option in DPKG]
    finish = f'--customize-hook=chroot "$1" sh -c {_quoted(FINISH)}'
    return [
        *("mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory", f"--include={','.join(PACKAGES)}"),
        *(*options, finish, SUITE, str(root)),
    ]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _build(root: Path) -> None:
    try:
        done = subprocess.run(
            [*CONTAINED, *_command(root)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
        said, failed = done.stdout, f"exit status {done.returncode}" if done.returncode else ""
    except subprocess.TimeoutExpired as error:
        said, failed = str(error.stdout or ""), f"not done after {BUILD_SECONDS} s"
    if failed:
        _remove(root)
        raise SandboxError(
            f"the hosts' system could not be made: mmdebstrap: {failed}; the last of what it said:\n"
            + "\n".join(f"  | {line}" for line in said.strip().splitlines()[-8:])
            + f"\nRule: hosts run Debian {SUITE}, installed from Debian's packages into {root.parent}."
            + f"\nDo:   let this machine reach Debian's packages (try: mmdebstrap --simulate {SUITE} /dev/null),"
            + " see that there is 1 GB of room, then run this again."
        )


def _remove(root: Path) -> None:
    if root.exists():
        shutil.rmtree(root)


def main() -> int:
    """`python -m sandbox.hosts.root_image`: builds it, and prints its path."""
    try:
        print(make(lambda text: print(text, file=sys.stderr, flush=True)))
    except SandboxError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
