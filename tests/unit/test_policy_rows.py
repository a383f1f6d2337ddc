"""The table of tests/policies by the rules alone, as a preview sees it and as a run does; the document shows it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.resources import UNKNOWN
from policy.rules import POLICIES
from tests.policies.parts import Made, Row
from tests.policies.table import DOCUMENT, REFUSED, ROWS, document
from tests.policies.views import PREVIEW, RUN, TYPED, View, violations


def test_the_document_names_every_policy_and_those_that_are_to_know_the_ports() -> None:
    text = DOCUMENT.read_text()
    assert re.findall(r"^\| `([a-z0-9-]+)` \|", text, re.MULTILINE) == [policy.name for policy in POLICIES]
    (example,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    assert set(json.loads(example)) == {policy.name for policy in POLICIES if policy.uses_ports}


def words(value: object) -> Iterator[str]:
    """Every name of a property in a value, and every text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from value
    for each in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from words(each)


# Of a whole stack, which a row is not.
OF_SETTINGS = "push-jobs-ports-agree"
NAMES = {policy.name for policy in POLICIES} - {OF_SETTINGS}


@pytest.mark.parametrize("view", [PREVIEW, RUN, TYPED], ids=str)
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_row_is_refused_by_its_policies_and_by_no_other(row: Row, view: View) -> None:
    assert {name for name in NAMES if violations(name, row.resources, view)} == set(row.refused)


def test_every_policy_but_the_one_of_settings_has_its_rows() -> None:
    assert {row.refused[0] for row in REFUSED} == NAMES


def test_no_two_rows_are_the_same() -> None:
    assert len({row.what for row in ROWS}) == len(ROWS)


def test_the_document_shows_the_table() -> None:
    assert DOCUMENT.read_text() == document(DOCUMENT.read_text()), "python -m tests.policies writes it again"


# Values where nobody expects them.
WORDS = sorted({word for row in ROWS for made in row.resources for word in words(made.props)})
SCALARS = st.sampled_from([None, True, False, UNKNOWN, "-1", "all", "0.0.0.0/0"]) | st.integers() | st.floats()
VALUES = st.recursive(
    SCALARS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=2),
    max_leaves=4,
)


@st.composite
def spoilt(draw: st.DrawFn) -> list[Made]:
    """A row with one value in it exchanged for another one, at any depth."""
    resources = list(draw(st.sampled_from(ROWS)).resources)
    number = draw(st.sampled_from([number for number, made in enumerate(resources) if made.props]))
    chosen = resources[number]
    resources[number] = Made(chosen.type, chosen.name, exchanged(draw, chosen.props))
    return resources


def exchanged(draw: st.DrawFn, value: Any) -> Any:
    if isinstance(value, Mapping) and value:
        key = draw(st.sampled_from(sorted(value)))
        return {**value, key: exchanged(draw, value[key])}
    if isinstance(value, list) and value and draw(st.booleans()):
        return [exchanged(draw, value[0]), *value[1:]]
    return draw(VALUES)


@settings(max_examples=200)
@given(spoilt())
def test_no_value_makes_a_rule_fail(made: list[Made]) -> None:
    for policy in POLICIES:
        violations(policy.name, made)
