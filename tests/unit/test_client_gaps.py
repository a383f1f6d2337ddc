"""What is made of a client's probes."""

from __future__ import annotations

import math

import pytest

from tests.e2e.clients import Gaps, Probe


def probes(text: str) -> list[Probe]:
    """A probe a second: `x` is an answer, `-` is none, a space is no probe."""
    return [(float(second), letter == "x") for second, letter in enumerate(text) if letter != " "]


@pytest.mark.parametrize(
    ("places", "gaps"),
    [
        (["xxxxx"], []),
        (["xx--xx"], [3.0]),
        (["x-xx--x"], [2.0, 3.0]),
        (["xx   xx"], []),
        (["xxx---", "---xxx"], [1.0]),
        (["xxxx--", "--xxxx"], []),
        (["xx----", "----xx"], [3.0]),
        (["xxxxxx", "------"], []),
        (["xxxx--"], [math.inf]),
        (["------"], [math.inf]),
    ],
)
def test_a_gap_is_where_no_place_answered(places: list[str], gaps: list[float]) -> None:
    assert Gaps.of([probes(text) for text in places]).lengths == gaps
