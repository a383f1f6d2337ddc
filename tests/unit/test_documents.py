"""What is a command in a document, and what is none; the documents keep to what can be read so."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

import pytest

from sandbox.paths import CLONE
from tests.e2e.documents import LANGUAGES, Command, commands, fences, indented, variables

DOCUMENTS = [CLONE / "README.md", *sorted((CLONE / "docs").glob("*.md"))]
PAGES = [*DOCUMENTS, *(CLONE / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "bench/RESULTS.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
WEB = re.compile(r"\]\((\w+:[^)]*)\)|<(\w+:[^>]*)>")
ADDRESS = re.compile(r"https://([a-z0-9-]+\.)+[a-z]+(/[\w.~%+-]+)*/?(#[\w-]+)?")
PLACE = re.compile(r'docs/([\w-]+\.md)(?:, "?([A-Z][A-Za-z \n#]*[A-Za-z]))')
FOLDERS = ("bench", "chef_push_jobs", "components", "policy", "provider", "sandbox", "scripts", "tests")
FILE = re.compile(r"`((?:[\w.-]+/)*[\w-]+\.(?:py|sh))`")
EXAMPLE = """\
# Title

```sh
scripts/up            # all of it
scripts/pulumi preview

# a comment alone
```

1. First.

   ```sh
   aws a --b c \\
     --d 'e # f'
   ```

## Second

```sh
python - <<'END'
import os  # stays

print("x")
END
after "$STACK"
```

```yaml
not: a command
```
"""


def test_a_command_is_a_line_without_its_comment_or_all_lines_that_belong_together() -> None:
    assert commands(EXAMPLE) == [
        Command("Title", "scripts/up"),
        Command("Title", "scripts/pulumi preview"),
        Command("Title", "aws a --b c \\\n  --d 'e # f'"),
        Command("Second", "python - <<'END'\nimport os  # stays\n\nprint(\"x\")\nEND"),
        Command("Second", 'after "$STACK"'),
    ]


def test_a_block_without_a_fence_is_found_and_a_lists_own_lines_are_not() -> None:
    assert indented("a\n\n    scripts/up\n") == ["scripts/up"]
    assert indented("1. a\n\n       scripts/up\n") == ["scripts/up"]
    assert indented("- a\n  b\n\n  c\n\n```text\n\n    d\n```\n") == []


def test_variables_are_those_that_are_set_and_those_that_are_used() -> None:
    assert variables('```sh\nexport STACK=a\necho "$STACK" $OTHER ${THIRD}\n```\n') == (
        {"STACK"},
        {"STACK", "OTHER", "THIRD"},
    )


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_block_is_in_a_fence_that_names_its_language(document: Path) -> None:
    text = document.read_text()
    assert indented(text) == [], "these are in no fence"
    assert {fence.language for fence in fences(text)} <= set(LANGUAGES)


def anchors(document: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", PAGES, ids=lambda path: path.name)
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(document: Path) -> None:
    broken = []
    for target in LINK.findall(document.read_text()):
        path, _, heading = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        if "://" not in target and not (file.exists() and (not heading or heading in anchors(file))):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize("document", PAGES, ids=lambda path: path.name)
def test_every_link_to_the_web_is_a_whole_https_address(document: Path) -> None:
    found = [inline or alone for inline, alone in WEB.findall(document.read_text())]
    assert [address for address in found if not ADDRESS.fullmatch(address)] == []


def test_every_heading_that_a_program_names_is_in_its_document() -> None:
    """As `docs/chef.md, Versions`; what follows the heading in a sentence is not part of it."""
    broken = []
    for source in sources():
        for name, words in PLACE.findall(source.read_text()):
            headings = re.findall(r"^#+ (.+)$", (CLONE / "docs" / name).read_text(), re.MULTILINE)
            said = " ".join(words.replace("#", " ").split())
            if not any(said.startswith(heading) or heading.startswith(said) for heading in headings):
                broken.append(f"{source.relative_to(CLONE)}: docs/{name}, {said}")
    assert not broken


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_command_has_a_hole_and_its_reader_sets_each_variable(document: Path) -> None:
    text = document.read_text()
    assert not [command.text for command in commands(text) if "…" in command.text], "these cannot be typed"
    told, used = variables(text)
    assert used <= told


def sources() -> list[Path]:
    """The project's own Python and shell."""
    found = chain.from_iterable((CLONE / folder).rglob("*") for folder in FOLDERS)
    own = (path for path in found if path.suffix in (".py", ".sh") and ".venv" not in path.parts)
    return [CLONE / "__main__.py", CLONE / "setup.py", *own]


def test_every_program_file_that_a_text_names_is_there() -> None:
    """By its path or the end of one. docs/chef.md names those of other projects, and says whose they are."""
    files = [f"/{path.relative_to(CLONE)}" for path in sources()]
    product = [
        path for path in sources() if path.relative_to(CLONE).parts[0] in ("chef_push_jobs", "components", "policy")
    ]
    texts = [*(each for each in DOCUMENTS if each.name != "chef.md"), *product]
    gone = {
        f"{text.relative_to(CLONE)}: {name}"
        for text in texts
        for name in FILE.findall(text.read_text())
        if not any(file.endswith(f"/{name}") for file in files)
    }
    assert not gone
