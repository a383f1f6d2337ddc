"""Packs the stand-in packages: file tree + shared library -> .deb, with the same bytes at every build."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
EPOCH = 1_400_000_000  # of every file, unless SOURCE_DATE_EPOCH is set
LIBRARY = "embedded/lib/chef_standin"


@dataclass(frozen=True)
class Package:
    """`prefix` is where the real package is installed; `depends` is added to its control file."""

    name: str
    version: str
    prefix: str
    depends: str = ""
    architecture: str = "amd64"
    is_corrupt: bool = False

    @property
    def filename(self) -> str:
        return f"{self.name}{'-corrupt' if self.is_corrupt else ''}_{self.version}-1_{self.architecture}.deb"


CORE = "opt/opscode"
PUSH_JOBS = "opt/opscode-push-jobs-server"
NEEDS_VEIL = ", chef-server-core (>= 12.14.0)"  # omnibus/config/projects/opscode-push-jobs-server.rb of 2.2.8
PACKAGES = (
    Package("chef-server-core", "12.0.8", CORE),
    Package("chef-server-core", "12.19.31", CORE),
    Package("opscode-push-jobs-server", "1.1.6", PUSH_JOBS),
    Package("opscode-push-jobs-server", "2.2.8", PUSH_JOBS, NEEDS_VEIL),
    Package("push-jobs-client", "2.4.5", "opt/push-jobs-client"),
    Package("chef-ha", "1.0.0", "opt/chef-ha"),
)
VARIANTS = (
    Package("opscode-push-jobs-server", "2.2.8", PUSH_JOBS, NEEDS_VEIL, architecture="arm64"),
    Package("opscode-push-jobs-server", "2.2.8", PUSH_JOBS, NEEDS_VEIL, is_corrupt=True),
)


def build(package: Package, directory: Path) -> Path:
    """Write the package into `directory`, which exists, and return its path."""
    target = directory / package.filename
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch, "tree")
        _lay_out(package, tree)
        _pack(tree, Path(scratch, "packed.deb"))
        content = Path(scratch, "packed.deb").read_bytes()
    fresh = target.with_suffix(".new")
    fresh.write_bytes(content[: len(content) // 2] if package.is_corrupt else content)
    os.replace(fresh, target)
    return target


def _lay_out(package: Package, tree: Path) -> None:
    shutil.copytree(HERE / package.name, tree, symlinks=True)
    prefix = tree / package.prefix
    shutil.copytree(HERE / "host", prefix / LIBRARY, ignore=shutil.ignore_patterns("__pycache__"))
    manifest = f"{package.name} {package.version}\n\nStand-in, for tests only.\n"
    (prefix / "version-manifest.txt").write_text(manifest, encoding="utf-8")
    control = tree / "DEBIAN" / "control"
    fields = {"version": package.version, "architecture": package.architecture, "depends": package.depends}
    control.write_text(control.read_text(encoding="utf-8").format_map(fields), encoding="utf-8")
    program = (HERE / "preinst.py").read_text(encoding="utf-8").rstrip()
    for script in (tree / "DEBIAN" / "preinst", tree / "DEBIAN" / "postinst"):
        text = script.read_text(encoding="utf-8").replace("@preinst@", program)
        script.write_text(text.replace("@version@", f"{package.version}-1"), encoding="utf-8")


def _pack(tree: Path, target: Path) -> None:
    """With fixed modes, times and owner; dpkg-deb sorts the names itself."""
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", EPOCH))
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or _is_script(path) else 0o644)
        os.utime(path, (epoch, epoch), follow_symlinks=False)
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", str(tree), str(target)],
        env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def _is_script(path: Path) -> bool:
    """Executable files are scripts here, whatever the clone's umask or file system did to the modes of others."""
    with path.open("rb") as stream:
        return stream.read(2) == b"#!"
