"""What all components share: how their children are named and tagged, and their inputs in the state."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

PACKAGE = "chef-push-jobs:index"


class Component(pulumi.ComponentResource):
    """The names of its children begin with `prefix`, by default its own name and a hyphen.

    `props` appear in the state and in previews. They are plain values: a child is registered after its parent, so an
    output among them would make every child wait for it.
    """

    def __init__(
        self,
        kind: str,
        name: str,
        props: Mapping[str, object],
        opts: pulumi.ResourceOptions | None,
        prefix: str | None,
    ) -> None:
        given = {key: value for key, value in props.items() if value not in (None, [], {})}
        super().__init__(f"{PACKAGE}:{kind}", name, given, opts)
        self.prefix = f"{name}-" if prefix is None else prefix
        self.child_opts = pulumi.ResourceOptions(parent=self)


def tags(common: Mapping[str, str], name: str, **others: str) -> dict[str, str]:
    """The tags of the resource called `name`: those of all resources, and its own."""
    return {**common, "Name": name, **others}
