"""Makes text from outside, such as servers and stack files, safe to show: it stays text wherever it appears. Pure.

A terminal obeys control characters; Markdown, HTML and Mermaid have markup with which text could leave its place.
"""

from __future__ import annotations

import re

LINES = "\n\t"
MARKUP = re.compile(r"[\\`*_~\[\]<>|&!#]")


def visible(text: str) -> str:
    """Replaces every character that a terminal could obey, or that is invisible, by an escape such as `\u001b`.

    Lines and tabs stay. Replaced are control characters (C0, C1), a carriage return by itself, text direction marks,
    and other spaces than the usual one. JSON that contains them stays the same JSON.
    """
    text = text.replace("\r\n", "\n")
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in LINES else _escaped(one) for one in text)


def line(text: str, most: int = 500) -> str:
    """Outside text within one line of our own."""
    shown = visible(text.strip()).replace("\n", "\\n").replace("\t", " ")
    return shown if len(shown) <= most else f"{shown[:most]}…"


def _escaped(one: str) -> str:
    units = one.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def fenced(text: str, language: str) -> str:
    """A Markdown code block that its text cannot end: the fence is longer than any in it."""
    longest = max((len(found) for found in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{visible(text)}\n{fence}"


def code(text: str) -> str:
    """A code span within a line of Markdown, also in a table."""
    return f"`{line(text).replace('`', chr(39)).replace('|', chr(92) + '|')}`"


def prose(text: str) -> str:
    """Outside text within a line of Markdown, also in a table: no link, no HTML, no mention of a person."""
    escaped = MARKUP.sub(lambda found: f"&#{ord(found[0])};", line(text))
    return escaped.replace("@", "@&#8203;")


def in_mermaid(text: str) -> str:
    """Text within the quotes of a title in Mermaid."""
    shown = line(text).replace("#", "#35;").replace('"', "#quot;")
    return shown.replace("<", "#lt;").replace(">", "#gt;").replace("`", "#96;")
