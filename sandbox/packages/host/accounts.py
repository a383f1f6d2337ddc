"""System users, which reconfigure makes, not the packages; and becoming one for good."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess


def ensure(name: str, home: str) -> None:
    try:
        pwd.getpwnam(name)
    except KeyError:
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/bin/sh", "--home-dir", home]
        subprocess.run([*command, name], check=True, capture_output=True)


def become(user: str) -> None:
    """Give up root for good."""
    entry = pwd.getpwnam(user)
    os.setgroups([group.gr_gid for group in grp.getgrall() if user in group.gr_mem])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
