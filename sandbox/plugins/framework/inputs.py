"""Checks inputs against their declarations: unknown names, missing values, types; fills in defaults, finds secrets.

Does not check what a value means: the `check` function of a resource type does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.plugins.framework.table import Failure, Input
from sandbox.plugins.framework.values import UNKNOWN, Path, Values, path_text

KIND_NAMES = {
    str: "a string",
    bool: "a boolean",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "an object",
}


def failures(values: Mapping[str, Any], declared: Mapping[str, Input], path: Path = ()) -> Iterator[Failure]:
    """Every reason to refuse the values, each with the path of the property."""
    for name in values.keys() - declared.keys():
        if not name.startswith("__"):  # the engine's own, such as __defaults
            known = ", ".join(sorted(declared))
            yield Failure(path_text((*path, name)), f"not implemented by this stand-in, which knows: {known}")
    for name, rule in declared.items():
        here = (*path, name)
        if values.get(name) is not None:
            yield from _value_failures(values[name], rule, here)
        elif rule.required:
            yield Failure(path_text(here), "a value is required")


def _value_failures(value: Any, rule: Input, path: Path) -> Iterator[Failure]:
    if value is UNKNOWN or value is None:
        return
    if not _is_kind(value, rule.kind):
        yield Failure(path_text(path), f"expected {_kind_name(rule.kind)}, not {_kind_name(type(value))}")
    elif rule.fields is not None and isinstance(value, dict):
        yield from failures(value, rule.fields, path)
    elif rule.each is not None and isinstance(value, list | dict):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from _value_failures(item, rule.each, (*path, key))


def _is_kind(value: Any, kind: type | tuple[type, ...]) -> bool:
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if isinstance(value, bool):
        return bool in kinds or object in kinds
    return isinstance(value, kinds) or (float in kinds and isinstance(value, int))


def _kind_name(kind: type | tuple[type, ...]) -> str:
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return " or ".join(KIND_NAMES.get(each, f"an {each.__name__.lower()}") for each in kinds)


def with_defaults(values: Mapping[str, Any], declared: Mapping[str, Input], name: str, olds: Values) -> Values:
    """The values with defaults, also in nested objects; a generated default is kept from the old inputs."""
    result = dict(values)
    for key, rule in declared.items():
        if result.get(key) is None and rule.default is not None:
            if not callable(rule.default):
                result[key] = rule.default
            else:
                result[key] = olds[key] if olds.get(key) is not None else rule.default(name)
        result_value = result.get(key)
        if rule.fields is not None and isinstance(result_value, dict):
            result[key] = with_defaults(result_value, rule.fields, name, olds.get(key) or {})
        elif rule.each is not None and rule.each.fields is not None and isinstance(result_value, list):
            fields = rule.each.fields
            result[key] = [with_defaults(v, fields, name, {}) if isinstance(v, dict) else v for v in result_value]
    return result


def declared_secrets(values: Mapping[str, Any], declared: Mapping[str, Input], path: Path = ()) -> Iterator[Path]:
    """The paths of the values that are declared secret; does not look inside a secret."""
    for name, rule in declared.items():
        value, here = values.get(name), (*path, name)
        if value is None:
            continue
        if rule.secret:
            yield here
        elif rule.fields is not None and isinstance(value, dict):
            yield from declared_secrets(value, rule.fields, here)
