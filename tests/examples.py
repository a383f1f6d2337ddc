"""python -m tests.examples: writes docs/examples/ again, from recordings of the real engine. A test compares."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from chef_push_jobs.cli.report.page import page
from chef_push_jobs.cli.report.record import Record, record
from chef_push_jobs.cli.review.comment import comment
from chef_push_jobs.cli.review.preview_review import review_of
from chef_push_jobs.engine import history
from chef_push_jobs.engine.stack_history import parse_history

ROOT = Path(__file__).resolve().parents[1]
FILES = ROOT / "tests" / "unit" / "files"
EVENTS = FILES / "events"
EXAMPLES = ROOT / "docs" / "examples"


def examples() -> Iterator[tuple[str, str]]:
    """(name of the file, its text)."""
    yield "report.html", page(_report())
    for preview in sorted((FILES / "previews").glob("*.json")):
        yield f"review-{preview.stem}.md", comment(review_of(preview.read_text(), "sandbox"))


def _report() -> Record:
    """Of a rollout that failed, with one before it."""
    first, failed = (history.load(EVENTS / f"{name}.jsonl") for name in ("first", "failed"))
    return record("sandbox", failed, [first], parse_history((EVENTS / "history.json").read_text()))


def main() -> int:
    EXAMPLES.mkdir(exist_ok=True)
    for name, text in examples():
        (EXAMPLES / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
