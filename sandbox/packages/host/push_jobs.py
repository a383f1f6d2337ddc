"""`opscode-push-jobs-server-ctl reconfigure`: what the add-on's cookbook leaves on a server, in either generation.

Source: opscode-pushy-server 1.1.6 and 2.2.8, cookbook opscode-pushy-server, recipes/.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from psycopg2 import sql

from . import database, keepalived, push_jobs_credentials, ruby, secrets_file, services
from .files import StandinError, directory, pretty, write
from .push_jobs_config import ETC, PATH, RUNNING, SERVICE, SETTINGS, VAR, Generation, evaluate, overridden, settings
from .running import fqdn, running_config
from .services import Service

BOOTSTRAPPED = f"{VAR}/bootstrapped"
RUN = """#!/bin/sh
exec 2>&1
exec chpst -P /opt/opscode-push-jobs-server/embedded/service/opscode-pushy-server/bin/opscode-pushy-server
"""
UPSTREAMS = """upstream opscode_pushy {{
    server {vip}:{api_port};
}}
"""
EXTERNAL = """location ~ "^/pushy/_status/?$" {
    types { }
    default_type application/json;
    proxy_pass http://opscode_pushy;
}
location ~ "^/organizations/[a-z0-9-_]+?/pushy/{0,1}" {
    proxy_redirect http://opscode_pushy /;
    proxy_pass http://opscode_pushy;
}
"""
CONFIG = """%% Stand-in: not read; the service reads stand-in.json, which says the same.
[{{sqerl, [{{db_host, "{db_host}" }}, {{db_user, "{db_user}" }}{db_pass}]}},
 {{pushy, [
          {{server_name, "{server_name}" }},
          {{heartbeat_interval, {heartbeat_interval} }},
          {{server_heartbeat_port, {server_heartbeat_port} }},
          {{command_port, {command_port} }},
          {{api_port, {api_port} }},
          {{erchef_root_url, "https://{api_fqdn}" }}
         ]}}].
"""
SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
  id char(32) PRIMARY KEY, org text NOT NULL, command text NOT NULL, status text NOT NULL,
  created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, body jsonb NOT NULL
)
"""
GRANTS = (
    "GRANT {connect} ON DATABASE {database} TO {user}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO {user}",
    "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO {user}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {sequences} ON SEQUENCES TO {user}",
    "GRANT {sequences} ON ALL SEQUENCES IN SCHEMA public TO {user}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {tables} ON TABLES TO {user}",
    "GRANT {tables} ON ALL TABLES IN SCHEMA public TO {user}",
)
ACCESS = {
    "sql_user": {
        "connect": "CONNECT, TEMPORARY",
        "tables": "INSERT, SELECT, UPDATE, DELETE",
        "sequences": "SELECT, UPDATE",
    },
    "sql_ro_user": {"connect": "CONNECT", "tables": "SELECT", "sequences": "SELECT"},
}
PASSWORDS = {"sql_user": "sql_password", "sql_ro_user": "sql_ro_password"}
NOT_CONFIGURED = (
    "NoMethodError: undefined method `[]' for nil:NilClass: /etc/opscode/chef-server-running.json is missing, so the "
    "Chef server on this host is not configured: run chef-server-ctl reconfigure first"
)


def reconfigure(kind: Generation) -> int:
    """Configure the add-on on this host by its role."""
    directory(ETC, 0o775)
    running = running_config()
    if running is None:
        raise StandinError(NOT_CONFIGURED)
    chef, name = running["private_chef"], fqdn()
    path = Path(PATH)
    given = evaluate(ruby.read(path.read_text(encoding="utf-8"), PATH), running) if path.exists() else {}
    chef = overridden(chef, given)
    pushy = settings(kind, chef, given, name)
    if os.path.exists(BOOTSTRAPPED):
        pushy["bootstrap"]["enable"] = False
    print(f"Starting Chef Client (stand-in): opscode-push-jobs-server {kind.version} on {name}", flush=True)
    user, master = chef["user"]["username"], keepalived.is_data_master(chef, name)
    if kind.shared_secrets:
        push_jobs_credentials.ensure_shared()
    else:
        push_jobs_credentials.ensure_own(user)
        pushy["postgresql"].update(push_jobs_credentials.passwords(shared=False))
    directory(VAR, 0o755)
    _database(kind, pushy["postgresql"], master=master)
    secondary = chef["topology"] == "ha" and chef["role"] == "backend" and not master
    nginx_changed = _nginx(chef, pushy[SERVICE])
    changed = False
    if pushy[SERVICE]["enable"]:
        changed = _enable(kind, user, chef, pushy)
        if pushy["bootstrap"]["enable"] and not services.control("start", SERVICE):
            raise StandinError(f"{SERVICE} did not start: see {services.LOGS}/{SERVICE}/current")
    if pushy["bootstrap"]["enable"]:
        write(BOOTSTRAPPED, "All your bootstraps are belong to Pushy", 0o600)
    write(f"{ETC}/pedant_config.rb", f'# Stand-in: not read.\npushy_server "{pushy[SERVICE]["vip"]}"\n', 0o755)
    document = pretty({"pushy": pushy, "run_list": ["recipe[opscode-pushy-server::default]"]})
    write(RUNNING, document, kind.running_mode, user)
    # What was notified comes at the end of the run.
    if nginx_changed and not secondary and services.pid_of("nginx"):
        services.control("restart", "nginx")
    if changed and master and not services.control("restart", SERVICE):
        raise StandinError(f"{SERVICE} did not start: see {services.LOGS}/{SERVICE}/current")
    print("opscode-push-jobs-server Reconfigured!")
    return 0


# The database


def _database(kind: Generation, settings: Mapping[str, Any], *, master: bool) -> None:
    """1.x: on the master, by its socket; a user that is there keeps its password. Later: everywhere, by TCP."""
    name, passwords = settings["database_name"], push_jobs_credentials.passwords(shared=kind.shared_secrets)
    if kind.database_everywhere:
        superuser = secrets_file.load()["postgresql"]["db_superuser_password"]

        def connected(database_name: str) -> AbstractContextManager[Any]:
            where = (settings["vip"], settings["port"], settings["db_superuser"], superuser)
            return database.remote(*where, database_name)

        with connected("template1") as cursor:
            for user, secret in PASSWORDS.items():
                database.ensure_user(cursor, settings[user], passwords[secret], superuser=False)
            database.ensure_database(cursor, name, owner=settings["sql_user"])
        with connected(name) as cursor:
            cursor.execute(SCHEMA)
            for user, access in ACCESS.items():
                _grant(cursor, name, settings[user], access)
    elif master:
        with database.local() as cursor:
            database.ensure_database(cursor, name)
        with database.local(name) as cursor:
            cursor.execute(SCHEMA)
            for user, secret in PASSWORDS.items():
                if not database.user_exists(cursor, settings[user]):
                    database.ensure_user(cursor, settings[user], passwords[secret], superuser=True)


def _grant(cursor: Any, name: str, user: str, access: Mapping[str, str]) -> None:
    words = {key: sql.SQL(value) for key, value in access.items()}
    for statement in GRANTS:
        cursor.execute(sql.SQL(statement).format(database=sql.Identifier(name), user=sql.Identifier(user), **words))


# The services


def _nginx(chef: dict[str, Any], pushy: dict[str, Any]) -> bool:
    addons = f"{chef['nginx']['dir']}/etc/addon.d"
    files = {"upstreams": UPSTREAMS.format_map(pushy), "external": EXTERNAL}
    new = [write(f"{addons}/10-push_jobs_{name}.conf", text, 0o644) for name, text in files.items()]
    return any(new)


def _enable(kind: Generation, user: str, chef: dict[str, Any], pushy: dict[str, Any]) -> bool:
    """Define the service, which starts where it never was; whether its configuration is new."""
    settings, postgresql = pushy[SERVICE], pushy["postgresql"]
    config = f"{settings['dir']}/{kind.config_name}"
    for path in (settings["dir"], os.path.dirname(config), settings["log_directory"]):
        directory(path, 0o700, user)
    values = {
        **settings,
        "server_name": settings.get("server_name_advertised") or settings["vip"],
        "db_host": postgresql["vip"],
        "db_user": postgresql["sql_user"],
        "db_pass": "" if kind.shared_secrets else f', {{db_pass, "{postgresql["sql_password"]}" }}',
        "api_fqdn": chef["lb"]["api_fqdn"],
    }
    changed = write(config, CONFIG.format_map(values), 0o644)
    read = {"settings": settings, "postgresql": postgresql, "erchef_root_url": f"https://{chef['lb']['api_fqdn']}"}
    write(SETTINGS, pretty(read), 0o600)
    service = Service(SERVICE, RUN, settings["ha"], down=kind.keeps_down, log=settings["log_directory"])
    services.enable([service])
    return changed
