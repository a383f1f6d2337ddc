"""Finds the Pulumi engine and its plugins: installed, else the official release, else built from source.

What is downloaded or built stays in a cache of this user, which all clones share.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from sandbox.paths import cache

VERSION = "3.259.0"
OLDEST = (3, 259)
RELEASES = f"https://github.com/pulumi/pulumi/releases/download/v{VERSION}"
# Seconds: somebody waits in front of a terminal, and a build is there as a second way.
DOWNLOAD_LIMIT, PLUGIN_LIMIT, BUILD_LIMIT = 20, 60, 3000
MODULE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
STAND_INS = Path(__file__).parents[1] / "plugins" / "bin"
RESOURCE_PLUGINS = {"command": "pulumi-command", "aws": "pulumi-aws"}
CHOICES = ("auto", "official", "stand-in")


class EngineError(Exception):
    """Says what is missing and how to get it."""


@dataclass(frozen=True)
class Engine:
    """`pulumi` is the CLI; `official` the folder of the official language host, None where stand-ins are used."""

    pulumi: Path
    official: Path | None

    def environment(self, home: Path) -> dict[str, str]:
        """What the CLI needs to find itself and its plugins. Official plugins are in the user's own home of Pulumi."""
        path = [str(self.official or STAND_INS), str(self.pulumi.parent), os.environ.get("PATH", os.defpath)]
        settings = {"PATH": os.pathsep.join(path), "PULUMI_SKIP_UPDATE_CHECK": "true"}
        if self.official is None:
            settings["PULUMI_HOME"] = str(home)
            settings["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
        return settings

    def __str__(self) -> str:
        plugins = "the stand-in plugins of this project" if self.official is None else "the official plugins"
        return f"Pulumi {cli_version(self.pulumi)} at {self.pulumi}, with {plugins}"


def find() -> Engine:
    """The engine that `install` got. Raises EngineError where there is none yet."""
    pulumi = _installed() or _cached()
    if pulumi is None:
        raise EngineError("no Pulumi engine yet: run scripts/up, or python -m sandbox.operator.engine")
    return Engine(pulumi, _official(pulumi))


def environment(home: Path) -> dict[str, str]:
    """With `home` for what Pulumi remembers, such as the selected stack."""
    return find().environment(home)


def install() -> Engine:
    """Finds or gets engine and plugins. Raises EngineError."""
    pulumi = _installed() or _cached() or _download() or _build()
    if choice() != "stand-in":
        _official_plugins(pulumi)
    return Engine(pulumi, _official(pulumi))


def choice() -> str:
    """Which plugins to use, by the environment variable SANDBOX_PLUGINS."""
    given = os.environ.get("SANDBOX_PLUGINS", "auto")
    if given not in CHOICES:
        raise EngineError(f"SANDBOX_PLUGINS is '{given}'; it is one of {', '.join(CHOICES)}")
    return given


def cli_version(pulumi: Path) -> str:
    done = subprocess.run(
        [pulumi, "version"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "1"},
    )
    return done.stdout.strip()


def _installed() -> Path | None:
    found = shutil.which("pulumi")
    if found is None:
        return None
    number = re.match(r"v?(\d+)\.(\d+)", cli_version(Path(found)))
    return Path(found) if number and (int(number[1]), int(number[2])) >= OLDEST else None


def _cached() -> Path | None:
    pulumi = cache() / f"pulumi-v{VERSION}" / "pulumi"
    return pulumi if pulumi.exists() else None


def _official(pulumi: Path) -> Path | None:
    """Where the official language host is, if all official plugins are there. Raises EngineError if they must be."""
    if choice() == "stand-in":
        return None
    folders = [pulumi.parent, *(Path(part) for part in os.environ.get("PATH", "").split(os.pathsep))]
    hosts = [folder for folder in folders if folder != STAND_INS and (folder / "pulumi-language-python").exists()]
    missing = [name for name in RESOURCE_PLUGINS if not _plugin_folder(name).exists()]
    if hosts and not missing:
        return hosts[0]
    if choice() == "official":
        lacking = ", ".join([*([] if hosts else ["pulumi-language-python"]), *missing])
        raise EngineError(
            f"official plugins are missing: {lacking}; install Pulumi's release, or unset SANDBOX_PLUGINS"
        )
    return None


def _plugin_folder(name: str) -> Path:
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    return home / "plugins" / f"resource-{name}-v{version(RESOURCE_PLUGINS[name])}"


def _official_plugins(pulumi: Path) -> None:
    """Gets the official resource plugins, where the official language host says that this is an official release."""
    if not (pulumi.parent / "pulumi-language-python").exists():
        return
    for name, package in RESOURCE_PLUGINS.items():
        if not _plugin_folder(name).exists():
            say(f"getting the official plugin {name}")
            command = [str(pulumi), "plugin", "install", "resource", name, version(package)]
            try:
                subprocess.run(command, timeout=PLUGIN_LIMIT, check=True, stdout=sys.stderr)
            except (subprocess.SubprocessError, OSError) as error:
                say(f"  not to be had: {error}")


def _download() -> Path | None:
    """The official release, checked against its published checksums; None where it is not to be had in time."""
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine())
    name = f"pulumi-v{VERSION}-linux-{machine}.tar.gz"
    say(f"getting Pulumi {VERSION}, the official release ({DOWNLOAD_LIMIT} s at most)")
    try:
        sums = _get(f"{RELEASES}/pulumi-{VERSION}-checksums.txt").decode()
        archive = _get(f"{RELEASES}/{name}")
    except OSError as error:
        say(f"  not to be had: {error}")
        return None
    if f"{hashlib.sha256(archive).hexdigest()}  {name}" not in sums.splitlines():
        raise EngineError(f"{name} does not match its published checksum: it was altered on the way; try again")
    with tempfile.TemporaryDirectory(dir=_made(cache())) as folder:
        (Path(folder) / name).write_bytes(archive)
        with tarfile.open(Path(folder) / name) as release:
            release.extractall(folder, filter="data")
        return _keep(Path(folder) / "pulumi")


def _get(url: str) -> bytes:
    """Raises TimeoutError where it takes longer than a person would wait."""
    end = time.monotonic() + DOWNLOAD_LIMIT
    content = bytearray()
    with urllib.request.urlopen(url, timeout=DOWNLOAD_LIMIT / 4) as answer:  # noqa: S310  # a constant https URL
        while chunk := answer.read(1 << 20):
            content += chunk
            if time.monotonic() > end:
                raise TimeoutError(f"{url} is too slow")
    return bytes(content)


def _build() -> Path:
    """The CLI alone, built from the Go module proxy by the go.mod and go.sum of pulumi-cli/."""
    go = shutil.which("go")
    if go is None:
        raise EngineError(
            f"no Pulumi {OLDEST[0]}.{OLDEST[1]} or newer here, no download of it, and no Go to build it with.\n"
            "Install Pulumi (pulumi.com/docs/install) or Go 1.26 (go.dev/doc/install), then run this again."
        )
    say(f"building Pulumi {VERSION} from source: once, 5 minutes or so")
    with tempfile.TemporaryDirectory(dir=_made(cache())) as folder:
        (Path(folder) / "pulumi").mkdir()
        flags = f"-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{VERSION}"
        command = [go, "build", "-mod=readonly", "-ldflags", flags, "-o", f"{folder}/pulumi/pulumi", MODULE]
        try:
            subprocess.run(
                command, cwd=Path(__file__).parent / "pulumi-cli", check=True, timeout=BUILD_LIMIT, stdout=sys.stderr
            )
        except subprocess.SubprocessError as error:
            raise EngineError(f"Pulumi could not be built ({error}); what Go said is above") from None
        return _keep(Path(folder) / "pulumi")


def _keep(folder: Path) -> Path:
    """Moves a complete folder into the cache, at once; another process may have been first."""
    target = cache() / f"pulumi-v{VERSION}"
    if not target.exists():
        folder.rename(target)
    return target / "pulumi"


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    try:
        say(str(install()))
    except EngineError as error:
        say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
