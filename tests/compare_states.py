"""python -m tests.compare_states OLD NEW: whether two states of a stack hold the same resources with the same edges.

OLD and NEW are files with the output of `pulumi stack export`, of the same stack brought up by two versions of the
program. Compared are resources by type and name, their parents, what each depends on, and which of its properties do.
What a resource is given may differ: ids and addresses do with every run, scripts and fingerprints with every version.
Exit status: 0 they are the same, 1 they differ, 2 a file holds no state.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.helped import help_if_asked

STACK = "pulumi:pulumi:Stack"  # its name is that of project and stack
Edges = Mapping[str, frozenset[str]]  # by property; those of the whole resource under ""


@dataclass(frozen=True)
class Resource:
    """What is compared of one. Others are named by type and name: `aws:ec2/vpc:Vpc chef`."""

    parent: str
    edges: Edges


def resources(state: Mapping[str, Any]) -> dict[str, Resource]:
    """By type and name. Raises KeyError or TypeError for what is no state."""
    # A resource that waits for its deletion is beside the one that took its place.
    kept = [one for one in state["deployment"]["resources"] if not one.get("delete")]
    return {named(one["urn"]): Resource(named(one.get("parent", "")), _edges(one)) for one in kept}


def named(urn: str) -> str:
    """Without stack and project. The types of parents are part of a URN: they stand before its own type."""
    rest = urn.split("::")[2:]
    return " ".join(rest[:1] if rest[:1] == [STACK] else rest)


def _edges(resource: Mapping[str, Any]) -> Edges:
    by_property = {"": resource.get("dependencies"), **(resource.get("propertyDependencies") or {})}
    return {name: frozenset(map(named, urns)) for name, urns in by_property.items() if urns}


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """A line each."""
    before, after = resources(old), resources(new)
    yield from (f"gone: {name}" for name in before.keys() - after.keys())
    yield from (f"new: {name}" for name in after.keys() - before.keys())
    for name in before.keys() & after.keys():
        one, other = before[name], after[name]
        if one.parent != other.parent:
            yield f"{name}: its parent was {one.parent}, and is {other.parent}"
        for property in one.edges.keys() | other.edges.keys():
            was, is_ = (each.edges.get(property, frozenset()) for each in (one, other))
            what = f"its property {property}" if property else "it"
            yield from (f"{name}: {what} no longer depends on {end}" for end in was - is_)
            yield from (f"{name}: {what} now depends on {end}" for end in is_ - was)


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 2:
        print(__doc__.partition(":")[0], file=sys.stderr)
        return 2
    try:
        old, new = (json.loads(Path(file).read_text()) for file in arguments)
        found = sorted(differences(old, new))
        count = len(resources(new))
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"error: no output of `pulumi stack export`: {error!r}", file=sys.stderr)
        return 2
    print("\n".join(found) if found else f"the same: {count} resources, their parents and edges")
    return 1 if found else 0


if __name__ == "__main__":
    help_if_asked(__doc__)
    sys.exit(main(sys.argv[1:]))
