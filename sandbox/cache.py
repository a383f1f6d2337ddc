"""This user's cache, which all clones share: engines, plugins, and what could not be downloaded."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache() -> Path:
    """The directory; it may not exist yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chef-push-jobs"


def made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def refused(name: str) -> bool:
    """Whether an earlier attempt failed, so that not every command tries again."""
    return _refusal(name).exists()


def remember_refusal(name: str, why: Exception) -> None:
    made(cache())
    _refusal(name).write_text(f"{why}\n")
    say(f"  not to be had: {why}\n  it is not tried again: to try, remove {_refusal(name)}")


def _refusal(name: str) -> Path:
    return cache() / f"{name}.not-to-be-had"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
