"""Broken stack files, previews and event logs: a small dose of `python -m tests.fuzz`."""

from __future__ import annotations

import pytest

from tests.fuzz import KINDS, Kind, problems


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_no_broken_input_makes_a_traceback_or_gets_out_of_its_place(kind: Kind) -> None:
    assert [found for seed in range(60) for found in problems(kind, seed)] == []
