"""A part of an order keeps what its tasks wait for, also where that was through tasks that are not in it."""

from __future__ import annotations

from pathlib import Path

from bench.order import KEY, only
from tests.bench import toy

ADDRESSES = dict.fromkeys(toy.SERVERS, "10.0.1.10")


def test_edges_lead_through_tasks_that_are_left_out() -> None:
    whole = toy.order(ADDRESSES, Path("known_hosts"))
    part = only(whole, {"install-backend-0", "share-backend-0", "reconfigure-backend-1"}, {})
    assert {task.id: task.after for task in part.tasks} == {
        "install-backend-0": (),
        "share-backend-0": ("install-backend-0",),
        "reconfigure-backend-1": ("share-backend-0",),
    }
    assert [phase.steps for phase in part.phases] == [("install",), ("share",), ("reconfigure",)]


def test_keys_are_known_of_servers_that_no_task_tells_of() -> None:
    whole = toy.order(ADDRESSES, Path("known_hosts"))
    part = only(whole, {"connect-frontend-0", "share-backend-0"}, dict.fromkeys(toy.SERVERS, "a key"))
    (share,) = (task for task in part.tasks if task.step == "share")
    assert share.keys == ("frontend-0",)
    assert KEY.format("backend-1") not in share.stdin and "\na key\n" in share.stdin
