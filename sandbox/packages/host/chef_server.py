"""`chef-server-ctl reconfigure`: what of the private-chef cookbook's work push jobs, or a rollout, can see on a server.

Source: chef/chef-server 12.0.8, private-chef cookbook, recipes/default.rb, users.rb, postgresql.rb, nginx.rb,
keepalived.rb; secrets as from 12.14 on: 12.19.31, libraries/private_chef.rb. PostgreSQL, nginx, keepalived and erchef
work; of the other services there are their TCP ports.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from . import accounts, chef_config, database, failover, keepalived, keys, nginx, ruby, secrets_file, services
from .chef_config import Core
from .files import StandinError, directory, pretty, write
from .running import ETC, RUNNING, USER, fqdn
from .services import Service

LIBRARY = "/opt/opscode/embedded/lib/chef_standin"
HOLD = f"#!/bin/sh\nexec 2>&1\nexec chpst -P -u {USER} /usr/bin/python3 -ISE {LIBRARY}/listen.py {{name}} {{where}}\n"
ERCHEF = "#!/bin/sh\nexec 2>&1\nexec chpst -P /opt/opscode/embedded/service/opscode-erchef/bin/oc_erchef\n"
# The ports of the services that nothing here asks anything. Those that frontends reach are on all addresses.
PORTS = {
    "oc_bifrost": "127.0.0.1 9463",
    "oc_id": "127.0.0.1 9090",
    "opscode-solr4": "0.0.0.0 8983",
    "opscode-expander": "127.0.0.1",
    "bookshelf": "0.0.0.0 4321",
    "redis_lb": "0.0.0.0 16379",
    "rabbitmq": "0.0.0.0 5672 15672",
}
KEY_PAIRS = (
    ("webui_priv.pem", "webui_pub.pem"),
    ("worker-private.pem", "worker-public.pem"),
    ("pivotal.pem", "pivotal.pub"),
)
LEGACY_SECRETS = (
    ("rabbitmq", "password", 100),
    ("rabbitmq", "jobs_password", 100),
    ("rabbitmq", "actions_password", 100),
    ("postgresql", "sql_password", 100),
    ("postgresql", "sql_ro_password", 100),
    ("oc_id", "sql_password", 100),
    ("oc_id", "secret_key_base", 100),
    ("drbd", "shared_secret", 60),
    ("keepalived", "vrrp_instance_password", 100),
    ("oc_bifrost", "superuser_id", 32),
    ("oc_bifrost", "sql_password", 100),
    ("oc_bifrost", "sql_ro_password", 100),
    ("bookshelf", "access_key_id", 40),
    ("bookshelf", "secret_access_key", 80),
)
VEIL_SECRETS = (*LEGACY_SECRETS, ("postgresql", "db_superuser_password", 60), ("opscode_erchef", "sql_password", 60))
NO_SECRETS = (
    "Attempt to create secrets on non-bootstrap node in an H/A topology, please copy {etc}/* around instead.\n"
    "(In an H/A topology the secrets must be created on the bootstrap node.)"
)


def reconfigure(core: Core) -> int:
    """Configure this server."""
    directory(ETC, 0o755)
    path = Path(chef_config.PATH)
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    config = chef_config.evaluate(ruby.read(text, chef_config.PATH))
    name = fqdn()
    print(f"Starting Chef Client (stand-in): {name}, topology {config.topology}", flush=True)
    chef = chef_config.running(config, name, core)
    if path.exists():
        path.chmod(0o600)  # as the real one, from 12.9.1 at the latest
    secrets = _secrets(may_create=chef_config.is_bootstrap(config, name), veil=core.veil)
    accounts.ensure(USER, "/opt/opscode/embedded")
    _keys(secrets, veil=core.veil)
    for folder in ("/var/opt/opscode", "/var/log/opscode"):
        directory(folder, 0o755, *([USER, USER] if folder.startswith("/var/log") else []))
    directory(services.ENABLED, 0o755)
    ha = bool(chef["keepalived"]["enable"])
    master = keepalived.is_data_master(chef, name)
    if ha:
        failover.enable(chef, master=master)
    changed = _configure_services(chef, secrets, master=master)
    _enable_services(chef, changed, core, master=master)
    if master:
        _databases(chef, secrets, core)
    write(RUNNING, pretty(_document(chef, secrets)), 0o600, USER)
    if master or not ha:
        services.restart(name for name in ("nginx", "opscode-erchef") if name in changed)
    if ha:
        keepalived.configure(chef["keepalived"], secrets["keepalived"]["vrrp_instance_password"])
    print("Chef Server Reconfigured!")
    return 0


def _secrets(*, may_create: bool, veil: bool) -> secrets_file.Groups:
    groups, wanted = secrets_file.load(), VEIL_SECRETS if veil else LEGACY_SECRETS
    missing = [entry for entry in wanted if entry[1] not in groups.get(entry[0], {})]
    if missing and not may_create and not (veil and groups):
        raise StandinError(NO_SECRETS.format(etc=ETC), 44)
    if not veil:
        for group in set(groups) - {group for group, _, _ in LEGACY_SECRETS}:
            del groups[group]
    for group, name, length in missing:
        made = secrets_file.derived(groups, group, name, length) if veil else keys.hexadecimal(length)
        secrets_file.add(groups, group, name, made)
    secrets_file.save(groups, veil=veil)
    return groups


def _keys(secrets: secrets_file.Groups, *, veil: bool) -> None:
    """Each pair is made where its public half is missing; a private half always gets its owner and mode back."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(_key_pair, KEY_PAIRS))
    if veil:
        for name, private in (("superuser_key", "pivotal.pem"), ("webui_key", "webui_priv.pem")):
            secrets_file.add(secrets, "chef-server", name, Path(f"{ETC}/{private}").read_text(encoding="ascii"))
        secrets_file.save(secrets, veil=True)


def _key_pair(names: tuple[str, str]) -> None:
    private, public = names
    sentinel = private if private == "pivotal.pem" else public
    if not os.path.exists(f"{ETC}/{sentinel}"):
        key = keys.private_key()
        write(f"{ETC}/{private}", key, 0o600, USER)
        write(f"{ETC}/{public}", keys.public_key(key), 0o644)
    path = Path(f"{ETC}/{private}")
    write(str(path), path.read_text(encoding="ascii") if path.exists() else "", 0o600, USER)


def _configure_services(chef: dict[str, Any], secrets: secrets_file.Groups, *, master: bool) -> list[str]:
    """The services whose configuration is new."""
    changed = ["nginx"] if nginx.configure(chef["nginx"]) else []
    if chef["role"] == "frontend":
        return changed
    settings = chef["postgresql"]
    accounts.ensure(settings["username"], settings["home"])
    database.prepare_directories(settings["home"], settings["dir"])
    if master:
        database.make_cluster(settings["data_dir"])
        networks = settings["md5_auth_cidr_addresses"]
        listen, port = settings["listen_address"], settings["port"]
        if database.configure(settings["data_dir"], listen=listen, port=port, networks=networks):
            changed.append("postgresql")
    return changed


def _enable_services(chef: dict[str, Any], changed: list[str], core: Core, *, master: bool) -> None:
    """Enable the role's services, and disable the other role's. In ha, keepalived moves those of a backend."""
    is_backend = chef["role"] != "frontend"
    wanted = chef_config.BACKEND_SERVICES if is_backend else chef_config.FRONTEND_SERVICES
    was_up = services.pid_of("postgresql") != 0
    changed += services.enable(_service(name, chef, core) for name in wanted)
    for name in set(chef_config.BACKEND_SERVICES) - set(wanted):
        services.disable(name)
    if is_backend and master:
        if not services.control("start", "postgresql"):
            raise StandinError(f"postgresql did not start: see {_log_of_postgresql(core)}/current")
        if was_up and "postgresql" in changed:
            services.control("restart", "postgresql")


def _log_of_postgresql(core: Core) -> str:
    return f"{services.LOGS}/postgresql/{core.postgresql}"


def _service(name: str, chef: dict[str, Any], core: Core) -> Service:
    ha = chef["topology"] == "ha" and chef["role"] == "backend"
    match name:
        case "postgresql":
            data, user = chef["postgresql"]["data_dir"], chef["postgresql"]["username"]
            check = database.CHECK if ha else ""
            run = database.RUN.format(user=user, data=data, sockets=database.SOCKETS, check=check)
            return Service(name, run, ha, control={"t": database.TERM}, log=_log_of_postgresql(core))
        case "nginx":
            return Service(name, nginx.RUN.format(dir=chef["nginx"]["dir"]), ha)
        case "opscode-erchef":
            return Service(name, ERCHEF, ha)
    return Service(name, HOLD.format(name=name, where=PORTS[name]), ha)


def _databases(chef: dict[str, Any], secrets: secrets_file.Groups, core: Core) -> None:
    database.wait()
    with database.local() as cursor:
        if core.superuser_by_tcp:
            password = secrets["postgresql"]["db_superuser_password"]
            database.ensure_user(cursor, database.SUPERUSER, password, superuser=True)
        database.ensure_database(cursor, database.SUPERUSER)
        user = chef["postgresql"]["sql_user"]
        database.ensure_user(cursor, user, secrets_file.of_erchef(secrets), superuser=False)
        database.ensure_database(cursor, user, owner=user)
    with database.local(user) as cursor:
        cursor.execute(f"SET ROLE {user}")
        cursor.execute(SCHEMA)


SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
  org text NOT NULL, kind text NOT NULL, name text NOT NULL, body jsonb NOT NULL, PRIMARY KEY (org, kind, name)
)
"""


def _document(chef: dict[str, Any], secrets: secrets_file.Groups) -> dict[str, Any]:
    """chef-server-running.json holds the secrets too, as the real one does: it is not for other eyes."""
    for group, names in secrets.items():
        if group not in ("push-jobs-server", "chef-server"):
            chef[group] = {**chef.get(group, {}), **names}
    runit = {"sv_dir": services.SV, "service_dir": services.ENABLED, "sv_bin": "/opt/opscode/embedded/bin/sv"}
    return {"private_chef": chef, "run_list": ["recipe[private-chef::default]"], "runit": runit}
