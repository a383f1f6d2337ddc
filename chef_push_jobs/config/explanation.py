"""A stack's settings: the value of each, and where it comes from. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chef_push_jobs.config.parser import decoded
from chef_push_jobs.config.setting_list import Setting, settings
from chef_push_jobs.config.stack_files import Configuration
from chef_push_jobs.model.problems import Problem

STACK_FILE, DEFAULT = "stack file", "default"


@dataclass(frozen=True)
class Value:
    """A setting's value as text; `source` is where it comes from, None if it is not set."""

    setting: str
    value: str | None
    source: str | None
    description: str


@dataclass(frozen=True)
class Explanation:
    """All settings of a stack, in the order of the reference, and all problems with them."""

    stack: str
    values: tuple[Value, ...]
    problems: tuple[Problem, ...]


def explain(stack: str, configuration: Configuration, problems: Sequence[Problem] = ()) -> Explanation:
    given = {key: decoded(value) for key, value in configuration.own.items()}
    values = (value for one in settings() for value in _value(one, given, configuration.secrets))
    return Explanation(stack, tuple(values), tuple(problems))


def _value(setting: Setting, given: Mapping[str, Any], secrets: tuple[str, ...]) -> Iterator[Value]:
    """None for settings inside a list: the list itself shows them."""
    found = list(_values(given, setting.path))
    if setting.path in secrets:
        yield Value(setting.path, "(a secret, not read here)", STACK_FILE, setting.description)
    elif "[]" in setting.path:
        return
    elif found:
        yield Value(setting.path, _shown(setting, found[0]), STACK_FILE, setting.description)
    elif setting.default not in (None, "", {}, []):
        yield Value(setting.path, _shown(setting, setting.default), DEFAULT, setting.description)
    else:
        yield Value(setting.path, None, None, setting.description)


def _values(given: Mapping[str, Any], path: str) -> Iterator[Any]:
    value: Any = given
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return
        value = value[part]
    yield value


def _shown(setting: Setting, value: Any) -> str:
    if setting.secret:
        return "(a secret, in clear text: set it with --secret)"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
