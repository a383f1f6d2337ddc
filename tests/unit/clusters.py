"""Clusters for the unit tests: settings by a few words, and random topologies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from chef_push_jobs.config.settings import Settings
from chef_push_jobs.model.topology import Kind, Topology, numbered, topology
from chef_push_jobs.runbook.plan import StackPlan
from chef_push_jobs.runbook.stack import load_settings

ROOT = Path(__file__).parent / "files"
PUSH_JOBS = "opscode-push-jobs-server_2.2.8-1_amd64.deb"
SHA256 = "3b" * 32
DEFAULTS: dict[str, Any] = {
    "topology": "ha",
    "domain": "chef.test",
    "backends": "2",
    "frontends": "2",
    "clientCidrs": ["10.1.0.0/24"],
    "operatorCidrs": ["10.8.0.0/24"],
    "ssh": {"keyName": "operators"},
    "highAvailability": {"provider": "aws"},
    "pushJobs": {"package": {"url": f"https://packages.test/{PUSH_JOBS}", "sha256": SHA256}},
}


def raw(changes: Mapping[str, Any]) -> dict[str, str]:
    """As Pulumi gives a stack's configuration; a change to None takes a setting out, one with dots goes inside."""
    given = json.loads(json.dumps(DEFAULTS))
    made = changes.get("servers") is None
    if (changes.get("topology", "ha") != "ha" or not made) and not any("highAvailability" in path for path in changes):
        del given["highAvailability"]  # only two backends that are made have it
    if "network.vpcId" in changes or "vpcId" in changes.get("network", {}):
        given.get("highAvailability", {}).setdefault("vip", "10.0.0.200")  # free there, as its owner knows
    for path, value in changes.items():
        *parents, last = path.split(".")
        section = given
        for parent in parents:
            section = section.setdefault(parent, {})
        if value is None:
            section.pop(last, None)
        else:
            section[last] = value
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in given.items()}


def settings(**changes: Any) -> Settings:
    """Dots in a setting's path are written as two underscores."""
    return stack(**changes).settings


def stack(**changes: Any) -> StackPlan:
    return load_settings(raw({path.replace("__", "."): value for path, value in changes.items()}), ROOT)


def of(cluster: Topology) -> StackPlan:
    """A stack of as many servers."""
    counts = {"backends": str(len(cluster.backends)), "frontends": str(len(cluster.frontends))}
    return stack(topology=str(cluster.kind), **counts)


EXISTING = {  # a tier of servers that exist already
    "topology": "tier",
    "servers": [
        {"name": f"{role}-0", "fqdn": f"{role}-0.test", "role": role, "address": address}
        for role, address in (("backend", "10.0.0.4"), ("frontend", "10.0.0.5"))
    ],
    **dict.fromkeys(("domain", "backends", "frontends", "ssh__keyName")),
}


@st.composite
def topologies(draw: st.DrawFn, most: int = 200) -> Topology:
    """From one server to 2 + `most`."""
    kind = draw(st.sampled_from(Kind))
    backends = 2 if kind is Kind.HA else 1
    frontends = 0 if kind is Kind.STANDALONE else draw(st.integers(1, most))
    return topology(kind, numbered(backends, frontends, "chef.test"))
