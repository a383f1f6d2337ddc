"""python -m tests.examples: writes docs/examples/ again, from recordings of the real engine. A test compares."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from components.events import history
from components.report.page import page
from components.report.record import Record, record
from components.report.updates import read as read_updates
from components.review.comment import comment
from components.review.subject import read

ROOT = Path(__file__).resolve().parents[1]
FILES = ROOT / "tests" / "unit" / "files"
EVENTS = FILES / "events"
EXAMPLES = ROOT / "docs" / "examples"


def examples() -> Iterator[tuple[str, str]]:
    """(name of the file, its text)."""
    yield "report.html", page(_report())
    for preview in sorted((FILES / "previews").glob("*.json")):
        yield f"review-{preview.stem}.md", comment(read(preview.read_text(), "sandbox"))


def _report() -> Record:
    """Of a rollout that failed, with one before it."""
    first, failed = (history.load(EVENTS / f"{name}.jsonl") for name in ("first", "failed"))
    return record("sandbox", failed, [first], read_updates((EVENTS / "history.json").read_text()))


def main() -> int:
    EXAMPLES.mkdir(exist_ok=True)
    for name, text in examples():
        (EXAMPLES / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
