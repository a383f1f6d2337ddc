"""All settings in one list, from the schema: path, type in words, default, rule, description. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chef_push_jobs.config.editor_schema import Keys, Schema, resolved

WORDS = {"string": "text", "integer": "whole number", "boolean": "true or false", "object": "keys and values"}


@dataclass(frozen=True)
class Setting:
    """`path` is as in messages, `servers[].name` inside a list. `default` is None if there is none.

    `needed` is `always`; or, for a setting that is only required in a section, that section's path; or empty.
    """

    path: str
    kind: str
    needed: str
    default: Any
    rule: str
    description: str
    secret: bool

    @property
    def section(self) -> str:
        """The first part of its path, if that has several parts."""
        first, dot, _ = self.path.partition(".")
        return first.removesuffix("[]") if dot else ""


def settings(keys: Keys | None = None) -> tuple[Setting, ...]:
    return tuple(_inside(resolved(keys), "", "always"))


def _inside(schema: Schema, path: str, needed: str) -> Iterator[Setting]:
    """The settings of a section; `needed` says when its required settings are needed."""
    for name, one in schema["properties"].items():
        at = f"{path}{name}"
        must = needed if name in schema.get("required", ()) else ""
        if "properties" in one:
            yield from _inside(one, f"{at}.", must or at)
        else:
            yield _setting(at, one, must)
            if "properties" in one.get("items", {}):
                yield from _inside(one["items"], f"{at}[].", at)


def _setting(path: str, schema: Schema, needed: str) -> Setting:
    return Setting(
        path,
        _kind(schema),
        needed,
        schema.get("default"),
        "; ".join(_rules(schema)),
        schema.get("description", ""),
        bool(schema.get("writeOnly")),
    )


def _kind(schema: Schema) -> str:
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if schema["type"] == "array":
        return f"list of {_kind(schema['items'])}"
    return WORDS[schema["type"]]


def _rules(schema: Schema) -> Iterator[str]:
    if "rule" in schema:
        yield schema["rule"]
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None and "rule" not in schema:
        yield f"{low} to {high}"
    if schema.get("minItems"):
        yield f"at least {schema['minItems']}"
    if isinstance(schema.get("items"), dict) and "properties" not in schema["items"]:
        yield from (f"each: {rule}" for rule in _rules(schema["items"]))
    if names := schema.get("propertyNames"):
        yield from ([f"keys: {', '.join(names['enum'])}"] if "enum" in names else [])
        yield from (f"keys: {rule}" for rule in _rules(names))
    for one in (*schema.get("patternProperties", {}).values(), schema.get("additionalProperties")):
        if isinstance(one, dict):
            yield from (f"values: {rule}" for rule in _rules(one))
