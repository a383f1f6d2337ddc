"""The layer below every host's disk: an Ubuntu-like system. Of this machine it has the operating system, nothing else.

A layer has two trees: `root` lies below /, `usr` below /usr, under which is this machine's own /usr. Everything outside
of /usr is copied by the tables here or comes from sandbox/rootfs, so a file that is named nowhere is on no host.
"""

from __future__ import annotations

import glob
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from sandbox.paths import CLONE, Sandbox
from sandbox.processes import SandboxError

BASE = "base"
ROOTFS = CLONE / "sandbox" / "rootfs"
LOGIN_USER = "ubuntu"
LOGIN_UID = 1000
FIRST_HUMAN_UID = 1000
NOBODY_UID = 65534

HIDDEN_IN_USR = ("local", "src")
COPIED = (
    *("adduser.conf", "alternatives", "ca-certificates", "ca-certificates.conf", "debconf.conf", "debian_version"),
    *(
        "deluser.conf",
        "dpkg",
        "host.conf",
        "inputrc",
        "java-*",
        "ld.so.cache",
        "ld.so.conf",
        "ld.so.conf.d",
        "localtime",
    ),
    *(
        "login.defs",
        "lsb-release",
        "magic",
        "mime.types",
        "networks",
        "os-release",
        "perl",
        "protocols",
        "python3*",
        "rpc",
    ),
    *("services", "shells", "ssh/moduli", "ssl/certs", "ssl/openssl.cnf", "terminfo", "timezone", "ucf.conf"),
)
DIRECTORIES = {
    **dict.fromkeys(("boot", "dev/pts", "dev/shm", "etc/opt", "etc/profile.d", "home", "media", "mnt", "opt"), 0o755),
    **dict.fromkeys(("proc", "run", "srv", "sys", "usr", "etc/apt/apt.conf.d", "etc/apt/preferences.d"), 0o755),
    **dict.fromkeys(("etc/apt/sources.list.d", "etc/apt/trusted.gpg.d", "etc/cron.d", "etc/default"), 0o755),
    **dict.fromkeys(("etc/init.d", "etc/logrotate.d", "etc/skel", "var/backups", "var/cache/debconf"), 0o755),
    **dict.fromkeys(("var/cache/apt/archives/partial", "var/lib/apt/lists/partial", "var/lib/cloud/instance"), 0o755),
    **dict.fromkeys(("var/lib/misc", "var/lib/pam", "var/log/apt", "var/mail", "var/opt", "var/spool"), 0o755),
    **dict.fromkeys(("root", "etc/sudoers.d", "var/cache/ldconfig", "var/lib/sudo"), 0o700),
    **dict.fromkeys(("tmp", "var/tmp"), 0o1777),
}
MODES = {"etc/sudoers": 0o440, "etc/shadow": 0o640, "etc/gshadow": 0o640, "var/log/btmp": 0o600}
LINKS = {
    **{"var/run": "/run", "var/lock": "/run/lock", "etc/mtab": "/proc/self/mounts", "dev/ptmx": "pts/ptmx"},
    **{"dev/fd": "/proc/self/fd", "dev/stdin": "/proc/self/fd/0", "dev/stdout": "/proc/self/fd/1"},
    "dev/stderr": "/proc/self/fd/2",
}
DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}


def build_base(sandbox: Sandbox) -> None:
    """Make the base layer, from which every host boots. Raises SandboxError where this machine has another shape."""
    layer = new_layer(sandbox, BASE)
    root, usr = layer / "root", layer / "usr"
    for tree in (root, usr):
        tree.mkdir()
        tree.chmod(0o755)
    for name in HIDDEN_IN_USR:
        _hide(usr / name)
    _make_directories(root)
    _copy_system(root)
    _copy_tree(ROOTFS / "etc", root / "etc")
    _copy_tree(ROOTFS / "usr", usr)
    shutil.copy2("/usr/bin/hostname", usr / "lib/chef-sandbox/hostname")
    for name, content in _accounts().items():
        (root / "etc" / name).write_text(content)
    for name in ("wtmp", "btmp", "lastlog"):
        (root / "var/log" / name).touch()
    for name, mode in MODES.items():
        (root / name).chmod(mode)
    for name, target in LINKS.items():
        (root / name).symlink_to(target)
    for name, numbers in DEVICES.items():
        os.mknod(root / "dev" / name, stat.S_IFCHR | 0o666, os.makedev(*numbers))
        (root / "dev" / name).chmod(0o666)
    layer.rename(sandbox.layer(BASE))


def make_parents(root: Path, name: str) -> None:
    """The directories above a file in an upper layer, as the base has them: their modes hide those below."""
    for parent in reversed(Path(name).parents[:-1]):
        (root / parent).mkdir(exist_ok=True)
        (root / parent).chmod(0o755)


def new_layer(sandbox: Sandbox, image: str) -> Path:
    """An empty place for a layer, which is a layer only when it has its name; an interrupted attempt is removed."""
    place = sandbox.layer(image + ".building")
    if place.exists():
        shutil.rmtree(place)
    place.mkdir(parents=True)
    return place


def _make_directories(root: Path) -> None:
    for name, mode in DIRECTORIES.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        (root / name).chmod(mode)
    home = root / "home" / LOGIN_USER
    home.mkdir()
    home.chmod(0o750)
    os.chown(home, LOGIN_UID, LOGIN_UID)


def _copy_system(root: Path) -> None:
    """Links into /usr, the named parts of /etc, and dpkg's database, so that what is in /usr meets dependencies."""
    if not Path("/bin").is_symlink():
        raise SandboxError(
            "/bin is a directory of its own here; the sandbox needs a merged /usr (Debian 12, Ubuntu 22.04 or newer)"
        )
    for entry in Path("/").iterdir():
        if entry.is_symlink() and os.readlink(entry).lstrip("/").startswith("usr/"):
            (root / entry.name).symlink_to(os.readlink(entry))
    for pattern in COPIED:
        for found in glob.glob(pattern, root_dir="/etc"):
            _copy_tree(Path("/etc") / found, root / "etc" / found)
    _copy_tree(Path("/var/lib/dpkg"), root / "var/lib/dpkg")


def _copy_tree(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def _hide(directory: Path) -> None:
    """An empty directory in the place of what lies below."""
    directory.mkdir()
    directory.chmod(0o755)
    os.setxattr(directory, "trusted.overlay.opaque", b"y")


def _accounts() -> dict[str, str]:
    """passwd, group and their shadows: this machine's system accounts, which own files in /usr, and the login user."""
    users = [
        *_system_accounts("/etc/passwd"),
        (LOGIN_USER, "x", str(LOGIN_UID), str(LOGIN_UID), "", f"/home/{LOGIN_USER}", "/bin/bash"),
    ]
    groups = [*_system_accounts("/etc/group"), (LOGIN_USER, "x", str(LOGIN_UID), "")]
    return {
        "passwd": "".join(":".join(user) + "\n" for user in users),
        "group": "".join(":".join((*group[:3], "")) + "\n" for group in groups),
        "shadow": "".join(f"{user[0]}:*:19000:0:99999:7:::\n" for user in users),
        "gshadow": "".join(f"{group[0]}:*::\n" for group in groups),
    }


def _system_accounts(file: str) -> Iterator[tuple[str, ...]]:
    for line in Path(file).read_text().splitlines():
        fields = tuple(line.split(":"))
        number = int(fields[2])
        if fields[0] != LOGIN_USER and (number < FIRST_HUMAN_UID or number == NOBODY_UID):
            yield fields
