"""The sandbox's own times: `scripts/up` with full and with empty caches, and destroying and recreating the stack."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from bench.measure import Failed
from bench.results import Results, Row
from sandbox.paths import CLONE

TIMES = 3
SERVERS = 4  # of the stack `sandbox`
OWN = {"SANDBOX": "benchup"}
# What runs in turn, and which parts are measured.
TURN: Mapping[str, list[str]] = {
    "scripts/up, warm": ["scripts/up"],
    "destroy": ["scripts/pulumi", "destroy", "--yes", "--skip-preview", "--stack", "sandbox", "--non-interactive"],
    "scripts/up, made again": ["scripts/up"],
    "scripts/down": ["scripts/down"],
}


def measured(results: Results, folder: Path) -> None:
    for _ in range(TIMES - len(results.of("scripts/down", "sandbox", SERVERS))):
        for what, argv in TURN.items():
            results.add(_row(what, _seconds(argv, CLONE, OWN, folder / "sandbox.log")))
    if not results.of("scripts/up, cold", "sandbox", SERVERS):
        results.add(_row("scripts/up, cold", _cold(folder)))


def _cold(folder: Path) -> float:
    """From a fresh clone with empty caches, including the engine's."""
    clone, caches = folder / "clone", folder / "caches"
    subprocess.run(["git", "clone", "--quiet", str(CLONE), str(clone)], check=True)
    names = ("XDG_CACHE_HOME", "GOMODCACHE", "GOCACHE", "PIP_CACHE_DIR")
    own = {"SANDBOX": "benchcold", **{name: str(caches / name.lower()) for name in names}}
    try:
        return _seconds(["scripts/up"], clone, own, folder / "cold.log")
    finally:
        _seconds(["scripts/down"], clone, own, folder / "down.log")
        subprocess.run(["chmod", "-R", "u+w", str(caches)], check=True)  # Go's are read-only
        shutil.rmtree(caches)


def _seconds(argv: list[str], folder: Path, own: Mapping[str, str], log: Path) -> float:
    begun = time.monotonic()
    with log.open("wb") as output:
        done = subprocess.run(
            argv, cwd=folder, env={**os.environ, **own}, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        raise Failed(f"{argv}: exit status {done.returncode}; it said:\n{log.read_text()[-3000:]}")
    return time.monotonic() - begun


def _row(what: str, seconds: float) -> Row:
    return Row(what, "sandbox", SERVERS, "none", {"wall s": round(seconds, 2)})
