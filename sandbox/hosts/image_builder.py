"""Builds a machine image: a layer on top of the base, in which dpkg has installed packages without a network."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox.hosts import launch, layers, network
from sandbox.paths import Sandbox
from sandbox.processes import SandboxError, end_all, run

ARCHIVES = "var/cache/apt/archives"
PACKAGES: Mapping[str, tuple[str, ...]] = {  # file name patterns by image; the last matching file is used
    layers.BASE: (),
    "chef-server": ("chef-server-core_*.deb",),
    "chef-ha": ("chef-ha_*.deb",),
}


def build_image(sandbox: Sandbox, image: str, packages: Sequence[str]) -> None:
    """Builds an AMI's layer: the base with packages (file name patterns) that dpkg installs. Raises SandboxError."""
    files = [_package(sandbox.packages, pattern) for pattern in packages]
    name = "image-" + hashlib.sha256(image.encode()).hexdigest()[:12]
    directory, namespace = sandbox.host(name), sandbox.namespace(name)
    launch.make_disk(directory)
    network.create(namespace)
    try:
        root = directory / "root"
        layers.make_parents(root, f"{ARCHIVES}/file")
        layers.make_parents(root, "etc/hostname")
        (root / "etc/hostname").write_text("image\n")
        for file in files:
            shutil.copy(file, root / ARCHIVES)
        inside = [f"/{ARCHIVES}/{file.name}" for file in files]
        status = launch.launch(
            directory, namespace, layers.below(sandbox, layers.BASE), ["dpkg", "--install", *inside]
        ).wait()
        if status:
            raise SandboxError(f"image {image}: dpkg ended with status {status}:\n{launch.console(directory)}")
        for file in files:
            (root / ARCHIVES / file.name).unlink()
        # Hosts may be on a different file system than layers.
        building = sandbox.layer(f"{image}.building")
        run(["mv", "--no-target-directory", str(root), str(building)])
        building.rename(sandbox.layer(image))
    finally:
        end_all([sandbox.namespace_path(namespace)])
        network.delete(namespace)
        shutil.rmtree(directory)


def _package(directory: Path, pattern: str) -> Path:
    found = sorted(directory.glob(pattern))
    if not found:
        raise SandboxError(f"no package {pattern} in {directory}; `python -m sandbox.packages {directory}` builds them")
    return found[-1]
