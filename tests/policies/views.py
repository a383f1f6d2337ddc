"""A row's resources as the rules get them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from policy.known import Known, known
from policy.resources import UNKNOWN, Resource
from policy.rules import POLICIES, Violation
from policy.tokens import DEFAULT_VPC, INSTANCE, VPC
from tests.policies.parts import SETTINGS, Made, Of, Secret
from tests.unit.clusters import raw

STACK = known(raw(SETTINGS), {})
# What the provider adds, as far as it is a name of the resource; and what AWS chooses where nobody says it.
NAMES = {
    **dict.fromkeys((VPC, DEFAULT_VPC), ("defaultSecurityGroupId",)),
    INSTANCE: ("primaryNetworkInterfaceId",),
}
CHOSEN = {INSTANCE: ("vpcSecurityGroupIds", "networkInterfaces", "launchTemplate", "metadataOptions")}


@dataclass(frozen=True)
class View:
    """`knows` what is made by its name; `refers` to it, as a program does that has not just got its id typed in."""

    name: str
    knows: bool
    refers: bool

    def __str__(self) -> str:
        return self.name


PREVIEW = View("preview", knows=False, refers=True)
RUN = View("run", knows=True, refers=True)
TYPED = View("typed", knows=True, refers=False)


def violations(policy: str, made: Sequence[Made], view: View = PREVIEW, stack: Known = STACK) -> list[Violation]:
    """A policy of resources gets what the program gives, one of stacks what there is then."""
    found = next(each for each in POLICIES if each.name == policy)
    row = _Row({each.name: each for each in made}, view)
    if found.stack:
        return list(found.stack([row.outputs(each) for each in made], stack))
    assert found.resource
    return [violation for each in made for violation in found.resource(row.inputs(each), stack)]


@dataclass(frozen=True)
class _Row:
    made: Mapping[str, Made]
    view: View

    def inputs(self, made: Made) -> Resource:
        props = {name: self._plain(value) for name, value in made.props.items()}
        named = {name: [f"urn::{other}" for other in _names(value)] for name, value in made.props.items()}
        return Resource(made.type, made.name, f"urn::{made.name}", props, named if self.view.refers else {})

    def outputs(self, made: Made) -> Resource:
        given = self.inputs(made)
        names = {name: self._output(Of(made.name, name)) for name in ("id", "name", *NAMES.get(made.type, ()))}
        chosen = {} if self.view.knows else dict.fromkeys(CHOSEN.get(made.type, ()), UNKNOWN)
        return Resource(given.type, given.name, given.urn, {**chosen, **names, **given.props}, given.refs)

    def _plain(self, value: Any) -> Any:
        if isinstance(value, Of):
            return self._output(value)
        if isinstance(value, Secret):
            return value.value
        if isinstance(value, Mapping):
            return {key: self._plain(each) for key, each in value.items()}
        return [self._plain(each) for each in value] if isinstance(value, list) else value

    def _output(self, value: Of) -> object:
        given = self.made[value.name].props.get(value.output)
        if not self.view.knows:
            return UNKNOWN
        if given is None:
            return f"{value.output}-of-{value.name}"
        return self._plain(given if value.index is None else given[value.index])


def _names(value: Any) -> Iterator[str]:
    """The resources in a value."""
    if isinstance(value, Of):
        yield value.name
    for each in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _names(each)
