"""Machines that a change stops take turns: in which order, when the next one, and what ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chef_push_jobs.engine.remote_shell import Answer
from chef_push_jobs.engine.turns import Patience, Turns, reason
from chef_push_jobs.model.machines import stops
from chef_push_jobs.model.topology import Kind, Topology, numbered, topology
from chef_push_jobs.scripts import Script

WELL, QUICK = Answer(0, ("it is frontend",)), Patience(start=0.2)
BROKEN = Answer(1, ("serves failed on frontend-1: exit status 1", "| its page does not answer", "what next: mend it"))
STANDALONE = topology(Kind.STANDALONE, numbered(1, 0, "chef.test"))
TIER = topology(Kind.TIER, numbered(1, 3, "chef.test"))
HA = topology(Kind.HA, numbered(2, 2, "chef.test"))


class Played:
    """A cluster whose machines stop for a moment once their turn has come; who is down and who is master is noted."""

    def __init__(self, servers: Topology, master: str = "backend-0", crowded: bool = False) -> None:
        self.machines = ["bastion", *(server.name for server in servers.servers)]
        self.crowded = crowded
        self.master = master
        self.backends = [server.name for server in servers.backends]
        self.working = frozenset(self.machines) - {"bastion"}
        self.changed = {name: asyncio.Event() for name in self.machines}
        self.reached = {name: asyncio.Event() for name in self.machines}
        self.down: set[str] = set()
        self.order: list[str] = []
        self.most_down = 0
        self.without_master = 0
        self.broken: set[str] = set()
        self.stuck: set[str] = set()
        self.said: list[str] = []

    async def at_work(self) -> frozenset[str]:
        return self.working

    async def decided(self, name: str) -> None:
        await self.reached[name].wait()

    async def registered(self, name: str) -> None:
        await self.changed[name].wait()

    async def ask(self, name: str, script: Script, seconds: int) -> Answer:
        if script.name == "give-way":
            if name == self.master and script.values["do"] == "stop" and not self.stuck:
                (self.master,) = set(self.backends) - {name}
            return WELL
        if name in self.down:
            return Answer(None, ("no connection",))
        if name in self.broken:
            return BROKEN
        if name not in self.backends:
            return WELL
        is_master = name == self.master
        if script.values["part"] == "master" and not is_master:
            return Answer(1, ("| it is backup, not master",))
        return Answer(0, (f"it is {'master' if is_master else 'backup'}",))

    def say(self, text: str) -> None:
        self.said.append(text)

    async def stop(self, name: str, turns: Turns, breaks: bool = False) -> None:
        """As the engine does: its hook, then the machine stops, starts again and is registered."""
        self.reached[name].set()
        await turns.take(name)
        self.order.append(name)
        self.down.add(name)
        self.most_down = max(self.most_down, len(self.down))
        self.without_master += len(self.backends) > 1 and name == self.master
        await asyncio.sleep(0.001)
        self.changed[name].set()
        if breaks:
            self.broken.add(name)
        self.down.remove(name)


def run(program: Coroutine[Any, Any, Any]) -> Any:
    async def limited() -> Any:
        async with asyncio.timeout(10):
            return await program

    return asyncio.run(limited())


async def roll(servers: Topology, arrival: list[str], master: str = "backend-0", crowded: bool = False) -> Played:
    played = Played(servers, master, crowded)
    turns = Turns(servers, played, QUICK)
    for name in played.machines:
        if name not in arrival:
            played.reached[name].set()
            played.changed[name].set()
    await asyncio.gather(*(played.stop(name, turns) for name in arrival))
    await turns.settled()
    return played


@pytest.mark.parametrize(
    ("servers", "master", "expected"),
    [
        (STANDALONE, "backend-0", ["bastion", "backend-0"]),
        (TIER, "backend-0", ["bastion", "frontend-0", "frontend-1", "frontend-2", "backend-0"]),
        (HA, "backend-0", ["bastion", "frontend-0", "frontend-1", "backend-1", "backend-0"]),
        (HA, "backend-1", ["bastion", "frontend-0", "frontend-1", "backend-0", "backend-1"]),
    ],
)
@given(data=st.data())
def test_machines_stop_in_one_order_whichever_the_engine_gets_to_first(
    servers: Topology, master: str, expected: list[str], data: st.DataObject
) -> None:
    arrival = data.draw(st.permutations(expected))
    played = run(roll(servers, arrival, master))
    assert played.order == expected
    assert played.most_down == 1
    assert not played.without_master, "the other backend had taken over before"


@given(arrival=st.permutations(["frontend-0", "frontend-1", "backend-0", "backend-1"]), master=st.sampled_from((0, 1)))
def test_where_hooks_that_wait_would_keep_the_engine_machines_go_as_they_come(arrival: list[str], master: int) -> None:
    played = run(roll(HA, arrival, f"backend-{master}", crowded=True))
    assert played.order == arrival
    assert played.most_down == 1
    assert not played.without_master


def test_with_downtime_allowed_machines_stop_at_once_and_all_else_waits_for_their_return() -> None:
    async def program() -> tuple[Played, bool]:
        played = Played(HA)
        played.broken.add("frontend-1")
        turns = Turns(HA, played, QUICK, at_once=True)
        played.reached["bastion"].set()
        played.changed["bastion"].set()
        settled = asyncio.ensure_future(turns.settled())
        await asyncio.gather(*(played.stop(server.name, turns) for server in HA.servers))
        early = settled.done()
        played.broken.clear()
        with suppress(ValueError):
            await settled
        return played, early

    played, early = run(program())
    assert played.most_down == 4
    assert not early


def test_before_a_first_rollout_has_come_to_its_end_nobody_is_asked_and_nobody_waits_for_a_return() -> None:
    async def program() -> Played:
        played = Played(HA)
        played.working, played.broken = frozenset(), set(played.machines)
        turns = Turns(HA, played, QUICK)
        played.changed["bastion"].set()
        await asyncio.gather(*(played.stop(server.name, turns) for server in HA.servers))
        return played

    assert len(run(program()).order) == 4


def test_while_another_one_is_broken_nothing_stops_and_whatever_waits_ends() -> None:
    async def program() -> tuple[Played, list[Any]]:
        played = Played(HA)
        played.broken.add("frontend-1")
        turns = Turns(HA, played, QUICK)
        played.changed["bastion"].set()
        stops = [played.stop(server.name, turns) for server in HA.servers]
        return played, await asyncio.gather(*stops, return_exceptions=True)

    played, ends = run(program())
    assert played.order == []
    assert all(isinstance(end, ValueError) for end in ends)
    assert "frontend-0 was not stopped for its change: frontend-1 is not ready: its page" in str(ends[2])
    assert "nothing more starts: frontend-0 was not stopped" in str(ends[0])


def test_after_one_that_does_not_come_back_no_other_stops_and_nothing_else_is_begun() -> None:
    async def program() -> tuple[Played, list[Any], str]:
        played = Played(HA)
        turns = Turns(HA, played, QUICK)
        played.changed["bastion"].set()
        played.reached["bastion"].set()
        stops = [played.stop(server.name, turns, breaks=server.name == "frontend-0") for server in HA.servers]
        ends = await asyncio.gather(*stops, return_exceptions=True)
        with pytest.raises(ValueError, match="is not ready") as settled:
            await turns.settled()
        return played, ends, str(settled.value)

    played, ends, settled = run(program())
    assert played.order == ["frontend-0"]
    assert sum(isinstance(end, ValueError) for end in ends) == 3
    assert "frontend-0 stopped for its change" in settled


def test_a_backend_whose_standby_does_not_take_over_takes_part_again_and_does_not_stop() -> None:
    async def program() -> tuple[Played, Any]:
        played = Played(HA)
        played.stuck.add("backend-1")
        turns = Turns(HA, played, QUICK)
        for name in set(played.machines) - {"backend-0"}:
            played.changed[name].set()
        (end,) = await asyncio.gather(played.stop("backend-0", turns), return_exceptions=True)
        return played, end

    played, end = run(program())
    assert played.order == []
    assert "backend-1 is not ready: it is backup, not master" in str(end)


def test_a_failure_elsewhere_wakes_all_that_wait() -> None:
    async def program() -> list[Any]:
        played = Played(HA)
        turns = Turns(HA, played, QUICK)
        waiting = [asyncio.ensure_future(played.stop(server.name, turns)) for server in HA.backends]
        waiting.append(asyncio.ensure_future(turns.settled()))
        await asyncio.sleep(0.01)
        turns.give_up("entry-443 failed")
        return await asyncio.gather(*waiting, return_exceptions=True)

    assert [str(end) for end in run(program())] == ["nothing more starts: entry-443 failed"] * 3


@pytest.mark.parametrize(
    ("before", "after", "does"),
    [
        ({"instanceType": "m5.large"}, {"instanceType": "m5.xlarge"}, True),
        ({"instanceType": "m5.large", "userData": "a"}, {"instanceType": "m5.large", "userData": "b"}, True),
        ({"userData": "a"}, {}, True),
        ({"userData": "a"}, {"userDataBase64": "YQ=="}, True),
        ({}, {"capacityReservationSpecification": {"capacityReservationPreference": "none"}}, True),
        ({"capacityReservationSpecification": {"capacityReservationPreference": "none"}}, {}, False),
        ({}, {"userData": "a"}, True),
        ({"ebsOptimized": False}, {"ebsOptimized": True}, False),
        ({"iamInstanceProfile": "a", "vpcSecurityGroupIds": ["a"]}, {"iamInstanceProfile": "b"}, False),
        ({"rootBlockDevice": {"volumeSize": 50}}, {"rootBlockDevice": {"volumeSize": 80}}, False),
        ({"rootBlockDevice": {"tags": {"a": "b"}}}, {"rootBlockDevice": {}}, False),
        ({"metadataOptions": {"httpTokens": "optional"}}, {"metadataOptions": {"httpTokens": "required"}}, False),
        ({"iamInstanceProfile": "a"}, {"iamInstanceProfile": "b"}, False),
        ({"tags": {"a": "b"}}, {}, False),
    ],
)
def test_what_stops_a_machine(before: dict[str, object], after: dict[str, object], does: bool) -> None:
    assert stops(before, after) is does


def test_the_reason_is_the_last_line_of_the_tasks_own_log() -> None:
    assert reason(BROKEN) == "its page does not answer"
    assert reason(Answer(None, ("no answer within 60 s",))) == "no answer within 60 s"
    assert reason(Answer(1, ())) == "no answer"
