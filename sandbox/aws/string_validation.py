"""Checks every string of a request to the cloud against its rule, and refuses it as AWS does.

The rules are in the product's table; if that has none, the service's own model says what is allowed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape  # type: ignore[import-untyped]

from chef_push_jobs.model.aws_strings import StringRule, by_member


@dataclass(frozen=True)
class Found:
    """A string in a request: its path, as AWS writes it, and its rule."""

    at: str
    value: str
    rule: StringRule


def refusal(service: str, shape: Shape | None, parameters: Mapping[str, Any]) -> tuple[str, str] | None:
    """Code and text of the error for the first string that AWS would refuse, or None."""
    for found in strings(service, shape, parameters):
        if refused := found.rule.refusal(found.value, found.at):
            code, text = refused
            return ("InvalidInput" if service == "route53" else code), text
    return None


def strings(service: str, shape: Shape | None, value: Any, at: str = "") -> Iterator[Found]:
    """All strings of a request that have a rule."""
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        for name, member in shape.members.items():
            where = f"{at}.{_lower(name)}".lstrip(".")
            if isinstance(member, StringShape) and isinstance(value.get(name), str):
                rule = by_member().get((service, shape.name, name)) or _of_model(member)
                yield Found(where, value[name], rule)
            elif value.get(name) is not None:
                yield from strings(service, member, value[name], where)
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for number, each in enumerate(value, 1):
            yield from strings(service, shape.member, each, f"{at}.{number}.member")
    elif isinstance(shape, StringShape) and isinstance(value, str):
        yield Found(at, value, _of_model(shape))
    elif isinstance(shape, MapShape) and isinstance(value, Mapping):
        for key, each in value.items():
            yield from strings(service, shape.value, each, f"{at}.{key}")


def _of_model(shape: StringShape) -> StringRule:
    known = shape.metadata
    return StringRule(shape.name, pattern=known.get("pattern"), least=known.get("min", 0), most=known.get("max"))


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]
