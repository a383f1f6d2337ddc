"""chef-server.rb and a host's FQDN -> what chef-server-running.json holds. Pure but for
files that it includes; refuses what the real one refuses.

Sources: chef/chef-server 12.0.8, private-chef cookbook, libraries/private_chef.rb and attributes/default.rb.
Left out: every setting that neither push jobs nor the service supervision reads is kept as given, without defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import ruby
from .files import StandinError
from .ruby import Assignment, Call, Of, Value

PATH = "/etc/opscode/chef-server.rb"
TOPOLOGIES = ("standalone", "manual", "tier", "ha")
SETTINGS = (
    *("topology", "api_fqdn", "ip_version", "notification_email", "from_email", "default_orgname"),
    *("insecure_addon_compat", "fips", "use_chef_backend"),
)
MASHES = [
    "addons",
    "backup",
    "bookshelf",
    "bootstrap",
    "dark_launch",
    "data_collector",
    "drbd",
    "estatsd",
    "external_rabbitmq",
    "folsom_graphite",
    "ha",
    "haproxy",
    "keepalived",
    "lb",
    "lb_internal",
    "ldap",
    "license",
    "log_retention",
    "log_rotation",
    "nginx",
    "oc_bifrost",
    "oc_chef_authz",
    "oc_chef_pedant",
    "oc_id",
    "opscode_chef_mover",
    "opscode_erchef",
    "opscode_expander",
    "opscode_solr4",
    "postgresql",
    "profiles",
    "rabbitmq",
    "redis_lb",
    "required_recipe",
    "user",
]
FRONTEND_SERVICES = ("oc_bifrost", "oc_id", "opscode-erchef", "nginx")
BACKEND_SERVICES = (
    *("postgresql", "oc_bifrost", "oc_id", "opscode-solr4", "opscode-expander", "bookshelf", "opscode-erchef"),
    *("redis_lb", "nginx", "rabbitmq"),
)
SHARED = "/var/opt/opscode/drbd/data"  # where the volume that moves with the master is mounted


@dataclass(frozen=True)
class Core:
    """What differs between the packages of Chef server that this source makes."""

    version: str
    veil: bool
    postgresql: str
    superuser_by_tcp: bool

    @classmethod
    def of(cls, version: str) -> Core:
        newer = tuple(int(number) for number in version.split(".")[:2]) >= (12, 14)
        return cls(version, newer, "9.6" if newer else "9.2", newer)


@dataclass
class ChefConfig:
    settings: dict[str, Value] = field(default_factory=lambda: {"topology": "standalone"})
    servers: dict[str, dict[str, Value]] = field(default_factory=dict)
    backend_vip: dict[str, Value] = field(default_factory=dict)
    mashes: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def topology(self) -> str:
        return str(self.settings["topology"])


def evaluate(
    statements: list[Call | Assignment], path: str = PATH, read: Callable[[str], list[Call | Assignment]] | None = None
) -> ChefConfig:
    """Apply the statements of chef-server.rb in their order; `read` those of a file that it includes."""
    config = ChefConfig()
    _apply(config, statements, path, read or (lambda name: ruby.read(Path(name).read_text(encoding="utf-8"), name)))
    return config


def _apply(
    config: ChefConfig,
    statements: list[Call | Assignment],
    path: str,
    read: Callable[[str], list[Call | Assignment]],
) -> None:
    for statement in statements:
        if isinstance(statement, Assignment):
            assign(config.mashes, MASHES, statement, path)
        elif statement.name == "server":
            config.servers[_text(statement, path)] = statement.options
        elif statement.name == "backend_vip":
            config.backend_vip = {"fqdn": _text(statement, path), **statement.options}
        elif statement.name == "from_file":
            name = _text(statement, path)
            try:
                included = read(name)
            except OSError as error:
                raise StandinError(f"Error loading file: {path}:{statement.line}: {error.strerror} - {name}") from None
            _apply(config, included, name, read)
        elif statement.name in SETTINGS and not statement.options:
            config.settings[statement.name] = statement.value
        else:
            raise StandinError(f"Error loading file: {path}:{statement.line}: undefined method `{statement.name}'")


def assign(mashes: dict[str, dict[str, Any]], known: list[str], statement: Assignment, path: str) -> None:
    """`name['a']['b'] = value`; an inner table has to be there in Ruby, log_rotation always is."""
    if statement.name not in known:
        message = f"undefined local variable or method `{statement.name}'"
        raise StandinError(f"Error loading file: {path}:{statement.line}: {message}")
    if isinstance(statement.value, Of) or statement.only_if:
        raise StandinError(f"Error loading file: {path}:{statement.line}: undefined local variable or method `node'")
    *outer, last = statement.keys
    table = mashes.setdefault(statement.name, {})
    for key in outer:
        if key != "log_rotation":
            message = "undefined method `[]=' for nil:NilClass"
            raise StandinError(f"Error loading file: {path}:{statement.line}: {message}")
        table = table.setdefault(key, {})
    table[last] = statement.value


def _text(statement: Call, path: str) -> str:
    if not isinstance(statement.value, str):
        raise StandinError(f"Error loading file: {path}:{statement.line}: {statement.name} needs a name")
    return statement.value


def role_of(config: ChefConfig, fqdn: str) -> str:
    """backend or frontend; a standalone server has the role of a backend."""
    if config.topology not in TOPOLOGIES:
        message = f"I do not understand topology {config.topology} - try standalone, manual, ha, or tier."
        raise StandinError(message, 55)
    if config.topology in ("standalone", "manual"):
        return "backend"
    if fqdn not in config.servers:
        known = "\n  ".join(sorted(config.servers))
        raise StandinError(
            f"Please add a server section for {fqdn} to {PATH}!\n"
            f"Server configuration exists for the following hostnames:\n\n  {known}\n"
        )
    role = config.servers[fqdn].get("role")
    if role not in ("backend", "frontend"):
        raise StandinError("I dont have a role for you! Use 'backend' or 'frontend'.")
    return str(role)


def is_bootstrap(config: ChefConfig, fqdn: str) -> bool:
    """Whether this server may make the cluster's secrets."""
    return config.topology != "ha" or bool(config.servers[fqdn].get("bootstrap"))


def running(config: ChefConfig, fqdn: str, core: Core) -> dict[str, Any]:
    """The `private_chef` part of chef-server-running.json, without secrets."""
    role = role_of(config, fqdn)
    api_fqdn = config.settings.get("api_fqdn") or fqdn
    vip = _vip(config)
    chef: dict[str, Any] = {
        **{_key(name): table for name, table in config.mashes.items()},
        "topology": config.topology,
        "role": role if config.servers else None,
        "servers": config.servers,
        "backend_vips": vip,
        "bootstrap": {"enable": role == "backend" and is_bootstrap(config, fqdn)},
    }
    ha = config.topology == "ha" and role == "backend"
    place = f"/var/opt/opscode/postgresql/{core.postgresql}"
    alone = not config.servers
    _default(chef, "lb", api_fqdn=api_fqdn, web_ui_fqdn=api_fqdn)
    _default(chef, "nginx", dir="/var/opt/opscode/nginx", server_name=api_fqdn, url=f"https://{api_fqdn}")
    _default(chef, "nginx", ssl_port=443, non_ssl_port=80, ssl_protocols="TLSv1.2")
    _default(chef, "user", username="opscode", home="/opt/opscode/embedded")
    _default(
        chef,
        "postgresql",
        vip=vip["ipaddress"] if role == "frontend" else "127.0.0.1",
        port=5432,
        db_superuser="opscode-pgsql",
        username="opscode-pgsql",
        version=core.postgresql,
        home="/var/opt/opscode/postgresql",
        dir=place,
        data_dir=f"{SHARED}/postgresql_{core.postgresql}" if ha else f"{place}/data",
        listen_address="localhost" if alone else "*",
        md5_auth_cidr_addresses=["127.0.0.1/32", "::1/128"] if alone else ["0.0.0.0/0"],
        sql_user="opscode_chef",
    )
    _default(chef, "keepalived", enable=False, dir="/var/opt/opscode/keepalived")
    if ha:
        _check_provider(chef.setdefault("ha", {}))
        others = [server for name, server in config.servers.items() if server.get("role") == "backend" and name != fqdn]
        chef["keepalived"].update(
            enable=True,
            vrrp_instance_interface=vip["device"],
            vrrp_instance_ipaddress=vip["ipaddress_with_netmask"],
            vrrp_instance_ipaddress_dev=vip["device"],
            vrrp_instance_vrrp_unicast_bind=config.servers[fqdn]["ipaddress"],
            vrrp_instance_vrrp_unicast_peer=others[-1]["ipaddress"] if others else None,
        )
    return chef


def _check_provider(ha: dict[str, Any]) -> None:
    """`drbd` is the default. The real one needs a user's keys where the machine has no role."""
    provider = ha.setdefault("provider", "drbd")
    missing = [name for name in ("ebs_volume_id", "ebs_device") if not ha.get(name)]
    if provider == "aws" and missing:
        raise StandinError(f"ha['provider'] aws needs {' and '.join(missing)} in {PATH}")


def _key(name: str) -> str:
    """A table's name in chef-server-running.json."""
    return name if name.startswith("oc_") or name == "redis_lb" else name.replace("_", "-")


def _default(chef: dict[str, Any], name: str, **values: object) -> None:
    chef[name] = {**values, **chef.get(name, {})}


def _vip(config: ChefConfig) -> dict[str, Value]:
    """backend_vip, required where it is used; `ipaddress` loses a netmask that was given with it."""
    if config.topology not in ("tier", "ha"):
        return {}
    needed = ("ipaddress", "device") if config.topology == "ha" else ("ipaddress",)
    missing = [name for name in needed if not config.backend_vip.get(name)]
    if missing:
        names = " and ".join(f":{name}" for name in missing)
        raise StandinError(f"topology {config.topology} needs a backend_vip with {names} in {PATH}")
    address = str(config.backend_vip["ipaddress"])
    return {**config.backend_vip, "ipaddress": address.partition("/")[0], "ipaddress_with_netmask": address}
