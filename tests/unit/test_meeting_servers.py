"""Servers that exist, as they are met: one machine each, which reach each other as the settings say."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs, Mocks

from components.cluster import make_cluster
from components.program_end import Refused
from tests import programs
from tests.unit.clusters import stack
from tests.unit.test_components import ENTRIES, EXISTING

NAMES = [str(entry["name"]) for entry in ENTRIES]


class Machines(Mocks):
    """Each server has a copy key by its number here."""

    def __init__(self, *numbers: int) -> None:
        self.keys = {name: f"ssh-ed25519 AAAA{str(number) * 64}" for name, number in zip(NAMES, numbers, strict=True)}
        self.made: list[str] = []
        self.sent: dict[str, str] = {}

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.made.append(args.name)
        self.sent[args.name] = str(args.inputs.get("stdin"))
        key = self.keys.get(args.name.removeprefix("connect-"))
        return args.name, {**args.inputs, "stdout": f"{key}\n" if key else programs.printed(args.name)}

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise AssertionError(args.token)


def run(mocks: Machines, **changes: Any) -> None:
    programs.run(lambda: pulumi.Output.from_input(make_cluster(stack(**{**EXISTING, **changes}))), mocks)


def test_servers_with_keys_of_their_own_are_set_up() -> None:
    mocks = Machines(1, 2, 3)
    run(mocks)
    assert any(name.startswith("push-jobs-install") for name in mocks.made)


@pytest.mark.parametrize("numbers", [[1, 1, 2], [1, 2, 1], [1, 2, 2]])
def test_two_addresses_of_one_machine_are_refused_with_both_names(numbers: list[int]) -> None:
    mocks = Machines(*numbers)
    with pytest.raises(Refused) as refused:
        run(mocks)
    twice = [name for name, number in zip(NAMES, numbers, strict=True) if numbers.count(number) == 2]
    assert refused.value.problem.startswith(f"{twice[0]} and {twice[1]}: both have the copy key SHA256:")
    assert not [name for name in mocks.made if name.startswith("push-jobs-")], "nothing was begun"


def test_the_other_servers_reach_one_by_its_private_address_and_the_operator_by_the_other() -> None:
    mocks = Machines(1, 2, 3)
    entries = [{**entry, "privateAddress": f"172.16.0.{at}"} for at, entry in enumerate(ENTRIES, start=5)]
    run(mocks, servers=entries)
    assert "172.16.0.5" in mocks.sent["push-jobs-copy-frontend-0"]
    for private in ("172.16.0.6", "172.16.0.7"):
        assert private in mocks.sent["push-jobs-share-backend-0"]
    assert not any(entry["address"] in text for entry in ENTRIES for text in mocks.sent.values())
