"""Files of a server, written at once or not at all: no other module opens one for writing (the logs excepted)."""

from __future__ import annotations

import grp
import json
import os
import pwd
import shutil
import tempfile
from pathlib import Path
from typing import Any


class StandinError(Exception):
    """What an operator has to read: one message, no stack trace. `status` is the command's exit status."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


def _ids(owner: str, group: str) -> tuple[int, int]:
    try:
        return pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid
    except KeyError:
        raise StandinError(f"cannot determine user id for '{owner}', does the user exist on this system?") from None


def write(path: str, text: str, mode: int, owner: str = "root", group: str = "root") -> bool:
    """Give `path` exactly this text, mode and owner; true when the text is new. Unchanged files keep their inode."""
    uid, gid = _ids(owner, group)
    target = Path(path)
    changed = not target.is_file() or target.read_bytes() != text.encode()
    if changed:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
            os.chown(temporary, uid, gid)
            os.chmod(temporary, mode)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    os.chown(path, uid, gid)
    os.chmod(path, mode)
    return changed


def directory(path: str, mode: int, owner: str = "root", group: str = "root") -> None:
    uid, gid = _ids(owner, group)
    os.makedirs(path, exist_ok=True)
    os.chown(path, uid, gid)
    os.chmod(path, mode)


def remove(path: str) -> None:
    """Remove a file, a link or a whole directory, if it is there."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        Path(path).unlink(missing_ok=True)


def pretty(document: object) -> str:
    return json.dumps(document, indent=2) + "\n"


def read_json(path: str) -> dict[str, Any]:
    """The JSON object in `path`; a StandinError names the file when it holds anything else."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise StandinError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise StandinError(f"{path} does not hold a JSON object")
    return document
