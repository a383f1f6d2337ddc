"""Reads the subset of Ruby that Chef's settings files are written in; refuses anything else with file and line.

    topology "ha"                                  -> Call("topology", "ha", {})
    server "b0.example.com", :role => "backend"    -> Call("server", "b0.example.com", {"role": "backend"})
    nginx['log_rotation']['num_to_keep'] = 10      -> Assignment("nginx", ("log_rotation", "num_to_keep"), 10)
    a['b'] = node['c']['d'] if node['e'] == 1      -> Assignment("a", ("b",), Of("node", ("c", "d")), (Of(…), 1))

Values are strings without interpolation, integers, true, false, nil, and elements of `node` (in an assignment). After a
comma a line break may follow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .files import StandinError


@dataclass(frozen=True)
class Of:
    """An element of a table that the file's reader has."""

    name: str
    keys: tuple[str, ...]


Value = str | int | bool | None

TOKEN = re.compile(
    r"""(?P<space>[ \t]+)|(?P<comment>\#[^\n]*)|(?P<newline>\r?\n)
    |(?P<single>'(?:[^'\\\n]|\\.)*')|(?P<double>"(?:[^"\\\n]|\\.)*")
    |(?P<arrow>=>)|(?P<label>[a-z_]\w*:(?!:))|(?P<symbol>:[a-z_]\w*)|(?P<number>-?\d+(?![\w.]))
    |(?P<word>[a-z_]\w*(?:\.[a-z_]\w*)*)|(?P<equals>==)|(?P<mark>[\[\]=,])""",
    re.VERBOSE,
)
WORDS: dict[str, Value] = {"true": True, "false": False, "nil": None}
ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "'": "'", "#": "#"}


@dataclass(frozen=True)
class Call:
    line: int
    name: str
    value: Value
    options: dict[str, Value]


@dataclass(frozen=True)
class Assignment:
    line: int
    name: str
    keys: tuple[str, ...]
    value: Value | Of
    only_if: tuple[Of, Value] | None = None


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    line: int


def read(text: str, path: str) -> list[Call | Assignment]:
    """The statements of a settings file; StandinError `path:line: …` for what is not in the subset."""
    return list(_Parser(_tokens(text, path), path).statements())


def _tokens(text: str, path: str) -> list[_Token]:
    found, position, line = [], 0, 1
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise _error(path, line, f"syntax error, unexpected {text[position : position + 20].splitlines()[0]!r}")
        kind = match.lastgroup or ""
        if kind not in ("space", "comment"):
            found.append(_Token(kind, match.group(), line))
        line += kind == "newline"
        position = match.end()
    return [*found, _Token("newline", "", line), _Token("end", "", line)]


def _error(path: str, line: int, message: str) -> StandinError:
    return StandinError(f"Error loading file: {path}:{line}: {message}")


class _Parser:
    def __init__(self, tokens: list[_Token], path: str) -> None:
        self.tokens, self.path, self.at = tokens, path, 0

    def statements(self) -> Iterator[Call | Assignment]:
        while self.peek().kind != "end":
            if self.peek().kind == "newline":
                self.at += 1
                continue
            word = self.take("word")
            is_assignment = self.peek().text == "["
            yield self.assignment(word) if is_assignment else self.call(word)
            self.take("newline")

    def peek(self) -> _Token:
        return self.tokens[self.at]

    def take(self, kind: str, text: str | None = None) -> _Token:
        token = self.peek()
        if token.kind != kind or (text is not None and token.text != text):
            shown = "end of line" if token.kind in ("newline", "end") else token.text
            raise _error(self.path, token.line, f"syntax error, unexpected {shown}, expecting {text or kind}")
        self.at += 1
        return token

    def assignment(self, word: _Token) -> Assignment:
        keys = self.keys(word)
        self.take("mark", "=")
        value = self.element() if self.peek().text == "node" else self.value()
        if self.peek().text != "if":
            return Assignment(word.line, word.text, keys, value)
        self.take("word", "if")
        element = self.element()
        self.take("equals")
        return Assignment(word.line, word.text, keys, value, (element, self.value()))

    def element(self) -> Of:
        word = self.take("word", "node")
        return Of(word.text, self.keys(word))

    def keys(self, word: _Token) -> tuple[str, ...]:
        keys: list[str] = []
        while self.peek().text == "[":
            self.take("mark", "[")
            key = self.symbol_or_value()
            if not isinstance(key, str):
                raise _error(self.path, word.line, "a key must be a string or a symbol")
            keys.append(key)
            self.take("mark", "]")
        return tuple(keys)

    def call(self, word: _Token) -> Call:
        value = self.value()
        options: dict[str, Value] = {}
        while self.peek().text == ",":
            self.take("mark", ",")
            while self.peek().kind == "newline" and self.tokens[self.at + 1].kind != "end":
                self.at += 1
            options.update([self.option()])
        return Call(word.line, word.text, value, options)

    def option(self) -> tuple[str, Value]:
        if self.peek().kind == "label":
            return self.take("label").text[:-1], self.value()
        name = self.take("symbol").text[1:]
        self.take("arrow")
        return name, self.value()

    def symbol_or_value(self) -> Value:
        return self.take("symbol").text[1:] if self.peek().kind == "symbol" else self.value()

    def value(self) -> Value:
        token = self.peek()
        if token.kind == "word" and token.text in WORDS:
            self.at += 1
            return WORDS[token.text]
        if token.kind == "number":
            return int(self.take("number").text)
        if token.kind == "single":
            return re.sub(r"\\([\\'])", r"\1", self.take("single").text[1:-1])
        text = self.take("double").text[1:-1]
        if re.search(r"(?<!\\)#[{$@]", text):
            raise _error(self.path, token.line, "string interpolation is not implemented by the stand-in")
        return re.sub(r"\\(.)", lambda match: self.escape(token, match.group(1)), text)

    def escape(self, token: _Token, letter: str) -> str:
        if letter not in ESCAPES:
            raise _error(self.path, token.line, f"the escape \\{letter} is not implemented by the stand-in")
        return ESCAPES[letter]
