"""The layers below a host's disk: the system, the files of a machine of this cloud, and an image's packages."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from sandbox.hosts import root_image
from sandbox.hosts.root_image import LOGIN_UID, LOGIN_USER
from sandbox.paths import CLONE, Sandbox

__all__ = ["BASE", "LOGIN_UID", "LOGIN_USER", "below", "build_base", "make_parents", "new_layer"]

BASE = "base"
ROOTFS = CLONE / "sandbox" / "rootfs"
DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
DEVICE_LINKS = {
    "ptmx": "pts/ptmx",
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}
HOSTNAME = "usr/bin/hostname"  # the system's own file is next to the one of rootfs, which calls it


def below(sandbox: Sandbox, image: str) -> list[Path]:
    """All layers of an image, the upper ones first."""
    images = [BASE] if image == BASE else [image, BASE]
    return [*(sandbox.layer(name) for name in images), root_image.place()]


def build_base(sandbox: Sandbox) -> None:
    """Builds the base layer, from which every host boots."""
    layer = new_layer(sandbox, BASE)
    shutil.copytree(ROOTFS, layer, dirs_exist_ok=True)
    for path in layer.rglob("*"):  # whatever the umask of the clone's owner
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    shutil.copy2(root_image.place() / HOSTNAME, layer / "usr/lib/chef-sandbox/hostname")
    (layer / "usr/lib/chef-sandbox/volumes").mkdir(mode=0o755)
    _devices(layer / "dev")
    layer.rename(sandbox.layer(BASE))


def make_parents(root: Path, name: str) -> None:
    """Creates the directories above a file in an upper layer with the base's modes, because they hide those below."""
    for parent in reversed(Path(name).parents[:-1]):
        (root / parent).mkdir(exist_ok=True)
        (root / parent).chmod(0o755)


def new_layer(sandbox: Sandbox, image: str) -> Path:
    """An empty directory for a layer, which only counts with its final name. Removes an interrupted attempt."""
    place = sandbox.layer(image + ".building")
    if place.exists():
        shutil.rmtree(place)
    place.mkdir(parents=True)
    place.chmod(0o755)
    return place


def _devices(directory: Path) -> None:
    """Only these, whatever the system below has."""
    directory.mkdir()
    directory.chmod(0o755)
    os.setxattr(directory, "trusted.overlay.opaque", b"y")
    for name in ("pts", "shm"):
        (directory / name).mkdir()
    for name, target in DEVICE_LINKS.items():
        (directory / name).symlink_to(target)
    for name, numbers in DEVICES.items():
        os.mknod(directory / name, stat.S_IFCHR | 0o666, os.makedev(*numbers))
        (directory / name).chmod(0o666)
