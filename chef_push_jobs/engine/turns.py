"""Machines that a change stops take turns: each one stops after the one before works again.

First the frontends, one after another; then, in an ha cluster, the standby; then, after that one has become the master,
the other backend. Does not know Pulumi: `Cluster` is what it needs from the program and the servers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Protocol

from chef_push_jobs import scripts
from chef_push_jobs.engine.remote_shell import Answer
from chef_push_jobs.model.machines import rank
from chef_push_jobs.model.topology import Role, Topology
from chef_push_jobs.scripts import Script

# For a check of what already runs; for a failover; for a machine and its services to start.
QUICK_SECONDS, FAILOVER_SECONDS, START_SECONDS = 60, 300, 900
RETRY_SECONDS = 2.0


class Cluster(Protocol):
    """Machines by name: the servers and the bastion."""

    @property
    def machines(self) -> list[str]: ...

    @property
    def crowded(self) -> bool:
        """Whether waiting hooks could keep the engine from the work that they wait for: then there is no order."""

    async def at_work(self) -> frozenset[str]:
        """The servers that others rely on; none until a first rollout has finished."""

    async def decided(self, name: str) -> None:
        """Returns once it is known whether this run changes the machine."""

    async def registered(self, name: str) -> None:
        """Returns once the machine's change is done, or there is none."""

    async def ask(self, name: str, script: Script, seconds: int) -> Answer:
        """Runs a script on the server."""

    def say(self, text: str) -> None:
        """Shows text to the user."""


@dataclass(frozen=True)
class Patience:
    """Seconds to wait for a machine's return, and for a load balancer to notice that a frontend works."""

    start: float = START_SECONDS
    health: float = 0


class Turns:
    """`take` is awaited before a machine stops; `settled` before anything else runs on servers.

    With `at_once`, nobody waits for a turn, but everything waits for the machines' return.
    """

    def __init__(self, topology: Topology, cluster: Cluster, patience: Patience, *, at_once: bool = False) -> None:
        self._topology, self._cluster, self._patience = topology, cluster, patience
        self._roles = {server.name: server.role for server in topology.servers}
        self._at_once = at_once
        self._turn = asyncio.Lock()
        self._returns: dict[str, asyncio.Task[None]] = {}
        self._failed = asyncio.Event()
        self._failure = ""

    async def take(self, name: str) -> None:
        """Returns when `name` may stop. Raises ValueError if the others cannot do without it, or something fails."""
        try:
            if not self._at_once:
                await self._unless_failed(self._wait(name))
                await self._unless_failed(self._turn.acquire())
                await self._make_way(name)
        except Exception as error:
            self.give_up(str(error))
            raise
        self._cluster.say(f"{name} stops for its change, and starts again")
        self._returns[name] = asyncio.ensure_future(self._wait_for_return(name))

    async def settled(self) -> None:
        """Returns once no more machines will stop in this run. Raises ValueError if one does not come back."""
        if not self._cluster.crowded:
            await self._unless_failed(asyncio.gather(*map(self._cluster.decided, self._cluster.machines)))
        while under_way := [task for task in self._returns.values() if not task.done()]:
            await self._unless_failed(asyncio.gather(*under_way))
        if self._failure:
            raise ValueError(self._failure)

    def give_up(self, failure: str) -> None:
        """Wakes everything that waits, with an error: the engine ends only when no hook waits."""
        self._failure = self._failure or failure
        self._failed.set()

    async def _unless_failed(self, awaited: Awaitable[Any]) -> None:
        waits = asyncio.ensure_future(awaited)
        failed = asyncio.ensure_future(self._failed.wait())
        await asyncio.wait([waits, failed], return_when=asyncio.FIRST_COMPLETED)
        failed.cancel()
        if not waits.done():
            waits.cancel()
            raise ValueError(f"nothing more starts: {self._failure}")
        await waits

    async def _wait(self, name: str) -> None:
        """Waits for the machines that must stop before this one."""
        if self._cluster.crowded:
            return
        for other in self._cluster.machines:
            if rank(other, self._topology) < rank(name, self._topology):
                await self._done_with(other)
        if (backend := self._other_backend(name)) and await self._is_master(name):
            await self._done_with(backend)

    async def _done_with(self, name: str) -> None:
        await self._cluster.registered(name)
        if name in self._returns:
            await self._returns[name]

    async def _make_way(self, name: str) -> None:
        if name not in await self._cluster.at_work():
            return
        if self._roles[name] is Role.FRONTEND:
            for other in self._topology.frontends:
                if other.name != name:
                    await self._must_serve(name, other.name, "frontend")
        elif backend := self._other_backend(name):
            if await self._is_master(name):
                await self._hand_over(name, backend)
            else:
                await self._must_serve(name, backend, "master")

    async def _hand_over(self, name: str, standby: str) -> None:
        await self._must_serve(name, standby, "backend")
        self._cluster.say(f"{standby} takes over from {name}")
        await self._cluster.ask(name, scripts.give_way("stop"), QUICK_SECONDS)
        try:
            await self._must_serve(name, standby, "master", FAILOVER_SECONDS)
        except ValueError:
            await self._cluster.ask(name, scripts.give_way("start"), QUICK_SECONDS)
            raise

    async def _wait_for_return(self, name: str) -> None:
        """Keeps the turn until the machine works again."""
        try:
            await self._cluster.registered(name)
            if name not in await self._cluster.at_work():
                return
            answer = await self._ask_until_it_serves(name)
            if answer.status != 0:
                self.give_up(
                    f"{name} stopped for its change, and {self._patience.start:g} s later is not ready: "
                    f"{reason(answer)}\n"
                    "Rule: the next machine stops once the one before is ready.\n"
                    "Do:   fix what chef-push-jobs doctor finds, then run pulumi up again: it continues from here."
                )
            elif self._roles[name] is Role.FRONTEND:
                await asyncio.sleep(self._patience.health)
        finally:
            if not self._at_once:
                self._turn.release()

    async def _ask_until_it_serves(self, name: str) -> Answer:
        """At first the machine does not answer SSH."""
        now = asyncio.get_running_loop().time
        ends = now() + self._patience.start
        while True:
            left = max(QUICK_SECONDS, int(ends - now()))
            answer = await self._cluster.ask(name, scripts.serves(str(self._roles[name]), left), left)
            if answer.status is not None or now() > ends:
                return answer
            await asyncio.sleep(min(RETRY_SECONDS, self._patience.start / 10))

    async def _is_master(self, name: str) -> bool:
        if name not in await self._cluster.at_work():
            return False
        answer = await self._cluster.ask(name, scripts.serves("backend", QUICK_SECONDS), QUICK_SECONDS)
        return answer.last == "it is master"

    async def _must_serve(self, name: str, other: str, part: str, seconds: int = QUICK_SECONDS) -> None:
        """Raises ValueError if it does not. A server that is created in this run is not asked."""
        if other not in await self._cluster.at_work():
            return
        answer = await self._cluster.ask(other, scripts.serves(part, seconds), seconds)
        if answer.status != 0:
            raise ValueError(
                f"{name} was not stopped for its change: {other} is not ready: {reason(answer)}\n"
                "Rule: a machine only stops if the others can do without it.\n"
                "Do:   fix what chef-push-jobs doctor finds and run pulumi up again; or set allowDowntime: true, "
                "so that all machines stop at once."
            )

    def _other_backend(self, name: str) -> str | None:
        backends = [server.name for server in self._topology.backends]
        return next((other for other in backends if other != name), None) if name in backends else None


def reason(answer: Answer) -> str:
    """The last line of the task's own log, as the task runner quotes it."""
    quoted = [text for text in answer.lines if text.startswith("| ")]
    return quoted[-1].removeprefix("| ") if quoted else answer.last
