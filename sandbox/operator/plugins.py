"""Chooses the plugins one by one: the official one where it is installed or can be had, else the stand-in.

SANDBOX_PLUGINS decides for all:

    auto        the language host and command are official where they can be had; aws is the stand-in (the default)
    official    all are; what is missing is an error
    stand-in    none is

A path in SANDBOX_LANGUAGE_HOST, SANDBOX_COMMAND_PLUGIN or SANDBOX_AWS_PLUGIN decides for one. The choice is kept in the
home of Pulumi that it is first used with, and holds for that home's life.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from sandbox.cache import cache, made, refused, remember_refusal, say
from sandbox.locks import lock
from sandbox.operator import releases
from sandbox.operator.releases import NotToBeHad, Release

STAND_INS = Path(__file__).parents[1] / "plugins" / "bin"
CHOICES = ("auto", "official", "stand-in")
RECORD = "engine.json"  # in a home: the choice


class EngineError(Exception):
    """Says what is missing and how to get it."""


@dataclass(frozen=True)
class Plugin:
    """A plugin that this project's programs need. The Python package `package` needs it, in its own version."""

    kind: str
    name: str
    variable: str
    package: str = ""
    releases: str = ""  # where its releases are published, without the version
    auto: bool = True  # whether `auto` uses the official one

    @property
    def file(self) -> str:
        return f"pulumi-{self.kind}-{self.name}"

    @property
    def version(self) -> str:
        return version(self.package) if self.package else "0.0.0"

    @property
    def folder(self) -> str:
        """Its name among the plugins of a home."""
        return f"{self.kind}-{self.name}-v{self.version}"

    @property
    def title(self) -> str:
        return "language host" if self.kind == "language" else f"plugin {self.name}"


LANGUAGE_HOST = Plugin("language", "python", "SANDBOX_LANGUAGE_HOST")
RELEASED = "https://github.com/pulumi/pulumi-{}/releases/download"
COMMAND = Plugin("resource", "command", "SANDBOX_COMMAND_PLUGIN", "pulumi-command", RELEASED.format("command"))
AWS = Plugin("resource", "aws", "SANDBOX_AWS_PLUGIN", "pulumi-aws", RELEASED.format("aws"), auto=False)
PLUGINS = (LANGUAGE_HOST, COMMAND, AWS)


@dataclass(frozen=True)
class Chosen:
    """A plugin and its executable."""

    plugin: Plugin
    path: Path

    @property
    def stand_in(self) -> bool:
        return self.path.parent == STAND_INS

    def __str__(self) -> str:
        return f"{self.plugin.title}: {'stand-in' if self.stand_in else self.path}"


def choice() -> str:
    """The value of the environment variable SANDBOX_PLUGINS."""
    given = os.environ.get("SANDBOX_PLUGINS", "auto")
    if given not in CHOICES:
        raise EngineError(f"SANDBOX_PLUGINS is '{given}'; it is one of {', '.join(CHOICES)}")
    return given


def choose(pulumi: Path, oldest: tuple[int, ...]) -> tuple[Chosen, ...]:
    """One of each. Raises EngineError with everything that is missing, if only official ones will do."""
    official = {plugin: found for plugin in PLUGINS if (found := _official(plugin, pulumi, oldest))}
    missing = [each for each in PLUGINS if each not in official and each.variable not in os.environ]
    if choice() == "official" and missing:
        raise EngineError(
            f"official plugins are missing: {', '.join(each.file for each in missing)}.\n"
            "Rule: SANDBOX_PLUGINS=official takes no stand-in.\n"
            f"Do: install Pulumi's release and `pulumi plugin install resource NAME VERSION`, name an executable by "
            f"{' or '.join(each.variable for each in missing)}, or unset SANDBOX_PLUGINS."
        )
    return tuple(Chosen(plugin, _path(plugin, official)) for plugin in PLUGINS)


def _path(plugin: Plugin, official: dict[Plugin, Path]) -> Path:
    given = os.environ.get(plugin.variable)
    if given is not None:
        return named(plugin.variable, given)
    return official[plugin] if plugin in official and _wanted(plugin) else STAND_INS / plugin.file


def _wanted(plugin: Plugin) -> bool:
    """Whether to use the official one."""
    return choice() == "official" or (choice() == "auto" and plugin.auto)


def named(variable: str, given: str) -> Path:
    """The executable that the environment variable names. Raises EngineError if there is none."""
    path = Path(given).absolute()
    if not (path.is_file() and os.access(path, os.X_OK)):
        raise EngineError(
            f"{variable} is '{given}'.\nRule: it is the path of an executable.\nDo: correct it, or unset it."
        )
    return path


def _official(plugin: Plugin, pulumi: Path, oldest: tuple[int, ...]) -> Path | None:
    return official_language_host(pulumi, oldest) if plugin == LANGUAGE_HOST else _installed(plugin)


def official_language_host(pulumi: Path, oldest: tuple[int, ...]) -> Path | None:
    """Next to the CLI, or on PATH; with the script that runs programs, and not older than the SDK."""
    folders = [pulumi.parent, *map(Path, os.environ.get("PATH", os.defpath).split(os.pathsep))]
    for folder in folders:
        host = folder / LANGUAGE_HOST.file
        whole = os.access(host, os.X_OK) and host.with_name(f"{host.name}-exec").exists()
        if folder != STAND_INS and whole and numbers(_output(host, "-version")) >= oldest:
            return host
    return None


def _installed(plugin: Plugin) -> Path | None:
    """In the user's Pulumi home, or in the cache. An interrupted installation does not count."""
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    for plugins in (home / "plugins", cache() / "plugins"):
        folder = plugins / plugin.folder
        if os.access(folder / plugin.file, os.X_OK) and not (plugins / f"{plugin.folder}.partial").exists():
            return folder / plugin.file
    return None


def get_missing(pulumi: Path) -> None:
    """Downloads the wanted official resource plugins into the cache, and records those that cannot be had."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine())
    for plugin in PLUGINS:
        if not plugin.package or not machine or not _wanted(plugin) or plugin.variable in os.environ:
            continue
        if _installed(plugin) is None and (choice() == "official" or not refused(plugin.folder)):
            _get(plugin, machine)


def _get(plugin: Plugin, machine: str) -> None:
    target = made(cache() / "plugins") / plugin.folder
    say(f"getting the official plugin {plugin.name} {plugin.version}, into {target}")
    release = Release(
        f"{plugin.releases}/v{plugin.version}",
        f"{plugin.file}-v{plugin.version}-linux-{machine}.tar.gz",
        f"pulumi-{plugin.name}_{plugin.version}_checksums.txt",
    )
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as folder:
        unpacked = made(Path(folder) / "unpacked")
        try:
            releases.get(release, unpacked, say)
        except NotToBeHad as error:
            remember_refusal(plugin.folder, error)
            return
        if not target.exists():
            unpacked.rename(target)


def keep(home: Path, chosen: Callable[[], tuple[Path, tuple[Chosen, ...]]]) -> tuple[Path, tuple[Chosen, ...]]:
    """The CLI and plugins of a home, which are chosen if there are none yet. Raises EngineError."""
    record = home / RECORD
    with lock(made(home) / f"{RECORD}.lock"):
        if not record.exists():
            pulumi, selected = chosen()
            link(home, selected)
            paths = {each.plugin.file: str(each.path) for each in selected}
            new = record.with_suffix(".new")
            new.write_text(json.dumps({"asked": _asked(), "pulumi": str(pulumi), "plugins": paths}))
            new.rename(record)
    known = json.loads(record.read_text())
    if _asked() and _asked() != known["asked"]:
        raise EngineError(
            f"{_words(_asked())}, and this sandbox began with {_words(known['asked'])}.\n"
            "Rule: a sandbox keeps its engine and its plugins for life: no run ends with others than it began with.\n"
            "Do: run scripts/down and scripts/up with these, or unset them."
        )
    selected = tuple(Chosen(each, Path(known["plugins"][each.file])) for each in PLUGINS)
    gone = [path for path in (Path(known["pulumi"]), *(each.path for each in selected)) if not path.exists()]
    if gone:
        raise EngineError(
            f"{', '.join(map(str, gone))}: gone, and this sandbox uses it.\n"
            "Rule: a sandbox keeps its engine and its plugins for life.\n"
            "Do: bring it back, or run scripts/down and scripts/up."
        )
    return Path(known["pulumi"]), selected


def _asked() -> dict[str, str]:
    """What the environment variables ask for."""
    names = ("SANDBOX_PLUGINS", "SANDBOX_PULUMI", *(each.variable for each in PLUGINS))
    return {name: os.environ[name] for name in names if name in os.environ}


def _words(asked: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in asked.items()) or "none of these"


def link(home: Path, selected: tuple[Chosen, ...]) -> None:
    """Puts the plugins where the engine looks for installed ones; a language host also into bin/, for PATH."""
    for each in selected:
        _link(home / "plugins" / each.plugin.folder / each.plugin.file, each.path)
    _link(home / "bin" / LANGUAGE_HOST.file, next(each.path for each in selected if each.plugin == LANGUAGE_HOST))


def _link(place: Path, target: Path) -> None:
    made(place.parent)
    place.unlink(missing_ok=True)
    place.symlink_to(target)


def numbers(text: str) -> tuple[int, ...]:
    """The three numbers of a version such as "v3.274.1" or "3.274.1-dev"; () if it has none."""
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", text)
    return tuple(map(int, found.groups())) if found else ()


def _output(executable: Path, *arguments: str) -> str:
    try:
        return subprocess.run([executable, *arguments], capture_output=True, text=True, timeout=60, check=False).stdout
    except OSError:
        return ""
