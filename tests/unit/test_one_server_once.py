"""Each server of a stack is one host, and each task has a name of its own."""

from __future__ import annotations

from typing import Any

import pytest

from chef_push_jobs.config.settings import SettingsError
from chef_push_jobs.model.ssh_keys import fingerprint
from tests.programs import HOST_KEY
from tests.unit.clusters import settings

ENTRIES = [
    {"name": name, "fqdn": f"{name}.chef.test", "role": role, "address": f"10.0.0.{at}"}
    for at, (name, role) in enumerate((("backend-0", "backend"), ("second", "backend"), ("web", "frontend")), start=5)
]


def refused(changes: dict[int, dict[str, str]], ssh: dict[str, Any] | None = None) -> list[str]:
    """What is told of such servers, with changed entries."""
    entries: Any = [{**entry, **changes.get(at, {})} for at, entry in enumerate(ENTRIES)]
    try:
        settings(domain=None, backends=None, frontends=None, servers=entries, ssh=ssh or {})
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


def test_a_server_is_not_called_like_the_bastion_that_is_met_on_the_way() -> None:
    named = {2: {"name": "bastion"}}
    for key in ({}, {"hostKey": fingerprint(HOST_KEY)}):
        (told,) = refused(named, {"proxy": {"host": "bastion.test", **key}})
        assert "name 'bastion'" in told
    assert not refused(named, {"proxy": {"host": "bastion.test", "hostKey": HOST_KEY}}), "it is not met"
    assert not refused(named)


@pytest.mark.parametrize(
    "key", [HOST_KEY[:-1], HOST_KEY[:-3], HOST_KEY[:-4], f"{HOST_KEY}AAAA", HOST_KEY.replace("C3Nza", "B3Nza")]
)
def test_a_host_key_that_no_server_can_have_is_refused(key: str) -> None:
    """A pin that lost some letters on its way; it would end the run in the middle."""
    assert not refused({0: {"hostKey": HOST_KEY}})
    (told,) = refused({0: {"hostKey": key}})
    assert "servers[0].hostKey" in told
