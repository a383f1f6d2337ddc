"""Downloads published releases: stops if they stall, checks their checksums, unpacks them member by member.

Does not resume downloads: one that breaks off has failed.
"""

from __future__ import annotations

import hashlib
import shutil
import socket
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import BinaryIO

# A download may take any time as long as this much arrives in this time.
STALL_SECONDS, LEAST_BYTES = 20.0, 256 << 10
SHOWN_EVERY = 16 << 20

Say = Callable[[str], None]


class NotToBeHad(Exception):
    """Why a release cannot be downloaded, in one line."""


@dataclass(frozen=True)
class Release:
    """An archive in the directory `url`, and the file there that lists its checksum."""

    url: str
    archive: str
    checksums: str


def get(release: Release, folder: Path, say: Say) -> None:
    """Unpacks the release into the directory. Raises NotToBeHad; the directory's content is then useless."""
    archive = folder / release.archive
    try:
        listed = _text(f"{release.url}/{release.checksums}", folder)
        _fetch(f"{release.url}/{release.archive}", archive, say)
    except (OSError, HTTPException) as error:
        raise NotToBeHad(_reason(error)) from error
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if [digest, release.archive] not in [line.split() for line in listed.splitlines()]:
        raise NotToBeHad(f"{release.archive} does not match its published checksum, so it is not used")
    _unpack(archive, folder)
    archive.unlink()


def _text(url: str, folder: Path) -> str:
    file = folder / "checksums"
    _fetch(url, file, lambda _: None)
    text = file.read_text(errors="replace")
    file.unlink()
    return text


def _fetch(url: str, target: Path, say: Say) -> None:
    """Raises OSError if the server does not answer, stalls or breaks off."""
    with urllib.request.urlopen(url, timeout=STALL_SECONDS) as answer, target.open("wb") as file:  # noqa: S310  # constant
        length = int(answer.headers.get("Content-Length") or 0)
        received = _receive(answer, file, length, say)
    if received < length:
        raise ConnectionError(f"{url} broke off after {received} of {length} bytes")


def _receive(answer: BinaryIO, file: BinaryIO, length: int, say: Say) -> int:
    received, shown = 0, 0
    deadline, wanted = time.monotonic() + STALL_SECONDS, LEAST_BYTES
    while chunk := answer.read1(1 << 16):  # type: ignore[attr-defined]  # an HTTPResponse has it
        received += file.write(chunk)
        if received >= wanted:
            deadline, wanted = time.monotonic() + STALL_SECONDS, received + LEAST_BYTES
        elif time.monotonic() > deadline:
            raise TimeoutError(f"less than {LEAST_BYTES >> 10} KiB came in {STALL_SECONDS:.0f} s")
        if received >= shown + SHOWN_EVERY:
            shown = received
            say(f"  {received >> 20} of {length >> 20} MiB")
    return received


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception):
        return _reason(error.reason)
    if isinstance(error, socket.timeout) and not str(error).startswith("less"):
        return f"nothing came for {STALL_SECONDS:.0f} s"
    return str(error) or type(error).__name__


def _unpack(archive: Path, folder: Path) -> None:
    """Unpacks plain files by hand: Python 3.11.2 has no `extractall(filter=…)` to refuse paths that lead elsewhere."""
    try:
        with tarfile.open(archive) as members:
            for member in members:
                path = PurePosixPath(member.name)
                if path.is_absolute() or ".." in path.parts:
                    raise NotToBeHad(f"{archive.name} holds {member.name}, which leads out of its folder")
                content = members.extractfile(member) if member.isfile() else None
                if content is None:
                    continue
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as file:
                    shutil.copyfileobj(content, file)
                target.chmod(0o755 if member.mode & 0o100 else 0o644)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise NotToBeHad(f"{archive.name} cannot be unpacked: {error}") from error
