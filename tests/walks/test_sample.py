"""A sample of walks, with WALKS=1: three take some ten minutes. More of them are `python -m tests.walks`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.walks import walk
from tests.walks.named import FOUND, SHORT, steps


@pytest.mark.skipif(os.environ.get("WALKS") != "1", reason="takes some ten minutes: WALKS=1 takes the sample")
@pytest.mark.parametrize("name", [*SHORT, *FOUND])
def test_a_walk_ends_where_a_fresh_rollout_of_its_settings_would(root: None, tmp_path: Path, name: str) -> None:
    kind, text = {**SHORT, **FOUND}[name]
    result = walk.run(kind, steps(text), tmp_path, print)
    assert result.problems == []
    assert result.ended
