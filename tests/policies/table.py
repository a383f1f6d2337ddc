"""The table, and how docs/policy.md shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.policies import machines, members, networks, others, passes
from tests.policies.parts import Row

END = "<!-- end -->"
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "policy.md"

REFUSED: list[Row] = [*networks.REFUSED, *members.REFUSED, *others.REFUSED, *machines.REFUSED]
ROWS: list[Row] = [*REFUSED, *passes.RIGHT, *passes.UNSEEN]


def tables() -> Mapping[str, str]:
    """By the comment that each stands under."""
    return {
        "<!-- what is refused -->": "\n".join(_refused()),
        "<!-- what passes -->": "\n".join(f"- {row.what}" for row in passes.RIGHT),
        "<!-- what cannot be seen -->": "\n".join(f"- {row.what}" for row in passes.UNSEEN),
    }


def _refused() -> Iterator[str]:
    yield "| | configuration | refused by |"
    yield "|---|---|---|"
    for number, row in enumerate(REFUSED, 1):
        yield f"| {number} | {row.what} | {', '.join(f'`{policy}`' for policy in row.refused)} |"


def document(text: str) -> str:
    """With the tables of today: each between its comment and the one that ends it."""
    for comment, table in tables().items():
        before, rest = text.split(f"{comment}\n", 1)
        _, after = rest.split(f"{END}\n", 1)
        text = f"{before}{comment}\n{table}\n{END}\n{after}"
    return text
