"""Which networks a preview lets into the cluster. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from chef_push_jobs.cli.review.preview_review import PreviewReview
from chef_push_jobs.engine.preview import UNKNOWN, Change, Op
from chef_push_jobs.model.flows import VRRP
from chef_push_jobs.model.shown import prose

INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"


def opened(subject: PreviewReview) -> Iterator[str]:
    """Rules that allow a network that was not allowed before.

    Excludes rules between the servers, also by a public address that AWS has yet to assign.
    """
    for change in subject.of(INGRESS):
        rule = change.after
        lets_in = change.op is not Op.DELETE and _peer(rule) not in ("", UNKNOWN)
        if lets_in and not _covers(change.before, rule):
            yield describe(change)


def describe(change: Change) -> str:
    rule = change.after or change.before
    first, last, protocol = rule.get("fromPort"), rule.get("toPort"), str(rule.get("ipProtocol", ""))
    if first in (None, -1):
        what = "VRRP" if protocol == VRRP else protocol.upper()
    else:
        what = f"{protocol.upper()} {first:.0f}" + ("" if first == last else f" to {last:.0f}")
    network = _peer(rule)
    if network == UNKNOWN:
        peer = "an address that AWS chooses"
    else:
        peer = "the whole internet" if network.endswith("/0") else network or "the cluster's own servers"
    return prose(f"{what} from {peer}: {rule.get('description', 'no reason given')}")


def _covers(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    if not _peer(old) or old.get("ipProtocol") != new.get("ipProtocol"):
        return False
    (first, last), (low, high) = (_ports(rule) for rule in (old, new))
    return first <= low and high <= last and _inside(_peer(new), _peer(old))


def _ports(rule: Mapping[str, Any]) -> tuple[float, float]:
    """The ports; all of them if the protocol has none."""
    first, last = (rule.get(name) for name in ("fromPort", "toPort"))
    return (0, 65535) if first in (None, -1) or last is None else (float(str(first)), float(last))


def _peer(rule: Mapping[str, Any]) -> str:
    """A network, or a prefix list; empty for the cluster's own groups."""
    return next((str(rule[name]) for name in ("cidrIpv4", "cidrIpv6", "prefixListId") if rule.get(name)), "")


def _inside(new: str, old: str) -> bool:
    try:
        inner, outer = ipaddress.ip_network(new, strict=False), ipaddress.ip_network(old, strict=False)
    except ValueError:  # a prefix list, whose contents are unknown
        return new == old
    return inner.version == outer.version and inner[0] in outer and inner[-1] in outer
