"""Each server of a stack is one host, and each task has a name of its own."""

from __future__ import annotations

from typing import Any

import pytest

from chef_push_jobs.config.settings import SettingsError
from tests.unit.clusters import settings

ENTRIES = [
    {"name": name, "fqdn": f"{name}.chef.test", "role": role, "address": f"10.0.0.{at}"}
    for at, (name, role) in enumerate((("backend-0", "backend"), ("second", "backend"), ("web", "frontend")), start=5)
]


def refused(changes: dict[int, dict[str, str]]) -> list[str]:
    """What is told of such servers, with changed entries."""
    entries: Any = [{**entry, **changes.get(at, {})} for at, entry in enumerate(ENTRIES)]
    try:
        settings(domain=None, backends=None, frontends=None, servers=entries, ssh={})
    except SettingsError as error:
        return [str(problem) for problem in error.problems]
    return []


def test_servers_with_names_and_addresses_of_their_own_are_a_stack() -> None:
    assert not refused({})


def test_one_address_is_not_two_servers() -> None:
    (told,) = refused({2: {"address": "10.0.0.5"}})
    assert "address '10.0.0.5' of backend-0 and web" in told


def test_the_address_for_the_other_servers_is_nobody_elses_either() -> None:
    assert not refused({0: {"privateAddress": "172.16.0.5"}, 1: {"privateAddress": "10.0.0.6"}})
    (told,) = refused({0: {"privateAddress": "172.16.0.5"}, 2: {"privateAddress": "172.16.0.5"}})
    assert "address '172.16.0.5' of backend-0 and web" in told


@pytest.mark.parametrize("place", [1, 2])
def test_names_that_would_give_two_tasks_one_name_are_refused(place: int) -> None:
    """push-jobs-reconfigure-primary of backend-0, and push-jobs-reconfigure of primary-backend-0."""
    (told,) = refused({place: {"name": "primary-backend-0"}})
    assert "names backend-0 and primary-backend-0" in told
    assert "push-jobs-reconfigure-primary-backend-0" in told


def test_a_name_like_that_is_fine_where_it_is_nobody_elses() -> None:
    assert not refused({1: {"name": "primary-second"}})
