"""Reads settings into a pydantic model field by field, and finds all mistakes at once, each as a `Problem`.

If one value is wrong, pydantic's own validation returns no values at all, so rules about several values could not be
checked.
"""

from __future__ import annotations

import difflib
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from chef_push_jobs.model.problems import Problem

Model = TypeVar("Model", bound=BaseModel)
# Every setting that was understood (or its default), by its path in the file, such as `pushJobs.apiPort`.
Values = dict[str, object]

DEEPEST = 50  # levels of nesting in a value

RULES = {
    "int_type": "it must be a whole number",
    "int_parsing": "it must be a whole number",
    "int_from_float": "it must be a whole number",
    "int_parsing_size": "it must be a whole number",
    "finite_number": "it must be a whole number",
    "bool_type": "it must be true or false",
    "bool_parsing": "it must be true or false",
    "list_type": "it is a list",
    "dict_type": "it has keys and values",
    "too_short": "it must have at least one entry",
}


def parse(model: type[BaseModel], raw: Mapping[str, object], path: str = "") -> tuple[Values, list[Problem]]:
    """The understood values of `raw`, and the problems of the others."""
    values: Values = {}
    problems = []
    fields = {str(field.alias): field for field in model.model_fields.values()}
    for key in raw:
        if key not in fields:
            close = difflib.get_close_matches(key, fields, n=1)
            remedy = f"write {close[0]}" if close else "remove it; docs/settings.md lists all settings"
            problems.append(Problem(path + key, "given", "there is no such setting", remedy))
    for key, field in fields.items():
        more, wrong = _field(field, raw, key, path + key)
        values.update(more)
        problems += wrong
    return values, problems


def build(model: type[Model], values: Values, path: str = "") -> Model:
    """The model, from values that `parse` understood, if every required one is among them. Validates nothing again."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        setting = f"{path}{field.alias}"
        section = _section(field)
        if section is None:
            found[name] = values[setting]
        elif any(given.startswith(f"{setting}.") for given in values):
            found[name] = build(section, values, f"{setting}.")
        else:
            found[name] = None  # a section that is left out; if it has defaults, they are its values
    return model.model_construct(**found)


def decoded(value: str) -> object:
    """Decodes a configuration value: Pulumi gives lists and sections as JSON, everything else as text."""
    if value[:1] not in ("{", "["):
        return value
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return found if _is_flat(found, DEEPEST) else value


def _is_flat(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_flat(one, levels - 1) for one in inner)


def is_given(raw: Mapping[str, object], path: str) -> bool:
    """Whether the stack's file has the setting at all."""
    value: object = raw
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value is not None


def _field(field: FieldInfo, raw: Mapping[str, object], key: str, setting: str) -> tuple[Values, list[Problem]]:
    given = raw.get(key)
    if given is None and field.is_required():
        return {}, [
            Problem(setting, "not given", (f"it is required: {_lower(_first_sentence(field.description))}"), "set it")
        ]
    if section := _section(field):
        return _subsection(section, field, given, setting)
    if given is None:
        return {setting: field.get_default()}, []
    rules: Any = Annotated[(field.annotation, *field.metadata, "")]
    try:
        return {setting: TypeAdapter(rules).validate_python(given)}, []
    except ValidationError as error:
        found = [_problem(setting, details) for details in error.errors()]
        secret = "SecretStr" in repr(field.annotation)  # inside Annotated, inside a union
        return {}, [replace(problem, given="a secret") if secret else problem for problem in found]


def _subsection(
    section: type[BaseModel], field: FieldInfo, given: object, setting: str
) -> tuple[Values, list[Problem]]:
    if given is None and field.default is None:
        return {}, []
    if given is not None and not isinstance(given, Mapping):
        return {}, [Problem(setting, "a single value", "it has keys and values", "see docs/settings.md")]
    return parse(section, given or {}, f"{setting}.")


def _section(field: FieldInfo) -> type[BaseModel] | None:
    annotation = field.annotation
    options = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    found = [option for option in options if isinstance(option, type) and issubclass(option, BaseModel)]
    return found[0] if found else None


def _problem(setting: str, details: ErrorDetails) -> Problem:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in details["loc"] if part != "[key]")
    context = details.get("ctx", {})
    value = details["input"]
    given = f"{len(value)} entries" if isinstance(value, Mapping) else f"'{value}'"
    match details["type"]:
        case "rule":
            return Problem(setting + place, given, context["rule"], context["remedy"])
        case "enum" | "literal_error":
            return Problem(setting + place, given, f"it is one of {context['expected']}", "choose one of them")
        case "greater_than_equal" | "less_than_equal":
            bound = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']}"
            return Problem(setting + place, given, f"it is {bound}", "choose such a number")
        case "string_type":
            remedy = "put it in quotes; on the command line: `pulumi config set --path --type string`"
            return Problem(setting + place, given, "it is text", remedy)
        case "missing":
            return Problem(setting + place, "not given", "it is required", "set it")
        case other:
            rule = RULES.get(other, _lower(details["msg"]))
            return Problem(setting + place, given, rule, "correct it; see docs/settings.md")


def _first_sentence(text: str | None) -> str:
    return (text or "").partition(". ")[0]


def _lower(text: str | None) -> str:
    return (text or "")[:1].lower() + (text or "")[1:].rstrip(".")
