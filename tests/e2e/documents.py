"""The commands that a document shows: the lines of its fences of shell, below their headings. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

LANGUAGES = ("sh", "yaml", "json", "python", "text")  # of fences; a document's commands are in `sh` alone
HEADING = re.compile(r"#+ (.+)")
FENCE = re.compile(r"( *)```(.*)")
HEREDOC = re.compile(r"<<'(\w+)'")
COMMENT = re.compile(r"(^|\s{2,})# .*$")  # two spaces before it: a # in a command stays
ITEM = re.compile(r"( *)([-*]|\d+\.) +")
SET = re.compile(r"export ([A-Z_]+)=")
USED = re.compile(r"\$\{?([A-Z_]+)")


@dataclass(frozen=True)
class Fence:
    """A block of a document; `text` is without the indentation of a list."""

    heading: str
    language: str
    text: str


@dataclass(frozen=True)
class Command:
    """A command as its reader types it, without a comment behind it; some have several lines."""

    heading: str
    text: str


def fences(document: str) -> Iterator[Fence]:
    heading = ""
    lines = iter(document.splitlines())
    for line in lines:
        if found := HEADING.fullmatch(line):
            heading = found[1]
        elif begun := FENCE.fullmatch(line):
            indentation, end = begun[1], f"{begun[1]}```"
            inside = (each.removeprefix(indentation) for each in _before(end, lines))
            yield Fence(heading, begun[2], "\n".join(inside))


def commands(document: str) -> list[Command]:
    """In the document's order."""
    return [
        Command(fence.heading, text) for fence in fences(document) if fence.language == "sh" for text in _split(fence)
    ]


def _before(end: str, lines: Iterator[str]) -> Iterator[str]:
    return takewhile(lambda line: line != end, lines)


def _split(fence: Fence) -> Iterator[str]:
    """A line each, but for those that a backslash or a here-document continues."""
    lines = iter(fence.text.splitlines())
    for line in lines:
        whole = [COMMENT.sub("", line)]
        if here := HEREDOC.search(line):
            whole = [line, *_before(here[1], lines), here[1]]
        while whole[-1].endswith("\\"):
            whole.append(COMMENT.sub("", next(lines)))
        if any(each.strip() for each in whole):
            yield "\n".join(whole)


def indented(document: str) -> list[str]:
    """Blocks of code without a fence, which nobody could run: their first lines."""
    found, depth, fenced, before = [], 0, False, ""
    for line in document.splitlines():
        if FENCE.fullmatch(line):
            fenced = not fenced
        elif not fenced and line.strip():
            own = len(line) - len(line.lstrip())
            if item := ITEM.match(line):
                depth = len(item[0])
            elif own == 0:
                depth = 0
            elif own >= depth + 4 and not before.strip():
                found.append(line.strip())
        before = line
    return found


def variables(document: str) -> tuple[set[str], set[str]]:
    """Those that its commands set for the reader, and those that they use."""
    text = "\n".join(command.text for command in commands(document))
    return set(SET.findall(text)), set(USED.findall(text))
