"""python -m tests.examples: writes docs/examples/ again, from recordings of the real engine. A test compares."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME

from chef_push_jobs.cli.report.page import page
from chef_push_jobs.cli.report.record import Record, record
from chef_push_jobs.cli.review.comment import comment
from chef_push_jobs.cli.review.preview_review import review_of
from chef_push_jobs.cli.up.screen import Screen
from chef_push_jobs.engine import history
from chef_push_jobs.engine.stack_history import parse_history
from sandbox.helped import help_if_asked

ROOT = Path(__file__).resolve().parents[1]
FILES = ROOT / "tests" / "unit" / "files"
EVENTS = FILES / "events"
EXAMPLES = ROOT / "docs" / "examples"


def examples() -> Iterator[tuple[str, str]]:
    """(name of the file, its text)."""
    yield "report.html", page(_report())
    yield "up.svg", _terminal()
    before = json.loads((FILES / "previews" / "nothing-changed.json").read_text())["config"]
    for preview in sorted((FILES / "previews").glob("*.json")):
        yield f"review-{preview.stem}.md", comment(review_of(preview.read_text(), "sandbox", before))


def _report() -> Record:
    """Of a rollout that failed, with one before it."""
    first, failed = (history.load(EVENTS / f"{name}.jsonl") for name in ("first", "failed"))
    return record("sandbox", failed, [first], parse_history((EVENTS / "history.json").read_text()))


def _terminal() -> str:
    """What `chef-push-jobs up` showed at the end of a first rollout, in a terminal of 150 columns."""
    console = Console(file=io.StringIO(), record=True, width=150, force_terminal=True, color_system="truecolor")
    screen = Screen("sandbox", console, {}, None, history.load(EVENTS / "first.jsonl"))
    console.print("# scripts/up", style="bold")
    console.print(screen.render())
    screen.finish("")
    own_fonts = re.sub(r" *@font-face \{\{.*?\n    \}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    return console.export_svg(title="scripts/up", theme=SVG_EXPORT_THEME, code_format=own_fonts, unique_id="up")


def main() -> int:
    EXAMPLES.mkdir(exist_ok=True)
    for name, text in examples():
        (EXAMPLES / name).write_text(text)
    return 0


if __name__ == "__main__":
    help_if_asked(__doc__)
    sys.exit(main())
