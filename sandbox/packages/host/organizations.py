"""`chef-server-ctl user-create`, `org-create` and their like: as pivotal, by the API of this server.

Source: chef-server-ctl/plugins/wrap-knife-opc.rb, and knife-opc's options.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .api_requests import Api, Refused
from .files import StandinError, write
from .running import ETC


def _api() -> Api:
    return Api("https://127.0.0.1", "pivotal", Path(f"{ETC}/pivotal.pem").read_text(encoding="ascii"))


def _ask(method: str, path: str, document: object = None) -> Any:
    try:
        return _api().ask(method, path, document)
    except Refused as refused:
        raise StandinError(f"ERROR: HTTP status {refused.status}: {refused}", 100) from None


def _options(*positional: str, **flags: str) -> Callable[[Sequence[str]], argparse.Namespace]:
    parser = argparse.ArgumentParser(prog="chef-server-ctl")
    for name in positional:
        parser.add_argument(name)
    for name, letter in flags.items():
        words = [f"-{letter}", *dict.fromkeys((f"--{name.replace('_', '-')}", f"--{name}"))]
        parser.add_argument(*words, dest=name, action="store_true" if name in ("yes", "admin") else "store")
    return parser.parse_args


def _keep(file: str | None, key: str) -> None:
    if file:
        write(file, key, 0o600)
    else:
        print(key, end="")


def _user_create(arguments: Sequence[str]) -> int:
    given = _options("username", "first_name", "last_name", "email", "password", filename="f")(arguments)
    document = {name: value for name, value in vars(given).items() if name != "filename"}
    document["display_name"] = f"{given.first_name} {given.last_name}"
    _keep(given.filename, _ask("POST", "/users", document)["private_key"])
    return 0


def _org_create(arguments: Sequence[str]) -> int:
    given = _options("name", "full_name", filename="f", association_user="a")(arguments)
    made = _ask("POST", "/organizations", {"name": given.name, "full_name": given.full_name})
    if given.association_user:
        _associate(given.name, given.association_user, admin=True)
    _keep(given.filename, made["private_key"])
    return 0


def _associate(org: str, user: str, *, admin: bool) -> None:
    _ask("POST", f"/organizations/{org}/users", {"username": user})
    if admin:
        group = _ask("GET", f"/organizations/{org}/groups/admins")
        actors = {kind: group[kind] for kind in ("users", "clients", "groups")}
        actors["users"] = sorted({*actors["users"], user})
        _ask("PUT", f"/organizations/{org}/groups/admins", {"groupname": "admins", "actors": actors})


def _org_user_add(arguments: Sequence[str]) -> int:
    given = _options("org", "user", admin="a")([*arguments])
    _associate(given.org, given.user, admin=bool(given.admin))
    return 0


def _list(path: str) -> Callable[[Sequence[str]], int]:
    def run(_: Sequence[str]) -> int:
        print("\n".join(["pivotal"] * (path == "/users") + sorted(_ask("GET", path))))
        return 0

    return run


def _delete(path: str) -> Callable[[Sequence[str]], int]:
    def run(arguments: Sequence[str]) -> int:
        given = _options("name", yes="y")(arguments)
        if not given.yes:
            raise StandinError(f"Do you really want to delete {given.name}? Say -y.")
        _ask("DELETE", f"{path}/{given.name}")
        return 0

    return run


COMMANDS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "user-create": _user_create,
    "user-delete": _delete("/users"),
    "user-list": _list("/users"),
    "org-create": _org_create,
    "org-delete": _delete("/organizations"),
    "org-list": _list("/organizations"),
    "org-user-add": _org_user_add,
}
