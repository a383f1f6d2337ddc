"""Trust is given once: a server is met, and known by that key from then on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from chef_push_jobs.model.ssh_keys import fingerprint, printed_keys
from chef_push_jobs.runbook.plan import plan
from components import host_keys
from components.cluster import make_cluster
from components.program_end import Refused
from tests import programs
from tests.programs import COPY_KEY, HOST_KEY
from tests.unit.clusters import settings
from tests.unit.test_components import EXISTING, registered
from tests.unit.test_doctor_visit import KEY, RSA, line

PROXY = {"host": "bastion.test"}
OTHER_PROXY = {"host": "bastion.test", "hostKey": fingerprint(HOST_KEY)}
STACKS: Mapping[str, Mapping[str, Any]] = {
    "machines": {},
    "machines behind a bastion of theirs": {"bastion": {}},
    "machines behind a bastion that is there": {"ssh": {"keyName": "operators", "proxy": PROXY}},
    "servers that exist": EXISTING,
    "servers that exist, behind a bastion": {**EXISTING, "ssh": {"proxy": PROXY}},
    "a bastion by its fingerprint": {**EXISTING, "ssh": {"proxy": OTHER_PROXY}},
    "servers by their fingerprint": {
        **EXISTING,
        "servers": [{**entry, "hostKey": fingerprint(HOST_KEY)} for entry in EXISTING["servers"]],
    },
    "a machine by its fingerprint": {
        "ssh": {"keyName": "operators", "hostKeys": {"backend-0": fingerprint(HOST_KEY), "bastion": HOST_KEY}},
        "bastion": {},
    },
}


def meets(name: str) -> bool:
    return name.startswith("host-key-") or name == "connect-bastion"


def commands(given: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """All remote commands of a stack, as the engine is asked for them."""
    found = registered(lambda: make_cluster(plan(settings(**given))), monkeypatch)
    return {one["name"]: one for one in found.resources if one["type"].startswith("command:remote:")}


REPAIR = ["triggers[0]"]  # an entry of the setting, which may be taken out


@pytest.mark.parametrize("name", STACKS)
def test_only_who_is_met_first_may_show_any_key_and_is_never_asked_again(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = commands(STACKS[name], monkeypatch)
    assert any(map(meets, made))
    for task, one in made.items():
        connection = one["object"]["connection"]["value"]
        for end in (connection, connection.get("proxy")):
            assert end is None or end.get("hostKey") in ([None, HOST_KEY] if meets(task) else [HOST_KEY]), task
        if meets(task):
            assert "stdin" not in one["object"], "nothing is sent to somebody who is not known"
            assert set(one["object"]) - {"triggers"} <= set(one["ignoreChanges"])
        else:
            assert one.get("ignoreChanges", REPAIR) == REPAIR, "a changed connection is heeded"


def test_a_key_of_the_settings_is_demanded_from_the_first_connection_on(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [{**entry, "hostKey": HOST_KEY} for entry in EXISTING["servers"]]
    for task, one in commands({**EXISTING, "servers": entries}, monkeypatch).items():
        assert one["object"]["connection"]["value"]["hostKey"] == HOST_KEY, task


def test_another_key_in_the_settings_meets_the_machine_again_and_sets_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {"ssh": {"keyName": "operators", "hostKeys": {"backend-0": fingerprint(HOST_KEY)}}}
    before, after = commands({}, monkeypatch), commands(keys, monkeypatch)
    changed = {task for task, one in after.items() if one["object"]["triggers"] != before[task]["object"]["triggers"]}
    assert {"host-key-backend-0", "connect-backend-0"} <= changed
    assert not changed & {"host-key-backend-1", "connect-backend-1", "host-key-frontend-0"}


def test_who_tells_another_key_than_the_settings_is_refused_with_both_fingerprints() -> None:
    with pytest.raises(Refused) as refused:
        host_keys._told("host-key-backend-0", fingerprint(HOST_KEY), f"{COPY_KEY}\n")
    for part in ("host-key-backend-0", fingerprint(HOST_KEY), fingerprint(COPY_KEY), "Do:", "hostKey"):
        assert part in refused.value.problem
    assert host_keys._told("host-key-backend-0", fingerprint(COPY_KEY), f"hello\n{COPY_KEY}\n") == COPY_KEY


@pytest.mark.parametrize("printed", ["", "hello\n", f"ssh-rsa {'A' * 5000}", "ssh-dss AAAA"])
def test_what_is_no_key_pins_none(printed: str) -> None:
    with pytest.raises(Refused) as refused:
        host_keys._told("host-key-backend-0", None, printed)
    assert "no host key was printed" in refused.value.problem


def test_of_several_keys_the_wanted_one_is_pinned_or_else_the_one_of_the_newest_kind() -> None:
    rsa, ecdsa = (f"{kind} AAAA{kind[0] * 64}" for kind in ("ssh-rsa", "ecdsa-sha2-nistp256"))
    printed = f"hello\n{rsa}\n{ecdsa}\n{HOST_KEY}\n"
    assert host_keys._told("host-key-backend-0", None, printed) == HOST_KEY
    assert host_keys._told("host-key-backend-0", None, f"{rsa}\n{ecdsa}\n") == ecdsa
    for key in (rsa, ecdsa):
        assert host_keys._told("host-key-backend-0", fingerprint(key), printed) == key
    with pytest.raises(Refused) as refused:
        host_keys._told("host-key-backend-0", fingerprint(COPY_KEY), printed)
    assert fingerprint(HOST_KEY) in refused.value.problem


def test_a_fingerprint_is_that_of_openssh() -> None:
    for key in (KEY, RSA):
        assert fingerprint(line(key)) == key.get_fingerprint()
        assert printed_keys(f"{line(key)} root@backend-0\r\n") == [line(key)]


def test_the_mocks_print_what_servers_do() -> None:
    assert programs.printed("host-key-backend-0") == f"{HOST_KEY}\n"
