"""What several unit tests stand on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from chef_push_jobs.scripts import rendering


@pytest.fixture
def scripts_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the scripts' files, used in their place; a test changes it before anything is rendered."""
    folder = tmp_path / "scripts"
    shutil.copytree(Path(rendering.__file__).parent, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    monkeypatch.setattr(rendering, "FOLDER", folder)
    rendering._sent.cache_clear()
    yield folder
    rendering._sent.cache_clear()
