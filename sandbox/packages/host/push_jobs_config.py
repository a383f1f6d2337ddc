"""opscode-push-jobs-server.rb and chef-server-running.json -> the add-on's settings on this host. Pure.

Source: opscode-pushy-server 1.1.6 and 2.2.8, its cookbook, libraries/pushy_server.rb and attributes/default.rb.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .chef_config import assign
from .files import StandinError
from .ruby import Assignment, Call, Of

ETC = "/etc/opscode-push-jobs-server"
PATH = f"{ETC}/opscode-push-jobs-server.rb"
RUNNING = f"{ETC}/opscode-push-jobs-server-running.json"
SERVICE = "opscode-pushy-server"
VAR = "/var/opt/opscode-push-jobs-server"
SETTINGS = f"{VAR}/stand-in.json"  # what the service reads when it starts
MASHES = ["opscode_pushy_server", "postgresql", "bootstrap"]
NIL = "undefined method `[]' for nil:NilClass"
DEFAULTS = {
    "enable": True,
    "ha": False,
    "dir": "/var/opt/opscode-push-jobs-server/opscode-pushy-server",
    "log_directory": "/var/log/opscode/opscode-pushy-server",
    "heartbeat_interval": "1000",
    "zeromq_listen_address": "tcp://*",
    "vip": "127.0.0.1",
    "server_heartbeat_port": "10000",
    "command_port": "10002",
    "api_port": "10003",
    "down_threshold": "0.6",
    "decay_window": "4",
    "detect_offline_nodes_interval": "4",
    "validate_client_node_name": "true",
    "chef_api_version": "11.1.0",
}


@dataclass(frozen=True)
class Generation:
    """What differs between the packages that this source makes."""

    version: str
    defaults: dict[str, Any]
    shared_secrets: bool  # credentials in private-chef-secrets.json, not in /etc/opscode-push-jobs-server
    vip_can_be_set: bool
    running_mode: int
    config_name: str
    encrypts: bool  # the command socket
    database_everywhere: bool  # its reconfigure works on the database on every server, by TCP
    keeps_down: bool  # in ha, runit does not start the service by itself


def generation(version: str) -> Generation:
    if version.startswith("1."):
        return Generation(version, DEFAULTS, False, False, 0o644, "etc/app.config", False, False, False)
    newer = {**DEFAULTS, "heartbeat_interval": "10000", "max_body_size": 65536, "server_name_advertised": None}
    return Generation(version, newer, True, True, 0o600, "sys.config", True, True, True)


def evaluate(statements: list[Call | Assignment], node: dict[str, Any], path: str = PATH) -> dict[str, dict[str, Any]]:
    """The settings file's tables; `node.override` is that of the run. Unknown keys are kept, as in the real one."""
    tables: dict[str, dict[str, Any]] = {"node.override": {}}
    for statement in statements:
        if isinstance(statement, Call):
            raise StandinError(f"Error loading file: {path}:{statement.line}: undefined method `{statement.name}'")
        if statement.name == "node.override":
            _override(tables["node.override"], statement, node)
        else:
            assign(tables, MASHES, statement, path)
    return tables


def _override(table: dict[str, Any], statement: Assignment, node: dict[str, Any]) -> None:
    """Tables on the way are made, as Chef's node makes them."""
    if statement.only_if and _element(node, statement.only_if[0], statement) != statement.only_if[1]:
        return
    *outer, last = statement.keys
    for key in outer:
        table = table.setdefault(key, {})
    value = statement.value
    table[last] = _element(node, value, statement) if isinstance(value, Of) else value


def _element(node: dict[str, Any], of: Of, statement: Assignment) -> object:
    found: Any = node
    for key in of.keys:
        if found is None:
            raise StandinError(f"Error loading file: {PATH}:{statement.line}: {NIL}")
        found = found.get(key)
    return found


def overridden(chef: dict[str, Any], given: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Chef server's own settings as this run sees them."""
    return _merged(chef, given.get("node.override", {}).get("private_chef", {}))


def _merged(table: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    inner = {
        k: _merged(table[k], v) if isinstance(table.get(k), dict) and isinstance(v, dict) else v
        for k, v in over.items()
    }
    return {**table, **inner}


def settings(kind: Generation, chef: dict[str, Any], given: dict[str, dict[str, Any]], fqdn: str) -> dict[str, Any]:
    """The `pushy` part of opscode-push-jobs-server-running.json."""
    pushy = dict(given.get("opscode_pushy_server", {}))
    topology = chef["topology"]
    vip_moves = topology in ("ha", "tier")
    vip = chef["backend_vips"]["ipaddress"] if vip_moves else chef["lb"]["api_fqdn"]
    pushy["vip"] = (kind.vip_can_be_set and pushy.get("vip")) or vip
    bootstrap = {"enable": True, **given.get("bootstrap", {})}
    if vip_moves:
        pushy["ha"] = topology == "ha"
        if role(chef, fqdn) == "frontend":
            bootstrap["enable"] = pushy["enable"] = False
    pushy = {**kind.defaults, **pushy}
    if "server_name_advertised" in kind.defaults:
        pushy["server_name_advertised"] = pushy["server_name_advertised"] or pushy["vip"]
    database = {
        "database_name": "opscode_pushy",
        "sql_user": "opscode_pushy",
        "sql_ro_user": "opscode_pushy_ro",
        "db_superuser": chef["postgresql"]["db_superuser"],
        **given.get("postgresql", {}),
        "port": chef["postgresql"]["port"],
        "vip": chef["postgresql"]["vip"] if kind.database_everywhere or not vip_moves else vip,
    }
    return {"opscode-pushy-server": pushy, "postgresql": database, "bootstrap": bootstrap}


def role(chef: dict[str, Any], fqdn: str) -> str:
    """This host's role, looked up by FQDN alone."""
    if fqdn not in chef["servers"]:
        raise StandinError(f"NoMethodError: {NIL}: private_chef.servers in chef-server-running.json has no {fqdn}")
    found = chef["servers"][fqdn].get("role")
    if found not in ("backend", "frontend"):
        raise StandinError("RuntimeError: I don't have a role for you!  Use 'backend' or 'frontend'.")
    return str(found)
