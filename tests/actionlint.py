"""Finds actionlint, which checks GitHub's workflows, or builds it once per user: PyPI has only a downloader of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from sandbox.paths import cache

VERSION = "1.7.12"
MODULE = f"github.com/rhysd/actionlint/cmd/actionlint@v{VERSION}"
BUILD_LIMIT = 600  # seconds; it takes some ten


def actionlint() -> Path:
    """Where it is. Raises AssertionError where it cannot be had."""
    kept = cache() / f"actionlint-v{VERSION}" / "actionlint"
    if kept.exists():
        return kept
    assert shutil.which("go"), "actionlint is built with Go: install Go (go.dev/doc/install)"
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        variables = {**os.environ, "GOBIN": folder}
        done = subprocess.run(
            ["go", "install", MODULE], env=variables, timeout=BUILD_LIMIT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"go install {MODULE}: {done.stderr}"
        (Path(folder) / "actionlint").rename(kept)
    return kept
