"""The table of tests/policies by the rules alone, as a preview sees it and as a run does; the document shows it."""

from __future__ import annotations

import pytest

from policy.rules import POLICIES
from tests.policies.parts import Row
from tests.policies.table import DOCUMENT, REFUSED, ROWS, document
from tests.policies.views import PREVIEW, RUN, TYPED, View, violations

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
