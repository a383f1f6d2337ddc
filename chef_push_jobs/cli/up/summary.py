"""What a rollout prints at its end: addresses of the servers, the entry, and the test's result. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chef_push_jobs.cli.server_names import counted

PORTS = {"server_heartbeat_port": "heartbeat", "command_port": "commands", "api_port": "API"}


def summary(outputs: Mapping[str, Any]) -> Iterator[str]:
    """One line each; nothing if a failed rollout has no outputs yet."""
    servers = _mapping(outputs.get("servers"))
    rows = {name: _mapping(servers[name]) for name in counted(servers)}
    addresses = {name: str(row.get("address", "?")) for name, row in rows.items()}
    wide, wider = max(map(len, rows), default=0), max(map(len, addresses.values()), default=0)
    for name, row in rows.items():
        yield f"{name:<{wide}}  {addresses[name]:<{wider}}  {row.get('fqdn', '?')}"
    if bastion := _mapping(outputs.get("bastion")):
        yield f"bastion: {bastion.get('user', '?')}@{bastion.get('host', '?')}, port {bastion.get('port', '?')}"
    if entry := _mapping(outputs.get("entry")):
        balancer = entry.get("loadBalancer")
        yield f"entry: https://{entry.get('apiFqdn', '?')}" + (f", load balancer {balancer}" if balancer else "")
    if vip := outputs.get("vip"):
        yield f"address of the backends: {vip}"
    if ports := _mapping(outputs.get("ports")):
        named = [f"{what} {ports[key]}" for key, what in PORTS.items() if key in ports]
        yield f"ports of push jobs: {', '.join(named)}"
    if test := outputs.get("test"):
        yield f"test: {test}"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
