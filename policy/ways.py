"""What forwards traffic to a port of a server: load balancers, accelerators, distributions. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policy.openings import EVERY_PORT
from policy.resources import UNKNOWN, Resource, at, entries, whole

NOT_TCP = ("UDP", "QUIC")


@dataclass(frozen=True)
class _Ports:
    """The properties with the first and the last port, in the entries at a path."""

    within: str
    first: str
    last: str


def _one(*properties: str, within: str = "") -> tuple[_Ports, ...]:
    return tuple(_Ports(within, each, each) for each in properties)


WAYS: Mapping[str, tuple[_Ports, ...]] = {
    **{f"aws:{lb}/listener:Listener": _one("port") for lb in ("lb", "alb", "vpclattice")},
    **{f"aws:{lb}/targetGroup:TargetGroup": _one("port") for lb in ("lb", "alb")},
    **{f"aws:{lb}/targetGroupAttachment:TargetGroupAttachment": _one("port") for lb in ("lb", "alb")},
    "aws:elb/loadBalancer:LoadBalancer": _one("lbPort", "instancePort", within="listeners"),
    "aws:vpclattice/targetGroup:TargetGroup": _one("port", within="config"),
    "aws:vpclattice/targetGroupAttachment:TargetGroupAttachment": _one("port", within="target"),
    "aws:vpclattice/resourceConfiguration:ResourceConfiguration": _one("portRanges"),
    "aws:globalaccelerator/listener:Listener": (_Ports("portRanges", "fromPort", "toPort"),),
    "aws:globalaccelerator/endpointGroup:EndpointGroup": _one("endpointPort", within="portOverrides"),
    "aws:globalaccelerator/customRoutingEndpointGroup:CustomRoutingEndpointGroup": (
        _Ports("destinationConfigurations", "fromPort", "toPort"),
    ),
    "aws:cloudfront/distribution:Distribution": _one("httpPort", "httpsPort", within="origins.customOriginConfig"),
    "aws:cloudfront/vpcOrigin:VpcOrigin": _one("httpPort", "httpsPort", within="vpcOriginEndpointConfig"),
}


def leads_to(resource: Resource) -> Iterator[tuple[int, int]]:
    """The port ranges (first, last) to which a resource forwards traffic."""
    if resource.props.get("protocol") in NOT_TCP:
        return
    for ports in WAYS.get(resource.type, ()):
        for entry in entries(resource.props, ports.within):
            for first, last in zip(at(entry, ports.first), at(entry, ports.last), strict=False):
                yield from _range(first, last)


def _range(first: object, last: object) -> Iterator[tuple[int, int]]:
    """An unreadable value may be any port; text may be a range such as `8000-8010`."""
    if UNKNOWN in (first, last):
        return
    if isinstance(first, str) and "-" in first:
        first, _, last = first.partition("-")
    ends = (whole(first), whole(last))
    yield EVERY_PORT if ends[0] is None or ends[1] is None else (ends[0], ends[1])
