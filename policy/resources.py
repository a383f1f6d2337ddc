"""Resources as the policies see them, alone and as a stack, and how to find values in them. Pure.

Works on plain values: UNKNOWN stands for what a preview does not know yet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final


class _Unknown(Enum):
    UNKNOWN = "unknown"


UNKNOWN: Final = _Unknown.UNKNOWN

# Properties by which other resources refer to a resource.
NAMES = (
    *("id", "name", "defaultSecurityGroupId", "primaryNetworkInterfaceId"),
    *("rootBlockDevice.volumeId", "ebsBlockDevices.volumeId"),
)


@dataclass(frozen=True)
class Resource:
    """`props` in camel case; `refs` contains, by property, the URNs of the resources that it comes from."""

    type: str
    name: str
    urn: str
    props: Mapping[str, Any]
    refs: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Stack:
    """All resources, and their references.

    Resources that the program only reads (`get`) are missing: the engine omits them.
    """

    def __init__(self, resources: Sequence[Resource]) -> None:
        self.resources = resources
        self._by_urn = {resource.urn: resource for resource in resources}
        self._by_name: dict[str, list[Resource]] = defaultdict(list)
        for resource in resources:
            for name in NAMES:
                for given in texts(list(at(resource.props, name))):
                    self._by_name[given].append(resource)

    def called(self, name: object) -> Sequence[Resource]:
        """The resources with this name or id."""
        return self._by_name.get(name, ()) if isinstance(name, str) else ()

    def referred(self, resource: Resource, prop: str) -> Iterator[Resource]:
        """The resources that a property comes from."""
        for urn in resource.refs.get(prop, ()):
            if urn in self._by_urn:
                yield self._by_urn[urn]

    def named(self, resource: Resource, prop: str) -> list[Resource]:
        """The resources that a property names, by reference or by any text in it."""
        by_text = (found for text in texts(resource.props.get(prop)) for found in self.called(text))
        return list({found.urn: found for found in (*self.referred(resource, prop), *by_text)}.values())

    def keys(self, resource: Resource, prop: str) -> frozenset[str]:
        """What a property names, even outside the stack: two properties that share a key name the same."""
        return frozenset([*texts(resource.props.get(prop)), *(found.urn for found in self.named(resource, prop))])


def at(value: object, path: str = "") -> Iterator[object]:
    """The values at a path such as `launchTemplate.id`, in each entry of lists on the way.

    UNKNOWN if the path is unknown.
    """
    if isinstance(value, list):
        for entry in value:
            yield from at(entry, path)
    elif value is UNKNOWN or not path:
        if value is not None:
            yield value
    elif isinstance(value, Mapping):
        first, _, rest = path.partition(".")
        yield from at(value.get(first), rest)


def entries(value: object, path: str = "") -> list[Mapping[str, Any]]:
    """The objects at a path; none if it is unknown."""
    return [entry for entry in at(value, path) if isinstance(entry, Mapping)]


def texts(value: object) -> Iterator[str]:
    """Every text in a value, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for entry in value:
            yield from texts(entry)
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from texts(entry)


def whole(value: object) -> int | None:
    """A number, also if it is written as text."""
    try:
        return int(float(value)) if isinstance(value, str | int | float) else None
    except (ValueError, OverflowError):
        return None
