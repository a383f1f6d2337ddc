"""Security group rules, however they are written: which ports they open, and to whom. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policy.networks import is_wide
from policy.resources import UNKNOWN, Resource, at, entries, texts, whole
from policy.tokens import DEFAULT_GROUP, EGRESS_RULE, INGRESS_RULE, OLDER_RULE, SECURITY_GROUP

EVERY_PORT = (0, 65535)
EVERY_PROTOCOL, TCP = -1, 6
# By the names that AWS accepts. Any other name means every protocol, like "all".
NUMBERS = {"tcp": TCP, "udp": 17, "icmp": 1, "icmpv6": 58}


@dataclass(frozen=True)
class Opening:
    """One rule. `ports` are TCP ports; None for another protocol, or if they are not known yet.

    `prefix_lists` are ids in the property `prop` of the resource. `group` is the property that names the rule's group,
    None if the rule is written inside the group.
    """

    ingress: bool
    ports: tuple[int, int] | None
    networks: tuple[str, ...]
    prefix_lists: tuple[object, ...]
    prop: str
    description: object
    group: str | None

    def covers(self, port: int) -> bool:
        return self.ports is not None and self.ports[0] <= port <= self.ports[1]

    @property
    def world(self) -> tuple[str, ...]:
        """Its networks that are too wide to name somebody."""
        return tuple(network for network in self.networks if is_wide(network))

    @property
    def sources(self) -> str:
        """Its sources that are networks, given one by one or as a list."""
        return ", ".join([*self.networks, *(["a prefix list"] if self.prefix_lists else [])])

    def __str__(self) -> str:
        return f"{self._where} {'from' if self.ingress else 'to'} {self.sources or 'other groups'}"

    @property
    def _where(self) -> str:
        if self.ports is None:
            return "no TCP port"
        if self.ports == EVERY_PORT:
            return "all ports"
        first, last = self.ports
        return f"port {first}" if first == last else f"ports {first} to {last}"


@dataclass(frozen=True)
class _Written:
    """How a type writes its rules: in which list (None: it is one rule), and under which names."""

    within: str | None
    ingress: bool | None  # None: it says so itself, as `type`
    protocol: str = "protocol"
    networks: tuple[str, ...] = ("cidrBlocks", "ipv6CidrBlocks")
    prefix_lists: str = "prefixListIds"
    group: str | None = None


def _separate(ingress: bool) -> tuple[_Written, ...]:
    return (_Written(None, ingress, "ipProtocol", ("cidrIpv4", "cidrIpv6"), "prefixListId", "securityGroupId"),)


_INSIDE = (_Written("ingress", True), _Written("egress", False))
RULES: Mapping[str, tuple[_Written, ...]] = {
    INGRESS_RULE: _separate(ingress=True),
    EGRESS_RULE: _separate(ingress=False),
    OLDER_RULE: (_Written(None, None, group="securityGroupId"),),
    SECURITY_GROUP: _INSIDE,
    DEFAULT_GROUP: _INSIDE,
}


def openings(resource: Resource) -> Iterator[Opening]:
    """The rules that a resource is or contains; none if the list is unknown."""
    for written in RULES.get(resource.type, ()):
        for rule in entries(resource.props, written.within) if written.within else [resource.props]:
            yield _opening(rule, written)


def _opening(rule: Mapping[str, Any], written: _Written) -> Opening:
    return Opening(
        ingress=rule.get("type") == "ingress" if written.ingress is None else written.ingress,
        ports=_ports(rule.get(written.protocol), rule.get("fromPort"), rule.get("toPort")),
        networks=tuple(text for name in written.networks for text in texts(rule.get(name))),
        prefix_lists=tuple(at(rule, written.prefix_lists)),
        prop=written.within or written.prefix_lists,
        description=rule.get("description"),
        group=written.group,
    )


def _ports(protocol: object, first: object, last: object) -> tuple[int, int] | None:
    """An unreadable value may be any port."""
    if UNKNOWN in (protocol, first, last):
        return None
    number = NUMBERS.get(str(protocol).strip().lower(), whole(protocol))
    if number not in (TCP, EVERY_PROTOCOL, None):
        return None
    ends = (whole(first), whole(last))
    if number != TCP or ends[0] is None or ends[1] is None or not 0 <= ends[0] <= ends[1]:
        return EVERY_PORT
    return ends[0], ends[1]
