"""What servers and stack files say is shown, never obeyed: by a terminal, in Markdown, in Mermaid, in a failure."""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from chef_push_jobs import scripts
from chef_push_jobs.cli.app import main
from chef_push_jobs.cli.plan import mermaid, svg
from chef_push_jobs.cli.plan.picture import draw
from chef_push_jobs.cli.review.comment import comment, failed
from chef_push_jobs.cli.review.preview_review import review_of
from chef_push_jobs.cli.up.screen import Screen
from chef_push_jobs.engine.event_log import Ended, Failed, Said, Started
from chef_push_jobs.engine.preview import COMMAND
from chef_push_jobs.model.problems import Problem
from chef_push_jobs.model.shown import code, fenced, in_mermaid, line, prose, visible
from chef_push_jobs.runbook import push_jobs
from tests.unit.clusters import stack

CLI = Path(__file__).parents[2] / "chef_push_jobs" / "cli"
PREVIEWS = Path(__file__).parent / "files" / "previews"
# What a terminal obeys: the clipboard, the title, a link, a cleared screen, its short forms, a line written over, text
# that is turned round.
ORDERS = {
    "OSC 52": "\x1b]52;c;ZXZpbA==\x07",
    "OSC 0": "\x1b]0;title\x1b\\",
    "OSC 8": "\x1b]8;;https://evil.test\x1b\\link\x1b]8;;\x1b\\",
    "CSI": "\x1b[2J\x1b[31m",
    "C1": "\x9b2J\x9d0;title\x9c",
    "CR": "harm\rless",
    "backspace": "harm\b\b\b\bless",
    "bidi": "\u202egnp.\u2066exe\u2069",
    "beyond": "\U000e0001",
}
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\U000e0001]")


@pytest.mark.parametrize("name", ORDERS)
def test_no_order_to_a_terminal_is_left_and_all_other_text_is(name: str) -> None:
    shown = visible(f"a\tb\r\nc é ✓ {ORDERS[name]}")
    assert shown.startswith("a\tb\nc é ✓ ")
    assert not OBEYED.search(shown)
    assert "\\u" in shown


@given(st.text())
def test_what_is_shown_is_obeyed_nowhere_and_json_stays_the_same(text: str) -> None:
    assert all(one.isprintable() or one in "\n\t" for one in visible(text))
    written = json.dumps(text, ensure_ascii=False)
    assert json.loads(visible(written)) == text
    assert "\n" not in line(text)
    assert len(code(text)) < 4000


@given(st.text(alphabet="`~a\n"))
def test_a_fence_is_ended_by_nothing_in_it(text: str) -> None:
    first, *inside, last = fenced(text, "text").split("\n")
    assert first == f"{last}text"
    assert not any(found.startswith(last) for found in inside)


def test_words_within_a_line_of_markdown_stay_there() -> None:
    hostile = "a | b\n<img src=x> [x](https://evil.test) `code` <!-- @somebody"
    for shown in (code(hostile), prose(hostile)):
        assert "\n" not in shown
    assert not re.search(r"[<>\[\]`|]|@s", prose(hostile))
    assert code("a`b|c") == "`a'b\\|c`"
    assert in_mermaid('"]; click x "<b>') == "#quot;]; click x #quot;#lt;b#gt;"


def test_every_subcommand_writes_through_the_functions_that_make_text_visible() -> None:
    """Else one forgotten `print` hands the terminal over."""
    writes = re.compile(r"\bprint\(|std(out|err)\.write|console\.print")
    found = [path.relative_to(CLI) for path in CLI.rglob("*.py") if writes.search(path.read_text())]
    assert sorted(map(str, found)) == ["app.py", "common.py", "up/screen.py"]
    tree = ast.parse((CLI / "app.py").read_text())
    printed = [one for one in ast.walk(tree) if isinstance(one, ast.Call) and ast.unparse(one.func) == "print"]
    assert [ast.unparse(one) for one in printed] == ["print(f'{NAME} {__version__}')"]


@pytest.mark.parametrize("terminal", [True, False])
def test_a_rollout_on_the_screen_obeys_no_server(terminal: bool) -> None:
    hostile = "".join(ORDERS.values())
    written = io.StringIO()
    console = Console(file=written, force_terminal=terminal, width=200, no_color=True)
    name = "push-jobs-install-backend-0"
    with Screen("s", console, {}, None) as screen:
        screen.on_events([Started(1, name, COMMAND, "create"), Said(1, name, "info", f"said {hostile}")])
        with console.capture() as capture:
            console.print(screen.render())
        assert not OBEYED.search(plain(capture.get()))
        screen.on_events([Said(2, name, "error", f"failed {hostile}"), Failed(2, name, COMMAND, "create")])
        screen.on_events([Ended(3, "failed", {})])
    at = written.tell()
    screen.finish("")
    assert not OBEYED.search(written.getvalue()[at:])
    assert "failed \\u001b]52" in written.getvalue()


def plain(text: str) -> str:
    """Without the screen's own styles."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_a_problem_is_three_lines_whatever_was_given() -> None:
    told = str(Problem("domain", "'a\n```\n\x1b[2J'", "rule", "do"))
    assert told.count("\n") == 2
    assert not OBEYED.search(told)
    assert len(str(Problem("domain", "9" * 5_000_000, "rule", "do"))) < 1000


def test_what_the_test_said_on_a_server_is_one_line() -> None:
    assert push_jobs.tested(["all is\x1b[2J well\n"]) == "all is\\u001b[2J well"


def test_a_code_fence_in_a_setting_stays_in_the_comment_of_a_failed_preview() -> None:
    text = failed("s", ["1. domain: 'x\n```\n<script>\n# Approved'"])
    fences = [one for one in text.splitlines() if one.startswith("````")]
    assert fences == ["````text", "````"]


def test_names_in_a_preview_stay_in_their_cells() -> None:
    content = json.loads((PREVIEWS / "frontend-added.json").read_text())
    for step in content["steps"]:
        for state in ("oldState", "newState"):
            inputs = (step.get(state) or {}).get("inputs") or {}
            if "cidrIpv4" in inputs:
                inputs["description"] = "x |\n\n# Approved <img src=x> `"
    text = comment(review_of(json.dumps(content), "sandbox"))
    assert "# Approved <img" not in text
    assert "\n# Approved" not in text


def test_a_drawing_keeps_a_name_as_text() -> None:
    hostile = 's"]\nclick x <script>\x1b'
    drawn = draw(hostile, stack())
    lines = mermaid.render(drawn).splitlines()
    assert not any(one.startswith("click") for one in lines)
    tree = ElementTree.fromstring(visible(svg.render(drawn)))  # noqa: S314 - our own
    assert not [one for one in tree.iter() if one.tag.endswith("script")]


def test_an_error_on_standard_error_is_no_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "\x1b]0;x\x07"]) == 2
    assert not OBEYED.search(capsys.readouterr().err)


def test_the_block_of_a_failed_task_has_no_order_in_it() -> None:
    """As it is sent to the engine, which prints what it gets."""
    text = (Path(scripts.__file__).parent / "task.sh").read_text()
    function = text[text.index("harmless() {") : text.index("# give_up STATUS")]
    hostile = "é ✓ " + "".join(one for name, one in ORDERS.items() if name != "beyond")
    done = subprocess.run(
        ["sh", "-c", f"{function}\nharmless"], input=hostile.encode(), capture_output=True, check=True
    )
    assert done.stdout.decode().startswith("é ✓ ?]52")
    assert not OBEYED.search(done.stdout.decode())
