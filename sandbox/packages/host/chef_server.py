"""`chef-server-ctl reconfigure`: what of the private-chef cookbook's work push jobs, or a rollout, can see on a server.

Source: chef/chef-server 12.0.8, private-chef cookbook, recipes/default.rb, users.rb, keepalived.rb; secrets as from
12.14 on: 12.19.31, libraries/private_chef.rb. The services (postgresql, opscode-erchef, nginx) only sleep.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path
from typing import Any

from . import chef_config, keepalived, keys, ruby, secrets_file, services, vip
from .files import StandinError, directory, pretty, read_json, write

ETC = "/etc/opscode"
RUNNING = f"{ETC}/chef-server-running.json"
USER = "opscode"
SLEEP = "#!/bin/sh\n# Stand-in: {0} does nothing here but run.\nexec sleep infinity\n"
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
NO_SECRETS = (
    "Attempt to create secrets on non-bootstrap node in an H/A topology, please copy {etc}/* around instead.\n"
    "(In an H/A topology the secrets must be created on the bootstrap node.)"
)


def running_config() -> dict[str, Any] | None:
    return read_json(RUNNING) if os.path.exists(RUNNING) else None


def fqdn() -> str:
    done = subprocess.run(["hostname", "-f"], capture_output=True, text=True, check=False)
    if done.returncode != 0 or not done.stdout.strip():
        raise StandinError(f"cannot find this host's FQDN: hostname -f: {done.stderr.strip()}")
    return done.stdout.strip()


def reconfigure(*, veil: bool) -> int:
    """Configure this server; `veil` is whether secrets are kept as Chef server 12.14 and later keep them."""
    directory(ETC, 0o755)
    path = Path(chef_config.PATH)
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    config = chef_config.evaluate(ruby.read(text, chef_config.PATH))
    name = fqdn()
    print(f"Starting Chef Client (stand-in): {name}, topology {config.topology}", flush=True)
    chef = chef_config.running(config, name)
    secrets = _secrets(may_create=chef_config.is_bootstrap(config, name), veil=veil)
    _user()
    _keys(secrets, veil=veil)
    _directories(chef)
    _services(chef)
    write(RUNNING, pretty(_document(chef, secrets)), 0o600, USER)
    if chef["keepalived"]["enable"]:
        keepalived.configure()
        _elect(chef, bootstrap=chef["bootstrap"]["enable"])
        if keepalived.is_on_aws(chef):
            keepalived.start()
    print("Chef Server Reconfigured!")
    return 0


def _secrets(*, may_create: bool, veil: bool) -> secrets_file.Groups:
    groups = secrets_file.load()
    missing = [entry for entry in LEGACY_SECRETS if entry[1] not in groups.get(entry[0], {})]
    if missing and not may_create and not (veil and groups):
        raise StandinError(NO_SECRETS.format(etc=ETC), 44)
    if not veil:
        known = {group for group, _, _ in LEGACY_SECRETS}
        groups = {group: names for group, names in groups.items() if group in known}
    for group, name, length in missing:
        secrets_file.add(groups, group, name, keys.hexadecimal(length))
    secrets_file.save(groups, veil=veil)
    return groups


def _user() -> None:
    """The user of all services. `chef-server-ctl` makes it, not the package."""
    try:
        pwd.getpwnam(USER)
    except KeyError:
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/bin/sh"]
        subprocess.run([*command, "--home-dir", "/opt/opscode/embedded", USER], check=True, capture_output=True)


def _keys(secrets: secrets_file.Groups, *, veil: bool) -> None:
    """Each pair is made where its public half is missing; a private half always gets its owner and mode back."""
    for private, public in KEY_PAIRS:
        sentinel = private if private == "pivotal.pem" else public
        if not os.path.exists(f"{ETC}/{sentinel}"):
            key = keys.private_key()
            write(f"{ETC}/{private}", key, 0o600, USER)
            write(f"{ETC}/{public}", keys.public_key(key), 0o644)
        path = Path(f"{ETC}/{private}")
        write(str(path), path.read_text(encoding="ascii") if path.exists() else "", 0o600, USER)
    if veil:
        for name, private in (("superuser_key", "pivotal.pem"), ("webui_key", "webui_priv.pem")):
            secrets_file.add(secrets, "chef-server", name, Path(f"{ETC}/{private}").read_text(encoding="ascii"))
        secrets_file.save(secrets, veil=True)


def _directories(chef: dict[str, Any]) -> None:
    directory("/var/opt/opscode", 0o755)
    directory("/var/log/opscode", 0o755, USER, USER)
    nginx = chef["nginx"]["dir"]
    for path in (nginx, f"{nginx}/etc", f"{nginx}/etc/addon.d"):
        directory(path, 0o755)


def _services(chef: dict[str, Any]) -> None:
    """Enable the role's services; in an ha backend keepalived starts them, so nothing starts by itself."""
    is_backend = chef["role"] != "frontend"
    ha = chef["topology"] == "ha" and is_backend
    wanted = chef_config.SERVICES["backend" if is_backend else "frontend"]
    for name in wanted:
        services.define(name, SLEEP.format(name), ha=ha)
        if not ha and not services.control("up", name):
            raise StandinError(f"{name} did not start: see {services.LOGS}/{name}/current")
    for name in set(chef_config.SERVICES["backend"]) - set(wanted):
        services.disable(name)


def _document(chef: dict[str, Any], secrets: secrets_file.Groups) -> dict[str, Any]:
    """chef-server-running.json holds the secrets too, as the real one does: it is not for other eyes."""
    for group, names in secrets.items():
        if group not in ("push-jobs-server", "chef-server"):
            chef[group] = {**chef.get(group, {}), **names}
    runit = {"sv_dir": services.SV, "service_dir": services.ENABLED, "sv_bin": "/opt/opscode/embedded/bin/sv"}
    return {"private_chef": chef, "run_list": ["recipe[private-chef::default]"], "runit": runit}


def _elect(chef: dict[str, Any], *, bootstrap: bool) -> None:
    """At the first reconfigure of a backend: master on the bootstrap backend, unless another one is master already."""
    if keepalived.status() is not None:
        return
    address, device = chef["backend_vips"]["ipaddress"], chef["keepalived"]["vrrp_instance_ipaddress_dev"]
    become = "master" if bootstrap and not vip.held_elsewhere(address, device) else "backup"
    done = subprocess.run([keepalived.SCRIPT, become], capture_output=True, text=True, check=False)
    print(f"keepalived (stand-in): this backend is {become}")
    if done.returncode != 0:
        raise StandinError(f"{keepalived.SCRIPT} {become} failed: {(done.stdout + done.stderr).strip()}")
