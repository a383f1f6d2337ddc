"""Where a package comes from: a file beside the program, or a URL with its SHA-256. Pure, except for reading that file.

`chef_push_jobs/scripts/install-*.sh` install it. Repositories (apt, yum) are not supported: they cannot guarantee the
same bytes on every server.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from chef_push_jobs.model.problems import Problem

SHA256 = re.compile(r"[0-9a-f]{64}")
URL = re.compile(r"https?://[A-Za-z0-9._~:/?#@!&=%+,-]+")
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]*\.(deb|rpm)")
# Architectures in file names, and this project's (Debian's) name for each.
ARCHITECTURES = {"amd64": ("amd64", "x86_64"), "arm64": ("arm64", "aarch64")}

Version = tuple[int, ...]


def numbers(version: str) -> Version:
    """The numbers of a version that are compared: `12.19.31-1.el7` is (12, 19, 31), `1:2.2.8~rc1-1` is (2, 2, 8)."""
    found = re.match(r"(?:\d+:)?(\d+(?:\.\d+)*)", version)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


@dataclass(frozen=True)
class Package:
    """A package to install: exactly one of `file` (a path here) and `url`. `sha256` is in hexadecimal."""

    name: str
    sha256: str
    file: str | None = None
    url: str | None = None

    @property
    def format(self) -> str:
        """`deb` or `rpm`."""
        return self.name.rsplit(".", 1)[1]

    @property
    def placeholder(self) -> Package:
        """Stands for the same package at any location: the input of a fingerprint."""
        return Package(f"{{package}}.{self.format}", self.sha256, url="{url}")

    @property
    def version(self) -> str | None:
        """The version in the file name, if that follows the convention of its format, otherwise None."""
        parts = self.name.rsplit(".", 1)[0].split("_")
        if self.format == "deb" and len(parts) == 3:
            return parts[1]
        found = re.fullmatch(r".+?-([0-9][^-]*-[^-]+)\.[^.]+\.rpm", self.name)
        return found[1] if found else None


@dataclass(frozen=True)
class Source:
    """A package as the stack file gives it."""

    file: str | None = None
    url: str | None = None
    sha256: str | None = None


def package(source: Source, architecture: str, setting: str, root: Path | None) -> tuple[Package | None, list[Problem]]:
    """The package of `source`, with paths relative to `root`; or None and every problem with it.

    Without `root`, files are not read, and the digest is empty unless the source gives one.
    """
    if (source.file is None) == (source.url is None):
        given = "both file and url" if source.file else "neither file nor url"
        return None, [Problem(setting, given, "a package needs exactly one of them", "set file, or url and sha256")]
    name = _name(source)
    found = _shape(source, name, setting) or _architecture(name, architecture, setting)
    if found:
        return None, found
    if source.url is not None:
        return Package(name, str(source.sha256), url=source.url), []
    if root is None:
        return Package(name, source.sha256 or "", file=source.file), []
    return _local(source, name, architecture, setting, root)


def _name(source: Source) -> str:
    try:
        path = urlsplit(source.url).path if source.url is not None else str(source.file)
    except ValueError:  # brackets that do not contain an IPv6 address
        path = str(source.url)
    return unquote(path.rsplit("/", 1)[-1])


def _shape(source: Source, name: str, setting: str) -> list[Problem]:
    found = []
    if source.url is not None and not URL.fullmatch(source.url):
        rule = "a URL must start with https:// or http:// and contain no spaces, quotes or shell characters"
        found.append(Problem(f"{setting}.url", f"'{source.url}'", rule, "set the URL of the package file"))
    elif source.url is not None and "@" in urlsplit(source.url).netloc:
        rule = "a URL must not contain a user or password: it is sent to servers and stored in the state unencrypted"
        found.append(
            Problem(f"{setting}.url", "a URL with a password", rule, "use a URL without one, and change the password")
        )
    if source.url is not None and source.sha256 is None:
        rule = "a package from a URL needs its SHA-256, so that every server installs the same bytes"
        found.append(Problem(f"{setting}.sha256", "not given", rule, "add the sha256 that the vendor publishes"))
    if source.sha256 is not None and not SHA256.fullmatch(source.sha256):
        rule = "a SHA-256 is 64 lower-case hexadecimal digits"
        found.append(Problem(f"{setting}.sha256", f"'{source.sha256}'", rule, "copy it from `sha256sum FILE`"))
    if not FILE_NAME.fullmatch(name):
        rule = "a package file's name must end in .deb or .rpm and may only contain letters, digits and . _ + ~ -"
        found.append(Problem(setting, f"file name '{name}'", rule, "use the package under its original name"))
    return found


def _architecture(name: str, architecture: str, setting: str) -> list[Problem]:
    for other, words in ARCHITECTURES.items():
        if other != architecture and any(word in name for word in words):
            return [_wrong_architecture(f"'{name}' is for {other}", architecture, setting)]
    return []


def _wrong_architecture(given: str, architecture: str, setting: str) -> Problem:
    rule = f"the servers are {architecture} (setting architecture)"
    return Problem(setting, given, rule, f"use the package for {architecture}, or change architecture and instanceType")


def _local(
    source: Source, name: str, architecture: str, setting: str, root: Path
) -> tuple[Package | None, list[Problem]]:
    path = root / str(source.file)
    try:
        content = path.read_bytes()
    except OSError as error:
        rule = f"the file must exist and be readable ({error.strerror})"
        remedy = "put the package there, or correct the path; it is relative to Pulumi.yaml"
        return None, [Problem(f"{setting}.file", f"'{source.file}'", rule, remedy)]
    digest = hashlib.sha256(content).hexdigest()
    if source.sha256 not in (None, digest):
        rule = f"it must be the SHA-256 of {source.file}, which is {digest}"
        remedy = "find out which of the two is right before you change either"
        return None, [Problem(f"{setting}.sha256", f"'{source.sha256}'", rule, remedy)]
    if name.endswith(".deb"):
        try:
            control = deb_control(content)
        except ValueError as error:
            rule = f"the file must be a Debian package ({error})"
            return None, [Problem(f"{setting}.file", f"'{source.file}'", rule, "download the package again")]
        if (of := control.get("Architecture", "all")) not in ("all", architecture):
            return None, [_wrong_architecture(f"'{name}' is for {of}", architecture, setting)]
    return Package(name, digest, file=str(source.file)), []


def deb_control(content: bytes) -> dict[str, str]:
    """The control fields of a .deb; empty if they are compressed in a way that Python cannot read. Raises ValueError.

    Source: deb(5): an ar archive whose member control.tar[.gz|.xz|.zst] has the file control.
    """
    for name, member in _ar(content):
        if name.startswith("control.tar"):
            if name.endswith(".zst"):
                return {}
            try:
                with tarfile.open(fileobj=io.BytesIO(member)) as archive:
                    text = archive.extractfile("./control")
                    lines = text.read().decode().splitlines() if text else []
            except (tarfile.TarError, KeyError, UnicodeDecodeError, OSError, EOFError) as error:
                raise ValueError("its control archive cannot be read") from error
            return dict(line.split(": ", 1) for line in lines if ": " in line and not line.startswith(" "))
    raise ValueError("it has no control archive")


def _ar(content: bytes) -> list[tuple[str, bytes]]:
    if not content.startswith(b"!<arch>\n"):
        raise ValueError("it is not an ar archive")
    members, position = [], 8
    while position + 60 <= len(content):
        name = content[position : position + 16].decode("ascii", "replace").strip().rstrip("/")
        digits = content[position + 48 : position + 58].strip()
        if not digits.isdigit():
            raise ValueError("its ar header is damaged")
        start = position + 60
        if start + int(digits) > len(content):
            raise ValueError("it is truncated")
        members.append((name, content[start : start + int(digits)]))
        position = start + int(digits) + int(digits) % 2
    return members
