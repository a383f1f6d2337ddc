"""A sample of walks for every run of CI. More of them are `python -m tests.walks`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.walks import walk
from tests.walks.named import FOUND, SHORT, steps


@pytest.mark.parametrize("name", [*SHORT, *FOUND])
def test_a_walk_ends_where_a_fresh_rollout_of_its_settings_would(root: None, tmp_path: Path, name: str) -> None:
    kind, text = {**SHORT, **FOUND}[name]
    result = walk.run(kind, steps(text), tmp_path, print)
    assert result.problems == []
    assert result.ended
