"""python -m tests.fuzz [STACK_FILES PREVIEWS EVENT_LOGS]: broken inputs for the commands that read such files.

Prints each after which a command ends in a traceback, hands a terminal over, writes markup that is not its own, or
takes longer than any input should. A seed makes the same input again. By default 2000, 1000 and 500.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import random
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import yaml

from chef_push_jobs.cli.app import main
from sandbox.helped import help_if_asked

CLONE = Path(__file__).resolve().parents[1]
FILES = CLONE / "tests" / "unit" / "files"
SECONDS = 30
MARKUP = "<script>alert(1)</script>"
NASTY: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**30,
    1.5e308,
    "",
    "\x1b]52;c;YQ==\x07",
    "\x9b2J\u202e",
    "```\n# injected\n```",
    MARKUP,
    "|a|b|\n|-|-|",
    "::",
    "urn:pulumi:a::b::c::d",
    "0.0.0.0/0",
    "${x} $(id) `id`",
    "x" * 20_000,
    [],
    {},
    ["a", 1, None],
    {"a": {"b": [1]}},
)
# Of Markdown, what is shown as it stands.
CODE = re.compile(r"^(```+).*?^\1$|(`+)[^`\n].*?\2", re.DOTALL | re.MULTILINE)
TERMINAL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Kind:
    """`make` writes a broken input into a folder and gives the command that reads it. `output` is what that writes."""

    make: Callable[[random.Random, Path], list[str]]
    output: str


def mutated(value: Any, chance: random.Random) -> Any:
    """A copy with one to four places that are not what they were."""
    broken = copy.deepcopy(value)
    for _ in range(chance.randint(1, 4)):
        broken = _break(broken, chance)
    return broken


def _break(value: Any, chance: random.Random) -> Any:
    """Somewhere below, as likely near the root as deep."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    if not keys or chance.random() < 0.1:
        return copy.deepcopy(chance.choice(NASTY))
    key = chance.choice(keys)
    way = chance.random()
    if way < 0.15:
        del value[key]
    elif way < 0.25 and isinstance(value, list):
        value.append(copy.deepcopy(value[key]))
    elif way < 0.35 and isinstance(value, dict):
        value[str(chance.choice(NASTY))[:50]] = value.pop(key)
    else:
        value[key] = _break(value[key], chance)
    return value


def torn(text: str, chance: random.Random) -> str:
    """Some characters are gone, twice there, or others."""
    for _ in range(chance.randint(0, 3)):
        at = chance.randrange(len(text) + 1)
        text = text[:at] + chance.choice(["", "\t", "\x00", "{", "]", ": ", "&a *a ", text[:40]]) + text[at + 1 :]
    return text


def _some(folder: Path, pattern: str, chance: random.Random) -> str:
    return chance.choice(sorted(folder.glob(pattern))).read_text()


def stack_file(chance: random.Random, folder: Path) -> list[str]:
    content = yaml.safe_load(_some(CLONE / "stacks", "Pulumi.*.yaml", chance))
    (folder / "Pulumi.yaml").write_text((CLONE / "Pulumi.yaml").read_text())
    text = torn(yaml.safe_dump(mutated(content, chance), default_style=chance.choice([None, '"'])), chance)
    file = folder / "Pulumi.fuzz.yaml"
    file.write_text(text)
    return ["check", "--stack", "fuzz", "--config-file", str(file)]


def preview(chance: random.Random, folder: Path) -> list[str]:
    text = json.dumps(mutated(json.loads(_some(FILES / "previews", "*.json", chance)), chance))
    file = folder / "preview.json"
    file.write_text(torn(text, chance) if chance.random() < 0.1 else text)
    return ["review", "--stack", "fuzz", "--preview", str(file), "--output", str(folder / "review.md")]


def event_log(chance: random.Random, folder: Path) -> list[str]:
    events = [json.loads(line) for line in _some(FILES / "events", "*.jsonl", chance).splitlines()]
    text = "".join(json.dumps(event) + "\n" for event in _list(mutated(events, chance)))
    file = folder / "events.jsonl"
    file.write_text(torn(text, chance) if chance.random() < 0.1 else text)
    history = mutated(json.loads((FILES / "events" / "history.json").read_text()), chance)
    (folder / "history.json").write_text(json.dumps(history))
    files = ["--events", str(file), "--history", str(folder / "history.json")]
    return ["report", "--stack", "fuzz", *files, "--output", str(folder / "report.html")]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


KINDS = {
    "stack file": Kind(stack_file, ""),
    "preview": Kind(preview, "review.md"),
    "event log": Kind(event_log, "report.html"),
}


def problems(kind: Kind, seed: int) -> list[str]:
    """What is wrong with how a command takes the input of this seed."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        folder = Path(name)
        command = kind.make(random.Random(seed), folder)  # noqa: S311 - to be the same again
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), _bounded():
            try:
                status: object = main(command)
            except BaseException as error:
                status = f"{type(error).__name__}: {error}"
        output = folder / kind.output
        written = output.read_text() if kind.output and output.exists() else ""
        return [f"{' '.join(command[:1])}: {found}" for found in _wrong(status, said.getvalue(), written)]


def _wrong(status: object, said: str, written: str) -> Iterator[str]:
    if status not in (0, 1, 2):
        yield f"ends with {status}"
    if "a fault of" in said or "Traceback" in said:
        yield f"a fault of its own: {said[-300:]}"
    if found := TERMINAL.search(said + written):
        yield f"the control character {found[0]!r} is written"
    if MARKUP in CODE.sub("", written):
        yield "markup of the input is markup of the output"


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    def end(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"longer than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _run(counts: list[int]) -> int:
    wrong = 0
    for (name, kind), count in zip(KINDS.items(), counts, strict=True):
        for seed in range(count):
            for found in problems(kind, seed):
                print(f"{name}, seed {seed}: {found}", flush=True)
                wrong += 1
        print(f"{name}: {count} inputs", flush=True)
    return min(wrong, 1)


if __name__ == "__main__":
    help_if_asked(__doc__)
    sys.exit(_run([int(word) for word in sys.argv[1:]] or [2000, 1000, 500]))
