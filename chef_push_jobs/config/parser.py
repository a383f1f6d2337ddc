"""Reads settings into a pydantic model field by field, and finds all mistakes at once, each as a `Problem`.

If one value is wrong, pydantic's own validation returns no values at all, so rules about several values could not be
checked.
"""

from __future__ import annotations

import difflib
import json
import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from chef_push_jobs.model.problems import Problem

Model = TypeVar("Model", bound=BaseModel)
# Every setting that was understood (or its default), by its path in the file, such as `pushJobs.apiPort`.
Values = dict[str, object]

WITH_PASSWORD = re.compile(r"://[^/\s]*:[^/\s]*@")
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
# Where a value may be of several types, by pydantic's names for them.
TYPES = {"str": "text", "int": "a whole number", "bool": "true or false", "dict": "a table of such values"}


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
    if found := list(_with_passwords(given, setting)):
        return {}, found
    rules: Any = Annotated[(field.annotation, *field.metadata, "")]
    try:
        value = TypeAdapter(rules).validate_python(given)
    except ValidationError as error:
        found = list(_problems(setting, given, error.errors()))
        secret = "SecretStr" in repr(field.annotation)  # inside Annotated, inside a union
        return {}, [replace(problem, given="a secret") if secret else problem for problem in found]
    found = list(_truths_as_numbers(given, value, setting))
    return ({}, found) if found else ({setting: value}, [])


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


def _with_passwords(given: object, setting: str) -> Iterator[Problem]:
    """A problem for each URL with a password in a value, which no other message may then show."""
    if isinstance(given, Mapping):
        for key, value in given.items():
            yield from _with_passwords(str(key), setting)
            yield from _with_passwords(value, f"{setting}.{key}")
    elif isinstance(given, list):
        for at, value in enumerate(given):
            yield from _with_passwords(value, f"{setting}[{at}]")
    elif isinstance(given, str) and WITH_PASSWORD.search(given):
        rule = "a URL must not contain a password: it is sent to servers and stored in the state unencrypted"
        yield Problem(setting, "a URL with a password", rule, "use a URL without one, and change the password")


def _truths_as_numbers(given: object, value: object, setting: str) -> Iterator[Problem]:
    """A problem for each true or false that was read as one or zero."""
    if isinstance(given, Mapping) and isinstance(value, Mapping):
        for key in given.keys() & value.keys():
            yield from _truths_as_numbers(given[key], value[key], f"{setting}.{key}")
    elif isinstance(given, bool) and type(value) is int:
        yield Problem(setting, _shown(given), RULES["int_type"], "correct it; see docs/settings.md")


def _problems(setting: str, given: object, errors: Sequence[ErrorDetails]) -> Iterator[Problem]:
    """One for each wrong value. Where it may be of several types, pydantic has an error for each of them."""
    several: dict[str, dict[str, ErrorDetails]] = {}
    for details in errors:
        place, kind = _place(given, details["loc"])
        if kind:
            several.setdefault(setting + place, {})[kind] = details
        else:
            yield _problem(setting + place, details)
    for place, kinds in several.items():
        if not any(other.startswith((f"{place}.", f"{place}[")) for other in several):
            *most, last = [name for kind, name in TYPES.items() if kind in kinds]
            shown = _shown(next(iter(kinds.values()))["input"])
            yield Problem(place, shown, f"it is {', '.join(most)} or {last}", "correct it; see docs/settings.md")


def _place(given: object, location: Sequence[int | str]) -> tuple[str, str]:
    """Where in the given value an error is, and as which of several types the value there was read, if of several."""
    place, kind, value = "", "", given
    for part in location:
        if isinstance(value, Mapping) and part in value:
            place, kind, value = f"{place}.{part}", "", value[part]
        elif isinstance(value, list) and isinstance(part, int):
            place, kind, value = f"{place}[{part}]", "", value[part]
        elif part != "[key]":
            kind = str(part).partition("[")[0]
    return place, kind if kind in TYPES else ""


def _shown(value: object) -> str:
    match value:
        case Mapping() | list():
            return f"{len(value)} entries"
        case bool() | None:
            return f"'{json.dumps(value)}'"
        case _:
            return f"'{value}'"


def _problem(setting: str, details: ErrorDetails) -> Problem:
    context = details.get("ctx", {})
    given, kind = _shown(details["input"]), details["type"]
    if kind in ("greater_than_equal", "less_than_equal") and isinstance(details["input"], bool):
        kind = "int_type"
    match kind:
        case "rule":
            return Problem(setting, given, context["rule"], context["remedy"])
        case "enum" | "literal_error":
            return Problem(setting, given, f"it is one of {context['expected']}", "choose one of them")
        case "greater_than_equal" | "less_than_equal":
            bound = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']}"
            return Problem(setting, given, f"it is {bound}", "choose such a number")
        case "string_type":
            remedy = "put it in quotes; on the command line: `pulumi config set --path --type string`"
            return Problem(setting, given, "it is text", remedy)
        case "missing":
            return Problem(setting, "not given", "it is required", "set it")
        case other:
            rule = RULES.get(other, _lower(details["msg"]))
            return Problem(setting, given, rule, "correct it; see docs/settings.md")


def _first_sentence(text: str | None) -> str:
    return (text or "").partition(". ")[0]


def _lower(text: str | None) -> str:
    return (text or "")[:1].lower() + (text or "")[1:].rstrip(".")
