"""Finds the Pulumi CLI: installed, else the official release, else built from source. `plugins.py` chooses its plugins.

What is downloaded or built stays in a cache of this user, which all clones share; nothing goes into `~/.pulumi`.

python -m sandbox.operator.engine   gets what is missing, and shows what the sandbox would use
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from sandbox.cache import cache, made, refused, remember_refusal, say
from sandbox.helped import help_if_asked
from sandbox.operator import plugins, releases
from sandbox.operator.plugins import Chosen, EngineError
from sandbox.operator.releases import NotToBeHad, Release

VERSION = "3.274.1"  # the newest that the Go module proxy serves: see versions.py
RELEASES = f"https://github.com/pulumi/pulumi/releases/download/v{VERSION}"
BUILD_LIMIT = 3000
MODULE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"


@dataclass(frozen=True)
class Engine:
    """The CLI and the plugins that it uses."""

    pulumi: Path
    plugins: tuple[Chosen, ...]

    def environment(self, home: Path) -> dict[str, str]:
        """The variables with which the CLI finds itself and these plugins, which `home` must contain.

        See `plugins.link`.
        """
        path = [str(self.pulumi.parent), os.environ.get("PATH", os.defpath)]
        bundled = self.pulumi.parent / plugins.LANGUAGE_HOST.file
        settings = {
            "PULUMI_HOME": str(home),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }
        if not bundled.exists() or bundled in [each.path for each in self.plugins]:
            settings["PULUMI_IGNORE_AMBIENT_PLUGINS"] = "true"
        else:  # Only PATH takes precedence over the language host next to the CLI; the engine then warns about it.
            path.insert(0, str(home / "bin"))
        return {**settings, "PATH": os.pathsep.join(path)}

    def __str__(self) -> str:
        return f"Pulumi {cli_version(self.pulumi)} at {self.pulumi}, with {', '.join(map(str, self.plugins))}"


def find() -> Engine:
    """The engine that `install` got. Raises EngineError if there is none yet."""
    pulumi = _installed() or _cached()
    if pulumi is None:
        raise EngineError("no Pulumi engine yet: run scripts/up, or python -m sandbox.operator.engine")
    return Engine(pulumi, plugins.choose(pulumi, sdk_version()))


def install() -> Engine:
    """Finds or gets the engine and plugins. Raises EngineError."""
    pulumi = _installed() or _cached()
    demanded = plugins.choice() == "official"
    if pulumi is None or (demanded and plugins.official_language_host(pulumi, sdk_version()) is None):
        pulumi = _download(again=demanded) or pulumi or _build()
    plugins.get_missing(pulumi)
    return Engine(pulumi, plugins.choose(pulumi, sdk_version()))


def environment(home: Path) -> dict[str, str]:
    """Variables for the engine and plugins of `home`, which are chosen at its first use. Raises EngineError."""
    return kept(home).environment(home)


def kept(home: Path) -> Engine:
    """What `home` was first used with. Raises EngineError if that is gone, or a different choice is asked for."""
    pulumi, chosen = plugins.keep(home, _chosen)
    return Engine(pulumi, chosen)


def _chosen() -> tuple[Path, tuple[Chosen, ...]]:
    found = find()
    say(f"this sandbox uses {found}")
    return found.pulumi, found.plugins


def sdk_version() -> tuple[int, ...]:
    """The version of the Python SDK. The CLI and the language host must not be older."""
    return plugins.numbers(version("pulumi"))


def cli_version(pulumi: Path) -> str:
    """Asks the CLI with a temporary home, because even this command leaves a log in it."""
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [pulumi, "version"],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "1", "PULUMI_HOME": home},
        )
    return done.stdout.strip()


def _installed() -> Path | None:
    """SANDBOX_PULUMI, whatever its version; otherwise the CLI on PATH, unless it is older than the SDK."""
    named = os.environ.get("SANDBOX_PULUMI")
    if named is not None:
        return plugins.named("SANDBOX_PULUMI", named)
    found = shutil.which("pulumi")
    return Path(found) if found and plugins.numbers(cli_version(Path(found))) >= sdk_version() else None


def _release_folder() -> Path:
    return cache() / f"pulumi-v{VERSION}"


def _built_folder() -> Path:
    return cache() / f"pulumi-v{VERSION}-built"


def _cached() -> Path | None:
    return next((cli for folder in (_release_folder(), _built_folder()) if (cli := folder / "pulumi").exists()), None)


def _download(again: bool) -> Path | None:
    """The official release.

    None if it cannot be downloaded. A failure is recorded, and only `again` makes a new attempt.
    """
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine())
    name = f"pulumi-v{VERSION}-linux-{machine}"
    if machine is None or (refused(name) and not again):
        return None
    say(f"getting Pulumi {VERSION}, the official release")
    with tempfile.TemporaryDirectory(dir=made(cache())) as folder:
        try:
            release = Release(RELEASES, f"{name}.tar.gz", f"pulumi-{VERSION}-checksums.txt")
            releases.get(release, Path(folder), say)
        except NotToBeHad as error:
            remember_refusal(name, error)
            return None
        return _keep(Path(folder) / "pulumi", _release_folder())


def _build() -> Path:
    """Builds only the CLI, from the Go module proxy, with the go.mod and go.sum of pulumi-cli/."""
    go = shutil.which("go")
    if go is None:
        needed = ".".join(map(str, sdk_version()))
        raise EngineError(
            f"no Pulumi {needed} or newer here, no way to download it, and no Go to build it with.\nInstall "
            "Pulumi (pulumi.com/docs/install) or Go 1.26 (go.dev/doc/install), then run this again."
        )
    say(f"building Pulumi {VERSION} from source: once, 5 minutes or so")
    with tempfile.TemporaryDirectory(dir=made(cache())) as folder:
        (Path(folder) / "pulumi").mkdir()
        flags = f"-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{VERSION}"
        command = [go, "build", "-mod=readonly", "-ldflags", flags, "-o", f"{folder}/pulumi/pulumi", MODULE]
        try:
            subprocess.run(
                command, cwd=Path(__file__).parent / "pulumi-cli", check=True, timeout=BUILD_LIMIT, stdout=sys.stderr
            )
        except subprocess.SubprocessError as error:
            raise EngineError(f"Pulumi could not be built ({error}); what Go said is above") from None
        return _keep(Path(folder) / "pulumi", _built_folder())


def _keep(folder: Path, target: Path) -> Path:
    """Moves a complete directory into the cache in one step; another process may have been first."""
    if not target.exists():
        folder.rename(target)
    return target / "pulumi"


def main() -> int:
    try:
        print(install())
    except EngineError as error:
        say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    help_if_asked(__doc__)
    sys.exit(main())
