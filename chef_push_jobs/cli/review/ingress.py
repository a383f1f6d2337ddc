"""Which ways into the cluster a preview opens. Pure."""

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
    """Rules that let a network in where it was not let in before.

    Those between the servers are left out, also by a public address that AWS is yet to choose for one.
    """
    for change in subject.of(INGRESS):
        rule = change.after
        lets_in = change.op is not Op.DELETE and rule.get("cidrIpv4") not in (None, "", UNKNOWN)
        if lets_in and not _covers(change.before, rule):
            yield describe(change)


def describe(change: Change) -> str:
    rule = change.after or change.before
    first, last, protocol = rule.get("fromPort"), rule.get("toPort"), str(rule.get("ipProtocol", ""))
    if first in (None, -1):
        what = "VRRP" if protocol == VRRP else protocol.upper()
    else:
        what = f"{protocol.upper()} {first:.0f}" + ("" if first == last else f" to {last:.0f}")
    network = str(rule.get("cidrIpv4") or "")
    if network == UNKNOWN:
        peer = "an address that AWS chooses"
    else:
        peer = "the whole world" if network.endswith("/0") else network or "the cluster's own servers"
    return prose(f"{what} from {peer}: {rule.get('description', 'no reason given')}")


def _covers(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    if not old.get("cidrIpv4") or old.get("ipProtocol") != new.get("ipProtocol"):
        return False
    inside = ipaddress.IPv4Network(new["cidrIpv4"]).subnet_of(ipaddress.IPv4Network(old["cidrIpv4"]))
    return bool(inside and old["fromPort"] <= new["fromPort"] and new["toPort"] <= old["toPort"])
