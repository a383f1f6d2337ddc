"""The add-on's credentials: where each generation keeps them, makes them when they are missing, and moves the old ones.

1.x, in /etc/opscode-push-jobs-server: opscode-push-jobs-server-secrets.json (0600 root), pushy_priv.pem (0600 opscode),
pushy_pub.pem (0644 root). From 2.2, group `push-jobs-server` of /etc/opscode/private-chef-secrets.json: sql_password,
sql_ro_password, pushy_priv_key, pushy_pub_key. Sources: the cookbook's libraries/pushy_server.rb and recipes/default.rb
of 1.1.6, libraries/secrets.rb of 2.2.8.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from . import keys, secrets_file
from .files import StandinError, pretty, read_json, remove, write
from .push_jobs_config import ETC

SECRETS = f"{ETC}/opscode-push-jobs-server-secrets.json"
PRIVATE = f"{ETC}/pushy_priv.pem"
PUBLIC = f"{ETC}/pushy_pub.pem"
GROUP = "push-jobs-server"
PASSWORDS = ("sql_password", "sql_ro_password")


@dataclass(frozen=True)
class Credentials:
    private: str
    public: str
    password: str  # of the service's database user


def ensure_own(user: str) -> None:
    """1.x: make what is missing. A public key without its private one gives an empty private key, as it really does."""
    existing = read_json(SECRETS).get("postgresql", {}) if os.path.exists(SECRETS) else {}
    passwords = {name: existing.get(name) or keys.hexadecimal(100) for name in PASSWORDS}
    write(SECRETS, pretty({"postgresql": passwords}), 0o600)
    private, public = (_text(path) for path in (PRIVATE, PUBLIC))
    if not public:
        private = keys.private_key()
        public = keys.public_key(private)
    write(PUBLIC, public, 0o644)
    write(PRIVATE, private, 0o600, user)


def ensure_shared() -> None:
    """2.2 and later: move what 1.x left, make what is missing. What is there already wins over what is moved."""
    groups = secrets_file.load()
    if os.path.exists(SECRETS):
        _migrate(groups)
    pivotal = _text("/etc/opscode/pivotal.pem")
    if pivotal:
        secrets_file.add(groups, "chef-server", "superuser_key", pivotal)
    for name in PASSWORDS:
        secrets_file.add(groups, GROUP, name, secrets_file.derived(groups, GROUP, name, 50))
    if "pushy_priv_key" not in groups[GROUP]:
        groups[GROUP]["pushy_priv_key"] = keys.private_key()
    secrets_file.add(groups, GROUP, "pushy_pub_key", keys.public_key(groups[GROUP]["pushy_priv_key"]))
    secrets_file.save(groups, veil=True)


def _migrate(groups: secrets_file.Groups) -> None:
    for names in read_json(SECRETS).values():
        for name, value in names.items():
            secrets_file.add(groups, GROUP, name, value)
    for name, path in (("pushy_priv_key", PRIVATE), ("pushy_pub_key", PUBLIC)):
        if _text(path):
            secrets_file.add(groups, GROUP, name, _text(path))
    secrets_file.save(groups, veil=True)
    for path in (PRIVATE, PUBLIC, SECRETS):
        remove(path)


def superuser_key(*, shared: bool) -> str:
    """The key of pivotal, as which the service asks erchef."""
    return secrets_file.load()["chef-server"]["superuser_key"] if shared else _text("/etc/opscode/pivotal.pem")


def passwords(*, shared: bool) -> dict[str, str]:
    """Of the database's users, by PASSWORDS."""
    found = secrets_file.load().get(GROUP, {}) if shared else read_json(SECRETS)["postgresql"]
    return {name: found[name] for name in PASSWORDS}


def load(*, shared: bool) -> Credentials:
    """The credentials of this host; StandinError when there are none, or when this user may not read them."""
    try:
        if shared:
            names = secrets_file.load().get(GROUP, {})
            found = Credentials(
                names.get("pushy_priv_key", ""), names.get("pushy_pub_key", ""), names.get(PASSWORDS[0], "")
            )
        else:
            found = Credentials(_text(PRIVATE), _text(PUBLIC), "")
    except PermissionError as error:
        raise StandinError(f"cannot read {error.filename}: permission denied") from None
    where = f"{secrets_file.PATH} ({GROUP})" if shared else f"{PRIVATE} and {PUBLIC}"
    if not found.private or not found.public:
        raise StandinError(f"no push jobs credentials in {where}")
    return found


def _text(path: str) -> str:
    return Path(path).read_text(encoding="ascii") if os.path.exists(path) else ""
