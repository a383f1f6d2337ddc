"""python -m tests.examples: writes docs/examples/ again, from recordings of the real engine. A test compares."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from components.review.comment import comment
from components.review.subject import read

ROOT = Path(__file__).resolve().parents[1]
FILES = ROOT / "tests" / "unit" / "files"
EXAMPLES = ROOT / "docs" / "examples"


def examples() -> Iterator[tuple[str, str]]:
    """(name of the file, its text)."""
    for preview in sorted((FILES / "previews").glob("*.json")):
        yield f"review-{preview.stem}.md", comment(read(preview.read_text(), "sandbox"))


def main() -> int:
    EXAMPLES.mkdir(exist_ok=True)
    for name, text in examples():
        (EXAMPLES / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
