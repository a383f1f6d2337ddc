"""What Pulumi knows about a stack: settings, outputs and state, asked from its CLI. Locks and changes nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from chef_push_jobs.config.settings import Settings
from chef_push_jobs.config.stack_config import Proxy, Ssh
from chef_push_jobs.config.stack_files import Configuration
from chef_push_jobs.engine.preview import CAUSE, REPAIR
from chef_push_jobs.engine.pulumi_cli import Place, Pulumi
from chef_push_jobs.runbook.plan import StackPlan
from chef_push_jobs.runbook.stack import load_stack

RULES = {
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": False,
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": True,
}


class StackError(Exception):
    """Why doctor cannot start, and what to do."""


@dataclass(frozen=True)
class Target:
    """A server according to the stack. `host_key` is an OpenSSH line."""

    name: str
    address: str
    host_key: str


@dataclass(frozen=True)
class ObservedRule:
    """A security group rule, from the API or from the state. `peer` is a network, prefix list or group."""

    group: str
    egress: bool
    protocol: str
    ports: tuple[int, int]
    peer: str

    def __str__(self) -> str:
        low, high = self.ports
        what = "everything" if self.protocol == "-1" else f"{self.protocol} {low if low == high else f'{low}-{high}'}"
        return f"{what} {'to' if self.egress else 'from'} {self.peer}"

    def covers(self, port: int) -> bool:
        low, high = self.ports
        return not self.egress and (self.protocol == "-1" or (self.protocol == "tcp" and low <= port <= high))


@dataclass(frozen=True)
class Stack:
    """`aws` are the `aws:…` settings; `resources` is the state; `bastion` is one that the stack created."""

    place: Place
    plan: StackPlan
    aws: Mapping[str, str]
    targets: Sequence[Target]
    resources: Sequence[Mapping[str, Any]]
    bastion: Proxy | None = None
    project: str = "chef-push-jobs"

    @property
    def settings(self) -> Settings:
        return self.plan.settings

    @property
    def ssh(self) -> Ssh:
        """How the operator reaches the servers: through the stack's bastion, if it created one."""
        ssh = self.settings.config.ssh
        return ssh.model_copy(update={"proxy": self.bastion}) if self.bastion else ssh

    def ids(self, kind: str) -> dict[str, str]:
        """Ids of the resources of a type, by name."""
        return {_name(found): str(found["id"]) for found in self._of(kind)}

    @property
    def rules(self) -> dict[str, ObservedRule]:
        """Rules by id."""
        return {
            str(found["id"]): _recorded(found["inputs"], egress)
            for kind, egress in RULES.items()
            for found in self._of(kind)
        }

    @property
    def groups_of_machines(self) -> dict[str, frozenset[str]]:
        """The security groups of each machine, by instance id."""
        found = self._of("aws:ec2/instance:Instance")
        return {str(one["id"]): frozenset(one["inputs"]["vpcSecurityGroupIds"]) for one in found}

    def fingerprint(self, task: str) -> str | None:
        """The fingerprint of a task when it last ran; None if it has not run."""
        return next(iter(self._triggers.get(task, ())[CAUSE : CAUSE + 1]), None)

    def repair(self, task: str) -> str | None:
        """The text of the setting `repair` when the task last ran."""
        return next(iter(self._triggers.get(task, ())[REPAIR : REPAIR + 1]), None)

    @cached_property
    def _triggers(self) -> dict[str, tuple[str, ...]]:
        commands = self._of("command:remote:Command")
        return {_name(one): tuple(one["inputs"]["triggers"]) for one in commands if one["inputs"].get("triggers")}

    def _of(self, kind: str) -> Iterator[Mapping[str, Any]]:
        # A resource that is waiting for deletion is listed next to its replacement.
        return (found for found in self.resources if found["type"] == kind and not found.get("delete"))


def _name(resource: Mapping[str, Any]) -> str:
    return str(resource["urn"]).rsplit("::", 1)[1]


def _recorded(inputs: Mapping[str, Any], egress: bool) -> ObservedRule:
    """A rule as recorded in the state."""
    names = ("referencedSecurityGroupId", "cidrIpv4", "cidrIpv6", "prefixListId")
    peer = next((str(inputs[name]) for name in names if inputs.get(name)), "?")
    ports = int(inputs.get("fromPort", -1)), int(inputs.get("toPort", -1))
    return ObservedRule(str(inputs["securityGroupId"]), egress, str(inputs["ipProtocol"]), ports, peer)


async def read_stack(pulumi: Pulumi, place: Place) -> Stack:
    """Raises PulumiError, StackError, and SettingsError with every problem of the settings."""
    (configuration, secrets), outputs, state = await asyncio.gather(
        _configuration(pulumi, place),
        pulumi.ask("stack", "output", "--json", "--stack", place.stack),
        pulumi.ask("stack", "export", "--stack", place.stack),
    )
    resources = json.loads(state)["deployment"].get("resources") or []
    told_of = json.loads(outputs)
    servers = told_of.get("servers")
    if not servers:
        raise StackError(f"stack {place.stack} has no servers yet; create them with pulumi up --stack {place.stack}")
    name, project = str(resources[0]["urn"]).removeprefix("urn:pulumi:").split("::")[:2]
    plan = await asyncio.to_thread(load_stack, Configuration(project, configuration, secrets), pulumi.root)
    plan = replace(plan, owner=f"{project}/{name}")
    targets = [Target(name, output["address"], output["hostKey"]) for name, output in servers.items()]
    aws = {key: value for key, value in configuration.items() if key.startswith("aws:")}
    bastion = Proxy.model_validate(told_of["bastion"]) if "bastion" in told_of else None
    return Stack(place, plan, aws, targets, resources, bastion, project)


async def _configuration(pulumi: Pulumi, place: Place) -> tuple[dict[str, str], tuple[str, ...]]:
    """The values, and the names of the secret ones.

    Asks for secrets only if there are any, because they need the stack's passphrase or key.
    """
    found = json.loads(await pulumi.ask("config", "--json", *place.options))
    if any("value" not in entry for entry in found.values()):
        found = json.loads(await pulumi.ask("config", "--json", "--show-secrets", *place.options))
    secrets = tuple(key.partition(":")[2] for key, entry in found.items() if entry.get("secret"))
    return {key: str(entry.get("value", "")) for key, entry in found.items()}, secrets
