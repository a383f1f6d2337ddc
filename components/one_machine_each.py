"""Refuses existing servers that are the same machine: two addresses in the settings may lead to one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pulumi

from chef_push_jobs.model.ssh_keys import fingerprint
from chef_push_jobs.runbook.script_context import ServerIdentity

from .connection import ConnectedServer
from .program_end import Refused


def one_machine_each(servers: Mapping[str, ConnectedServer]) -> dict[str, ConnectedServer]:
    """The same servers. Their facts only become known once each has a copy key that no other server has."""
    checked = pulumi.Output.all(*(server.facts for server in servers.values())).apply(_check(list(servers)))
    return {name: replace(server, facts=_after(checked, server.facts)) for name, server in servers.items()}


def _check(names: Sequence[str]) -> Any:
    def check(known: Sequence[ServerIdentity]) -> None:
        first: dict[str, str] = {}
        for name, identity in zip(names, known, strict=True):
            other = first.setdefault(identity.copy_key, name)
            if other != name:
                raise Refused(
                    f"{other} and {name}: both have the copy key {fingerprint(identity.copy_key)}\nRule: each "
                    "server of a stack must be a separate machine: otherwise both run the same tasks.\nDo:   "
                    f"if servers[…].address of {name} leads to {other}'s machine, correct it in the stack file; "
                    "if one was cloned from the other's disk, remove /var/lib/chef-rollout there. Then set "
                    f"repair.connect-{other} and repair.connect-{name} to any text, and run pulumi up again."
                )

    return check


def _after(checked: pulumi.Output[Any], facts: pulumi.Output[ServerIdentity]) -> pulumi.Output[ServerIdentity]:
    """`facts`, once the check has passed. `Output.all` would make each task that needs facts depend on all servers."""

    async def resources() -> set[pulumi.Resource]:
        await checked.future()
        return await facts.resources()

    # Tasks instead of coroutines: if the check fails, nobody awaits these, and Python would complain.
    found: Any = asyncio.ensure_future(facts.future(with_unknowns=True))
    known, secret = asyncio.ensure_future(facts.is_known()), asyncio.ensure_future(facts.is_secret())
    return pulumi.Output(resources(), found, known, secret)
