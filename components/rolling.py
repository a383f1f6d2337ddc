"""Machines that a change stops take turns (`engine/turns.py`): a hook before each update waits for the machine's turn.

The provider itself would stop all of them at once. Servers are asked before their own resources are registered in this
run, through the connections in the state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import pulumi
import pulumi_aws as aws
from pulumi.runtime.settings import SETTINGS

from chef_push_jobs import scripts
from chef_push_jobs.config.network_checks import BASTION
from chef_push_jobs.engine.remote_shell import Answer, run
from chef_push_jobs.engine.turns import Patience, Turns
from chef_push_jobs.model.machines import stops
from chef_push_jobs.model.topology import Topology
from chef_push_jobs.scripts import Script

from .deferred import plain

MARGIN_SECONDS = 30  # for the connection to a server and back
# By event loop; each program has its own.
_ROLLING: WeakKeyDictionary[asyncio.AbstractEventLoop, list[Rolling]] = WeakKeyDictionary()


class Machine(NamedTuple):
    """`address` is where operators reach it."""

    instance: aws.ec2.Instance
    address: pulumi.Output[str]


@dataclass(frozen=True)
class RollingArgs:
    """The arguments of `Turns`."""

    topology: Topology
    patience: Patience
    at_once: bool = False


class Rolling:
    """Provides the `hooks` of machines, whose names are `prefix` and the server's; pass the machines to `watch`."""

    def __init__(self, args: RollingArgs, prefix: str) -> None:
        self._args, self._prefix = args, prefix
        self._found: dict[str, Machine] = {}
        self._reached: dict[str, asyncio.Event] = {}
        self._moved: dict[str, str] = {}
        self._state: asyncio.Task[Mapping[str, Mapping[str, Any]]] | None = None
        self._turns = Turns(args.topology, self, args.patience, at_once=args.at_once)
        turn = pulumi.ResourceHook(f"{prefix}one-at-a-time", self._before)
        failed = pulumi.ErrorHook(f"{prefix}none-after-a-failure", self._after_failure)
        self.hooks = pulumi.ResourceHookBinding(before_create=[turn], before_update=[turn], on_error=[failed])
        _ROLLING.setdefault(asyncio.get_event_loop(), []).append(self)

    def watch(self, machines: Mapping[str, Machine]) -> None:
        self._found = dict(machines)

    async def settled(self) -> None:
        """See `Turns.settled`."""
        await self._turns.settled()

    def give_up(self, failure: str) -> None:
        """See `Turns.give_up`."""
        self._turns.give_up(failure)

    async def _before(self, args: pulumi.ResourceHookArgs) -> None:
        name = args.name.removeprefix(self._prefix)
        self._event(name).set()
        before, after = await plain(dict(args.old_inputs or {})), await plain(dict(args.new_inputs or {}))
        if before and stops(before, after):
            await self._turns.take(name)

    def _after_failure(self, args: pulumi.ErrorHookArgs) -> bool:
        self.give_up(f"{args.name} failed")
        return False

    # What turns need to know

    @property
    def machines(self) -> list[str]:
        return list(self._found)

    @property
    def crowded(self) -> bool:
        """A waiting hook occupies one of the engine's workers."""
        return 0 < int(SETTINGS.parallel or 0) <= len(self._found)

    async def at_work(self) -> frozenset[str]:
        return frozenset(await self._connections())

    async def decided(self, name: str) -> None:
        registered = asyncio.ensure_future(self.registered(name))
        reached = asyncio.ensure_future(self._event(name).wait())
        await asyncio.wait([registered, reached], return_when=asyncio.FIRST_COMPLETED)
        reached.cancel()

    async def registered(self, name: str) -> None:
        machine, address = self._found[name]
        await machine.urn.future()
        self._moved[name] = str(await address.future())

    async def ask(self, name: str, script: Script, seconds: int) -> Answer:
        connection = dict((await self._connections())[name])
        connection["host"] = self._moved.get(name, connection["host"])
        if (proxy := connection.get("proxy")) and BASTION in self._moved:
            connection["proxy"] = {**proxy, "host": self._moved[BASTION]}
        command = scripts.runner(script.name, seconds + MARGIN_SECONDS, 1, script.text)
        return await run(connection, command, script.text, seconds + 2 * MARGIN_SECONDS)

    def say(self, text: str) -> None:
        pulumi.log.info(text)

    async def _connections(self) -> Mapping[str, Mapping[str, Any]]:
        """By name, the connections of the servers at work, according to the state."""
        if self._state is None:
            self._state = asyncio.ensure_future(self._read_state())
        return await self._state

    async def _read_state(self) -> Mapping[str, Mapping[str, Any]]:
        stack = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
        found = await pulumi.runtime.invoke_async("pulumi:pulumi:readStackResourceOutputs", {"stackName": stack})
        outputs = {urn.rpartition("::")[2]: resource["outputs"] for urn, resource in found["outputs"].items()}
        if f"{self._prefix}push-jobs-test-{self._args.topology.primary.name}" not in outputs:
            return {}
        servers = [server.name for server in self._args.topology.servers]
        connected = {name: outputs.get(f"{self._prefix}connect-{name}") for name in servers}
        return {name: await plain(found["connection"]) for name, found in connected.items() if found}

    def _event(self, name: str) -> asyncio.Event:
        return self._reached.setdefault(name, asyncio.Event())


def give_up(failure: str) -> None:
    """Lets no more machines of this program stop."""
    for rolling in _ROLLING.get(asyncio.get_running_loop(), []):
        rolling.give_up(failure)


async def machines_settled() -> None:
    """Returns once no more machines of this program will stop. Raises ValueError if one does not come back."""
    for rolling in _ROLLING.get(asyncio.get_running_loop(), []):
        await rolling.settled()
