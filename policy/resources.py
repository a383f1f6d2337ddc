"""Resources as the policies see them, and what each says of ways in and out, volumes and tags. Pure.

Works on plain values: what a preview does not know yet is UNKNOWN.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from chef_push_jobs.config.settings import WIDEST

# Of IPv6, in proportion: what a registry gives to one provider.
WIDEST_IPV6 = 32


class _Unknown(Enum):
    UNKNOWN = "unknown"


UNKNOWN: Final = _Unknown.UNKNOWN


@dataclass(frozen=True)
class Resource:
    """`props` in camel case; `refs` has, by property, the URNs of the resources that it comes from."""

    type: str
    name: str
    urn: str
    props: Mapping[str, Any]
    refs: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def comes_from(self, prop: str, other: Resource) -> bool:
        """Whether the property names `other`, by reference or by its id."""
        given = self.props.get(prop)
        ids = given if isinstance(given, list) else [given]
        return other.urn in self.refs.get(prop, ()) or other.props.get("id") in [i for i in ids if isinstance(i, str)]


@dataclass(frozen=True)
class Opening:
    """One rule of a security group. `ports` is None where it is for all; `group` is the property that names the group,
    None where the rule is written inside of it."""

    ingress: bool
    ports: tuple[int, int] | None
    tcp: bool
    networks: tuple[str, ...]
    description: object
    group: str | None

    def covers(self, port: int) -> bool:
        return self.tcp and (self.ports is None or self.ports[0] <= port <= self.ports[1])

    @property
    def world(self) -> tuple[str, ...]:
        """Those of its networks that are too wide to name somebody."""
        return tuple(network for network in self.networks if _is_world(network))

    def __str__(self) -> str:
        where = "all ports" if self.ports is None else f"port {self.ports[0]}"
        if self.ports and self.ports[0] != self.ports[1]:
            where = f"ports {self.ports[0]} to {self.ports[1]}"
        return f"{where} {'from' if self.ingress else 'to'} {', '.join(self.networks) or 'other groups'}"


def _is_world(network: str) -> bool:
    try:
        parsed = ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
    return parsed.prefixlen < (WIDEST if parsed.version == 4 else WIDEST_IPV6)


@dataclass(frozen=True)
class _Written:
    """How a type writes its rules: in which list (None: it is one rule), and under which names."""

    within: str | None
    ingress: bool | None
    protocol: str = "protocol"
    networks: tuple[str, ...] = ("cidrBlocks", "ipv6CidrBlocks")
    group: str | None = None


def _separate(ingress: bool) -> tuple[_Written, ...]:
    return (_Written(None, ingress, "ipProtocol", ("cidrIpv4", "cidrIpv6"), "securityGroupId"),)


_INSIDE = (_Written("ingress", True), _Written("egress", False))
SECURITY_GROUPS = (
    "aws:ec2/securityGroup:SecurityGroup",
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
)
_RULES: Mapping[str, tuple[_Written, ...]] = {
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _separate(ingress=True),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _separate(ingress=False),
    "aws:ec2/securityGroupRule:SecurityGroupRule": (_Written(None, None, group="securityGroupId"),),
    **dict.fromkeys(SECURITY_GROUPS, _INSIDE),
}


def openings(resource: Resource) -> Iterator[Opening]:
    """The security group rules that a resource is or has; of an unknown list, none."""
    for written in _RULES.get(resource.type, ()):
        if written.within is None:
            yield _opening(resource.props, written)
        else:
            yield from (_opening(rule, written) for rule in entries(resource.props, written.within))


def _opening(rule: Mapping[str, Any], written: _Written) -> Opening:
    ingress = rule.get("type") == "ingress" if written.ingress is None else written.ingress
    protocol = str(rule.get(written.protocol)).lower()
    ends = (rule.get("fromPort"), rule.get("toPort"))
    known = [int(end) for end in ends if isinstance(end, int | float)]
    everything = protocol in ("-1", "all") or len(known) < 2
    networks = [network for name in written.networks for network in _listed(rule.get(name))]
    return Opening(
        ingress=ingress,
        ports=None if everything else (known[0], known[1]),
        tcp=protocol in ("-1", "all", "tcp", "6"),
        networks=tuple(networks),
        description=rule.get("description"),
        group=written.group,
    )


def _listed(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [entry for entry in values if isinstance(entry, str)]


def entries(props: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects in a list, or the one that is there; none of what is unknown."""
    given = props.get(name)
    values = given if isinstance(given, list) else [given]
    return [entry for entry in values if isinstance(entry, Mapping)]
