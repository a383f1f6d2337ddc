"""What the count of failovers makes of what hosts saw."""

from __future__ import annotations

import pytest

from tests.faults.failovers import both, gap

Seen = list[tuple[float, bool]]


def seen(text: str, every: float = 0.1) -> Seen:
    """A sample each 0.1 s: `x` is yes, `-` is no, a space is none."""
    return [(number * every, letter == "x") for number, letter in enumerate(text) if letter != " "]


@pytest.mark.parametrize(
    ("answers", "seconds"), [("xxxxx", 0.0), ("xx---xx", 0.4), ("x-xx--x", 0.3), ("--xx", 0.0), ("xx   xx", 0.0)]
)
def test_a_gap_is_from_an_answer_to_the_next_where_one_failed_between(answers: str, seconds: float) -> None:
    assert gap(seen(answers)) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("first", "second", "seconds"),
    [
        ("xxx---", "---xxx", 0.0),
        ("xxxx--", "--xxxx", 0.2),
        ("xx    ", "---xxx", 0.1),  # its power is gone: what it said last holds for a moment
        ("xx          ", "------xxxxxx", 0.0),
    ],
)
def test_both_hold_the_address_where_both_said_so_at_once(first: str, second: str, seconds: float) -> None:
    assert both(seen(first), seen(second)) == pytest.approx(seconds)
