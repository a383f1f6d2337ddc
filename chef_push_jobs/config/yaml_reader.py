"""YAML as the engine reads it (Go, YAML 1.2: `yes` is text, `010` is eight), with limits. Pure.

Refuses what the engine refuses, in three lines and in bounded time: values that contain themselves, duplicate keys,
numbers that JSON does not have, aliases that expand to millions of values.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import yaml

from chef_push_jobs.model.problems import Problem

MOST_BYTES, MOST_VALUES, DEEPEST = 1_000_000, 200_000, 50
LONGEST = 60  # characters of a value that a message shows
DIGITS = 18  # the largest integer that every part of the program represents exactly
ESCAPE = "an escape must stand for one character of Unicode, and not for half of one"
TAG = "tag:yaml.org,2002:"


class YamlError(ValueError):
    """Why the text cannot be read: what, the rule, what to do."""


class _Loader(yaml.SafeLoader):
    """Without the YAML 1.1 words that are text for the engine."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - filled below


for _tag, _pattern, _first in (
    ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+."),
    ("null", "~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", "<<", "<"),
    ("timestamp", r"\d{4}-\d\d?-\d\d?([Tt ].+)?", "0123456789"),
):
    _Loader.add_implicit_resolver(f"{TAG}{_tag}", re.compile(rf"^({_pattern})$"), list(_first))


def _whole(loader: _Loader, node: yaml.ScalarNode) -> object:
    text = node.value.replace("_", "")
    sign, digits = (text[:1], text[1:]) if text[:1] in ("-", "+") else ("", text)
    if digits.isdecimal() and len(digits.lstrip("0")) > DIGITS:
        return _number(loader, node)
    try:
        octal = re.fullmatch("0[0-7]+", digits)
        value = int(digits, 8) if octal else int(digits, 10) if digits.isdecimal() else int(digits, 0)
    except ValueError:
        raise _refused(node, f"!!int {node.value}", "a value must match its tag", "remove the tag") from None
    return -value if sign == "-" else value


def _number(loader: _Loader, node: yaml.ScalarNode) -> object:
    try:
        value = float(node.value.replace("_", "").replace(".inf", "inf").replace(".nan", "nan").lower())
    except ValueError:
        raise _refused(node, f"!!float {node.value}", "a value must match its tag", "remove the tag") from None
    if not math.isfinite(value):
        raise _refused(node, node.value, "a number must be valid in JSON", "write such a number, or put it in quotes")
    return int(value) if value.is_integer() and abs(value) < 10**DIGITS else value


def _time(loader: _Loader, node: yaml.ScalarNode) -> object:
    """The engine turns a date into text, in its own format."""
    try:
        return f"{date.fromisoformat(node.value)} 00:00:00 +0000 UTC"
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(node.value)
    except ValueError:
        return node.value
    return f"{at.astimezone(UTC) if at.tzinfo else at:%Y-%m-%d %H:%M:%S} +0000 UTC"


def _truth(loader: _Loader, node: yaml.ScalarNode) -> object:
    if node.value.lower() not in ("true", "false"):
        raise _refused(node, f"!!bool {node.value}", "a value must match its tag", "remove the tag")
    return node.value.lower() == "true"


def _binary(loader: _Loader, node: yaml.ScalarNode) -> object:
    try:
        return yaml.SafeLoader.construct_yaml_binary(loader, node).decode()
    except (UnicodeDecodeError, yaml.YAMLError):
        raise _refused(node, "!!binary", "a value is text", "write the text itself") from None


def _mapping(loader: _Loader, node: yaml.MappingNode) -> object:
    return loader.construct_mapping(node, deep=True)


def _only_text(constructor: Callable[[_Loader, yaml.ScalarNode], object]) -> Callable[[_Loader, yaml.Node], object]:
    def constructed(loader: _Loader, node: yaml.Node) -> object:
        if not isinstance(node, yaml.ScalarNode):
            tag = str(node.tag).replace(TAG, "!!")
            raise _refused(node, f"{tag} of a list or a section", "a value must match its tag", "remove the tag")
        return constructor(loader, node)

    return constructed


for _tag, _constructor in (
    ("int", _only_text(_whole)),
    ("float", _only_text(_number)),
    ("timestamp", _only_text(_time)),
    ("bool", _only_text(_truth)),
    ("binary", _only_text(_binary)),
    ("set", _mapping),
    ("omap", yaml.SafeLoader.construct_yaml_seq),
):
    _Loader.add_constructor(f"{TAG}{_tag}", _constructor)


def read(content: bytes) -> Any:
    """The content of the file. Raises YamlError."""
    if len(content) > MOST_BYTES:
        raise YamlError(
            _told("", f"{len(content)} bytes", f"it may have at most {MOST_BYTES}", "keep other data elsewhere")
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        given = f"a byte that is not UTF-8 (0x{content[error.start]:02x})"
        raise YamlError(_told(f"line {line}", given, "the file must be UTF-8", "save it as UTF-8")) from None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _bounded(node, {}, set())
        return loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}" if mark else ""
        rule = "the file must be plain YAML data"
        raise YamlError(_told(where, str(error.problem or error.context), rule, "correct that line")) from None
    except yaml.YAMLError as error:
        raise YamlError(_told("", str(error), "the file must be valid YAML", "remove such characters")) from None
    except YamlError:
        raise
    except (OverflowError, ValueError):
        raise YamlError(_told("", "an escape of no character", ESCAPE, "write the character itself")) from None
    except RecursionError:
        rule = f"values may be nested at most {DEEPEST} levels deep"
        raise YamlError(_told("", "nested too deeply", rule, "write it flatter")) from None


def _bounded(node: yaml.Node, sizes: dict[int, tuple[int, int]], above: set[int]) -> tuple[int, int]:
    """How many values a node has with its aliases expanded, and how deeply they nest. Raises YamlError."""
    if id(node) in above:
        raise _refused(node, "a value that contains itself", "a value must not refer to itself", "remove the alias")
    if id(node) in sizes:
        return sizes[id(node)]
    for text in (node, *(key for key, _ in node.value)) if isinstance(node, yaml.MappingNode) else (node,):
        if isinstance(text, yaml.ScalarNode) and any("\ud800" <= letter <= "\udfff" for letter in text.value):
            raise _refused(text, ascii(text.value), ESCAPE, "write the character itself")
    parts: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
        times = Counter(keys)
        if (twice := next((key for key in keys if times[key] > 1), None)) is not None:
            raise _refused(node, f"key {twice}, twice", "each key may occur only once", "remove one")
        if any(not isinstance(key, yaml.ScalarNode) for key, _ in node.value):
            raise _refused(node, "a key that is a list or a section", "a key must be text", "write text")
        parts = [value for _, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        parts = node.value
    found = [_bounded(part, sizes, above | {id(node)}) for part in parts]
    size, depth = 1 + sum(one for one, _ in found), 1 + max((deep for _, deep in found), default=0)
    if size > MOST_VALUES:
        rule = f"there may be at most {MOST_VALUES} values, aliases unfolded"
        raise _refused(node, "too many values", rule, "remove aliases")
    if depth > DEEPEST:
        rule = f"values may be nested at most {DEEPEST} levels deep"
        raise _refused(node, "nested too deeply", rule, "write it flatter")
    sizes[id(node)] = size, depth
    return size, depth


def _refused(node: yaml.Node, given: str, rule: str, remedy: str) -> YamlError:
    shown = given if len(given) <= LONGEST else f"{given[:LONGEST]}… ({len(given)} letters)"
    return YamlError(_told(f"line {node.start_mark.line + 1}", shown, rule, remedy))


def _told(where: str, given: str, rule: str, remedy: str) -> str:
    message = str(Problem(where, given, rule, remedy))
    return message if where else message.removeprefix(": ")
