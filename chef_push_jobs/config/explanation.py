"""What a stack has set: each setting's value and where it comes from. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from chef_push_jobs.config.parser import decoded
from chef_push_jobs.config.setting_list import Setting, settings
from chef_push_jobs.config.stack_files import Configuration


def explain(stack: str, configuration: Configuration) -> str:
    given = {key: decoded(value) for key, value in configuration.own.items()}
    lines = [f"Settings of stack {stack}:", ""]
    for one in settings():
        lines += _lines(one, given, configuration.secrets)
    return "\n".join(lines)


def _lines(setting: Setting, given: Mapping[str, Any], secrets: tuple[str, ...]) -> Iterator[str]:
    found = list(_values(given, setting.path))
    if setting.path in secrets:
        yield f"{setting.path}: (a secret, not read here)  [stack file]"
    elif "[]" in setting.path:
        return  # each entry is shown with the list itself
    elif found:
        yield f"{setting.path}: {_shown(setting, found[0])}  [stack file]"
    elif setting.default not in (None, "", {}, []):
        yield f"{setting.path}: {_shown(setting, setting.default)}  [default]"
    else:
        yield f"{setting.path}: not set"
    yield f"    {setting.description}"


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
