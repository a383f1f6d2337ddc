"""Chromium without a window or a network: what a page looks like, and what it is once it is loaded."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    # Whatever a page asks the network for fails.
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
LIMIT = 120  # seconds


def chromium(page: Path, *flags: str) -> str:
    """What it prints, with a profile of its own. Raises AssertionError where it is not installed."""
    program = shutil.which("chromium")
    assert program, "chromium is not installed: scripts/test installs it"
    with tempfile.TemporaryDirectory() as profile:
        argv = [program, *FLAGS, f"--user-data-dir={profile}", *flags, page.resolve().as_uri()]
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=LIMIT).stdout


def screenshot(page: Path, image: Path, *, dark: bool, width: int = 1200, height: int = 1600) -> None:
    """Of the upper part, as somebody sees it whose system is dark, or is not."""
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    chromium(page, scheme, f"--window-size={width},{height}", f"--screenshot={image}")


def brightness(image: Path) -> list[int]:
    """Of each pixel, 0 to 255."""
    with Image.open(image) as opened:
        return list(opened.convert("L").tobytes())
