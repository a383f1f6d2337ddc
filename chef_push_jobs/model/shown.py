"""Text of others, such as servers and stack files, made safe for where it is shown: it stays what it is, text. Pure.

A terminal obeys control characters; Markdown, HTML and Mermaid have marks of their own, by which text could leave its
place.
"""

from __future__ import annotations

import re

LINES = "\n\t"
MARKUP = re.compile(r"[\\`*_~\[\]<>|&!#]")


def visible(text: str) -> str:
    """With every character that a terminal could obey, or that nobody sees, as `\\u001b`; lines and tabs stay.

    Those are control characters (C0, C1), a carriage return by itself, marks that turn the direction of text, and
    other blanks than the usual one. JSON that has them stays the same JSON.
    """
    text = text.replace("\r\n", "\n")
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in LINES else _escaped(one) for one in text)


def line(text: str, most: int = 500) -> str:
    """Text of others within one line of our own."""
    shown = visible(text.strip()).replace("\n", "\\n").replace("\t", " ")
    return shown if len(shown) <= most else f"{shown[:most]}…"


def _escaped(one: str) -> str:
    units = one.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def fenced(text: str, language: str) -> str:
    """A block of code in Markdown that nothing in it ends: its fence is longer than any there."""
    longest = max((len(found) for found in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{visible(text)}\n{fence}"


def code(text: str) -> str:
    """A word of code within a line of Markdown, also of a table."""
    return f"`{line(text).replace('`', chr(39)).replace('|', chr(92) + '|')}`"


def prose(text: str) -> str:
    """Words of others within a line of Markdown, also of a table: no link, no HTML, no mention of a person."""
    escaped = MARKUP.sub(lambda found: f"&#{ord(found[0])};", line(text))
    return escaped.replace("@", "@&#8203;")


def in_mermaid(text: str) -> str:
    """Within the quotes of a node's or a subgraph's title."""
    shown = line(text).replace("#", "#35;").replace('"', "#quot;")
    return shown.replace("<", "#lt;").replace(">", "#gt;").replace("`", "#96;")
