"""What the policies must know about the stack: its ports and tags, from its own configuration or the pack's. Pure.

The ports are not copied anywhere. If they are unknown, or two sources disagree, a policy says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chef_push_jobs.config.parser import decoded, parse
from chef_push_jobs.config.settings import WIDEST
from chef_push_jobs.config.stack_config import StackConfig
from chef_push_jobs.model.topology import Role

# The widest network that still names somebody, by prefix length; for IPv6, what a registry gives to one provider.
WIDEST_NETWORK = {4: WIDEST, 6: 32}
BACKEND = str(Role.BACKEND)

# A policy's own configuration, for stacks of other programs: its property, and the setting that it stands for.
PORTS = {
    "heartbeatPort": "pushJobs.heartbeatPort",
    "commandPort": "pushJobs.commandPort",
    "apiPort": "pushJobs.apiPort",
    "sshPort": "ssh.port",
}


@dataclass(frozen=True)
class Known:
    """The known TCP `ports` by the setting's path; keys of the `tags` that the stack gives to everything.

    `disputed` are settings that the stack and the pack's configuration define differently: (setting, stack's, pack's).
    """

    ports: Mapping[str, int] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    disputed: tuple[tuple[str, int, int], ...] = ()

    @property
    def clients(self) -> Mapping[str, int]:
        """The ports that push jobs clients connect to."""
        return self._some("pushJobs.heartbeatPort", "pushJobs.commandPort")

    @property
    def api(self) -> Mapping[str, int]:
        return self._some("pushJobs.apiPort")

    @property
    def push_jobs(self) -> Mapping[str, int]:
        return {**self.clients, **self.api}

    @property
    def ssh(self) -> Mapping[str, int]:
        """Also port 22 if the stack's SSH listens elsewhere, because an image may start its own."""
        return {"SSH": 22, **{setting: port for setting, port in self._some("ssh.port").items() if port != 22}}

    @property
    def guarded(self) -> Mapping[str, int]:
        """Every port that must not be open to everybody."""
        return {**self.push_jobs, **self.ssh}

    def _some(self, *settings: str) -> dict[str, int]:
        return {setting: self.ports[setting] for setting in settings if setting in self.ports}


def known(stack: Mapping[str, str], pack: Mapping[str, Any]) -> Known:
    """From a stack's settings (as Pulumi gives them, without the project's prefix) and a policy's configuration.

    An invalid setting counts as unknown: the program reports it. If there are no push jobs settings at all, all ports
    are unknown: the stack belongs to another program, and our defaults do not apply to it.
    """
    ours = {name: decoded(value) for name, value in stack.items()} if "pushJobs" in stack else None
    values, _ = parse(StackConfig, ours) if ours else ({}, [])
    own = {setting: port for setting in PORTS.values() if isinstance(port := values.get(setting), int)}
    given = {PORTS[name]: int(port) for name, port in pack.items() if name in PORTS}
    tags = values.get("tags")
    disputed = tuple((name, own[name], given[name]) for name in own if given.get(name, own[name]) != own[name])
    return Known({**given, **own}, tuple(tags) if isinstance(tags, dict) else (), disputed)
