"""`opscode-push-jobs-server-ctl reconfigure`: what the add-on's cookbook leaves on a server, in either generation.

Source: opscode-pushy-server 1.1.6 and 2.2.8, cookbook opscode-pushy-server, recipes/. Left out: its database.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from . import chef_server, keepalived, push_jobs_credentials, ruby, services
from .files import StandinError, directory, pretty, write
from .push_jobs_config import PATH, Generation, evaluate, settings

ETC = push_jobs_credentials.ETC
RUNNING = f"{ETC}/opscode-push-jobs-server-running.json"
VAR = "/var/opt/opscode-push-jobs-server"
BOOTSTRAPPED = f"{VAR}/bootstrapped"
SERVICE = "opscode-pushy-server"
RUN = """#!/bin/sh
exec /opt/opscode-push-jobs-server/embedded/service/opscode-pushy-server/bin/opscode-pushy-server
"""
UPSTREAMS = """#
# Pushy upstream definition
#
upstream opscode_pushy {{
    server {vip}:{api_port};
}}
"""
EXTERNAL = """# pushy status endpoint
location ~ "^/pushy/_status/?$" {
    proxy_pass http://opscode_pushy;
}
location ~ "^/organizations/[a-z0-9-_]+?/pushy/{0,1}" {
    proxy_redirect http://opscode_pushy /;
    proxy_pass http://opscode_pushy;
}
"""
CONFIG = """%% Stand-in: not read; the service reads opscode-push-jobs-server-running.json.
[{{pushy, [
          {{server_name, "{server_name}" }},
          {{heartbeat_interval, {heartbeat_interval} }},
          {{server_heartbeat_port, {server_heartbeat_port} }},
          {{command_port, {command_port} }},
          {{api_port, {api_port} }}
         ]}}].
"""
NOT_CONFIGURED = (
    "NoMethodError: undefined method `[]' for nil:NilClass: /etc/opscode/chef-server-running.json is missing, so the "
    "Chef server on this host is not configured: run chef-server-ctl reconfigure first"
)


def reconfigure(kind: Generation) -> int:
    """Configure the add-on on this host by its role."""
    directory(ETC, 0o775)
    running = chef_server.running_config()
    if running is None:
        raise StandinError(NOT_CONFIGURED)
    chef, name = running["private_chef"], chef_server.fqdn()
    path = Path(PATH)
    given = evaluate(ruby.read(path.read_text(encoding="utf-8"), PATH)) if path.exists() else {}
    pushy = settings(kind, chef, given, name)
    if os.path.exists(BOOTSTRAPPED):
        pushy["bootstrap"]["enable"] = False
    print(f"Starting Chef Client (stand-in): opscode-push-jobs-server {kind.version} on {name}", flush=True)
    user = chef["user"]["username"]
    if kind.shared_secrets:
        push_jobs_credentials.ensure_shared()
    else:
        push_jobs_credentials.ensure_own(user)
    directory(VAR, 0o755)
    _nginx(chef, pushy[SERVICE])
    if pushy["bootstrap"]["enable"]:
        write(BOOTSTRAPPED, "All your bootstraps are belong to Pushy", 0o600)
    write(f"{ETC}/pedant_config.rb", f'# Stand-in: not read.\npushy_server "{pushy[SERVICE]["vip"]}"\n', 0o755)
    document = pretty({"pushy": pushy, "run_list": ["recipe[opscode-pushy-server::default]"]})
    write(RUNNING, document, kind.running_mode, user)
    if pushy[SERVICE]["enable"]:
        _enable(kind, user, pushy[SERVICE], may_run=keepalived.is_data_master(chef))
    else:
        services.disable(SERVICE)
    print("opscode-push-jobs-server Reconfigured!")
    return 0


def _nginx(chef: dict[str, Any], pushy: dict[str, Any]) -> None:
    addons = f"{chef['nginx']['dir']}/etc/addon.d"
    write(f"{addons}/10-push_jobs_upstreams.conf", UPSTREAMS.format_map(pushy), 0o644)
    write(f"{addons}/10-push_jobs_external.conf", EXTERNAL, 0o644)


def _enable(kind: Generation, user: str, pushy: dict[str, Any], *, may_run: bool) -> None:
    """Define the service; where it may run, start it if it is down, restart it if its configuration is new."""
    config = f"{pushy['dir']}/{kind.config_name}"
    for path in (pushy["dir"], os.path.dirname(config), pushy["log_directory"]):
        directory(path, 0o700, user)
    name = pushy.get("server_name_advertised") or pushy["vip"]
    rendered = write(config, CONFIG.format(**{**pushy, "server_name": name}), 0o644)
    was_up = services.state(SERVICE)["pid"] != 0
    defined = services.define(SERVICE, RUN, ha=pushy["ha"])
    if not may_run or (was_up and not rendered and not defined):
        return
    if not services.control("restart" if was_up else "up", SERVICE):
        raise StandinError(f"{SERVICE} did not start: see {services.LOGS}/{SERVICE}/current")
