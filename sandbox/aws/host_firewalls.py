"""Keeps each host's firewall in line with the security groups in moto. `sandbox.hosts.nftables` writes the rules."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any, Protocol

from sandbox.aws.moto_wrapping import LOCK
from sandbox.hosts.nftables import Rule, ruleset
from sandbox.paths import METADATA, RESOLVER, TIME
from sandbox.processes import SandboxError

# Traffic that security groups do not filter (EC2 user guide, "Security groups for your VPC"): metadata, resolver, time.
UNFILTERED = (
    Rule("tcp", 80, 80, (f"{METADATA}/32",)),
    *(Rule(protocol, 53, 53, (f"{RESOLVER}/32",)) for protocol in ("tcp", "udp")),
    Rule("udp", 123, 123, (f"{TIME}/32",)),
)


class Hosts(Protocol):
    """The part of `sandbox.hosts.host.Hosts` that this module uses."""

    def set_firewall(self, host_id: str, ruleset: str) -> None: ...


class HostFirewalls:
    """Applies rule sets that have changed. Requests that arrive while it works share its next run."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self._members: dict[str, Any] = {}  # every instance that has an address, by id
        self._booted: set[str] = set()
        self._applied: dict[str, str] = {}
        self._state = threading.Lock()
        self._working = threading.Lock()
        self._asked = 0
        self._done = 0

    def add(self, instance: Any) -> None:
        """The instance has an address from now on, which other hosts' rules can include."""
        with self._state:
            self._members[instance.id] = instance

    def script(self, instance: Any) -> str:
        """The current rules for a host that is about to boot."""
        with LOCK.held(), self._state:
            return _script(instance, list(self._members.values()))

    def booted(self, instance_id: str, script: str) -> None:
        """The instance has a host now, which already has this script."""
        with self._state:
            if instance_id in self._members:
                self._booted.add(instance_id)
                self._applied[instance_id] = script

    def ending(self, instance_id: str) -> None:
        """The instance's host will end: its firewall is not changed any more. Its address counts until `remove`."""
        with self._state:
            self._booted.discard(instance_id)

    def remove(self, instance_id: str) -> None:
        with self._state:
            self._members.pop(instance_id, None)
            self._booted.discard(instance_id)
            self._applied.pop(instance_id, None)

    def refresh(self) -> None:
        """Returns when every host's firewall matches the groups at the time of this call."""
        with self._state:
            self._asked += 1
            ticket = self._asked
        with self._working:
            if self._done >= ticket:
                return
            with self._state:
                covered = self._asked
            for host_id, script in self._changed():
                self._set(host_id, script)
            self._done = covered

    def _set(self, host_id: str, script: str) -> None:
        try:
            self._hosts.set_firewall(host_id, script)
        except SandboxError:
            with self._state:
                if host_id in self._booted:
                    raise
            return  # it has ended since
        with self._state:
            if host_id in self._booted:
                self._applied[host_id] = script

    def _changed(self) -> list[tuple[str, str]]:
        with LOCK.held(), self._state:
            members = list(self._members.values())
            scripts = {each.id: _script(each, members) for each in members if each.id in self._booted}
            return [(key, script) for key, script in scripts.items() if self._applied.get(key) != script]


def _script(instance: Any, members: Iterable[Any]) -> str:
    if instance.state == "stopped":
        return ruleset([], [])
    groups = instance.security_groups
    ingress = [_rule(rule, members) for group in groups for rule in group.ingress_rules]
    egress = [_rule(rule, members) for group in groups for rule in group.egress_rules]
    return ruleset(
        [rule for rule in ingress if rule.sources], [rule for rule in (*egress, *UNFILTERED) if rule.sources]
    )


def _rule(rule: Any, members: Iterable[Any]) -> Rule:
    return Rule(rule.ip_protocol, rule.from_port, rule.to_port, tuple(_sources(rule, members)))


def _sources(rule: Any, members: Iterable[Any]) -> list[str]:
    """IPv4 only: the hosts have no other addresses, so IPv6 rules have no effect on them."""
    group_id = rule.source_group.get("GroupId")
    if group_id:
        inside = (each for each in members if any(group.id == group_id for group in each.security_groups))
        return sorted(f"{address}/32" for each in inside for address in _addresses(each))
    return [rule.ip_range["CidrIp"]] if rule.ip_range.get("CidrIp") else []


def _addresses(instance: Any) -> set[str]:
    """All private addresses of its interfaces: the primary ones, and those that were assigned."""
    assigned = {each["PrivateIpAddress"] for nic in instance.nics.values() for each in nic.private_ip_addresses}
    return {instance.private_ip, *assigned}
