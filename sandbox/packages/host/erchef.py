"""The Chef API, as far as push jobs, its clients and its test ask it: organizations, users, clients, groups.

Everything is in PostgreSQL, so that each server of a cluster answers alike. Left out: nodes, roles, cookbooks, and
authorization but for this: who is no member of an organization is refused there.
Sources: chef/chef-server, oc_erchef: chef_wm_* resources; chef_wm_status.erl.
"""

from __future__ import annotations

import json
import signal
import socket
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from . import accounts, api_requests, http_service, keys, secrets_file
from .api_requests import Refused
from .files import StandinError, read_json
from .http_service import Answer, Request
from .running import ETC, RUNNING, USER

PORT = 8000
SUPERUSER = "pivotal"
GLOBAL = ""  # the organization of what belongs to none
# Groups that every organization has.
GROUPS = ("admins", "billing-admins", "clients", "users")
VERSIONS = {"min_version": "0", "max_version": "1"}


@dataclass(frozen=True)
class Requestor:
    name: str
    kind: str  # "user" or "client"
    public: str


class Store:
    """Objects by organization, kind and name; one connection, made anew when it breaks."""

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._connection: Any = None
        self._lock = threading.Lock()

    def _run(self, statement: str, *values: object) -> tuple[int, list[Any]]:
        """The number of rows, and those that are read. A connection that broke since it was used last is made anew."""
        with self._lock:
            while True:
                is_new = self._connection is None
                try:
                    if self._connection is None:
                        self._connection = psycopg2.connect(connect_timeout=2, tcp_user_timeout=5000, **self._options)
                        self._connection.autocommit = True
                    with self._connection.cursor() as cursor:
                        cursor.execute(statement, values)
                        return cursor.rowcount, cursor.fetchall() if cursor.description else []
                except psycopg2.OperationalError as error:
                    self._connection = None
                    if is_new:
                        raise Refused(500, f"database: {str(error).strip()}") from None

    def get(self, org: str, kind: str, name: str) -> dict[str, Any] | None:
        _, found = self._run("SELECT body FROM objects WHERE (org, kind, name) = (%s, %s, %s)", org, kind, name)
        return dict(found[0][0]) if found else None

    def put(self, org: str, kind: str, name: str, body: dict[str, Any]) -> None:
        kept = "ON CONFLICT (org, kind, name) DO UPDATE SET body = excluded.body"
        self._run(f"INSERT INTO objects VALUES (%s, %s, %s, %s) {kept}", org, kind, name, json.dumps(body))  # noqa: S608

    def delete(self, org: str, kind: str | None = None, name: str | None = None) -> None:
        chosen = "org = %s AND (%s IS NULL OR kind = %s) AND (%s IS NULL OR name = %s)"
        self._run(f"DELETE FROM objects WHERE {chosen}", org, kind, kind, name, name)  # noqa: S608

    def names(self, org: str, kind: str) -> list[str]:
        _, found = self._run("SELECT name FROM objects WHERE (org, kind) = (%s, %s) ORDER BY name", org, kind)
        return [row[0] for row in found]


class Erchef:
    def __init__(self, chef: dict[str, Any], store: Store, superuser: str, *, version: str) -> None:
        self.chef, self.store, self.version = chef, store, version
        self.url, self.superuser = str(chef["nginx"]["url"]), superuser

    def answer(self, request: Request) -> Answer:
        match request.parts:
            case ["_status"]:
                return self._status()
            case ["organizations", org, "principals", name] if request.method == "GET":
                return self._principal(org, name)
            case ["organizations"]:
                self._superuser(request)
                return self._organizations(request)
            case ["users", *rest]:
                self._superuser(request)
                return self._users(request, *rest)
            case ["organizations", org]:
                self._member(request, org)
                return self._organization(request, org)
            case ["organizations", org, ("clients" | "groups" | "users") as kind, *rest]:
                self._member(request, org)
                found = {"clients": self._clients, "groups": self._groups, "users": self._org_users}[kind]
                return found(request, org, *rest)
        raise Refused(404, "not implemented by the stand-in")

    # Who asks

    def _requestor(self, request: Request, org: str) -> Requestor:
        if wrong := api_requests.malformed(request.headers):
            raise Refused(401, wrong)
        name = str(request.headers["X-Ops-UserId"])
        for found in self._known(org, name):
            if api_requests.verifies(request.headers, request.method, request.path, request.body, found.public):
                return found
        raise Refused(401, f"Invalid signature for user or client '{name}'")

    def _known(self, org: str, name: str) -> Iterator[Requestor]:
        if name == SUPERUSER:
            yield Requestor(name, "user", self.superuser)
        for place, kind in ((GLOBAL, "user"), (org, "client")):
            if found := self.store.get(place, kind, name):
                yield Requestor(name, kind, str(found["public_key"]))

    def _superuser(self, request: Request) -> None:
        if self._requestor(request, GLOBAL).name != SUPERUSER:
            raise Refused(403, "missing create permission")

    def _member(self, request: Request, org: str) -> None:
        self._org(org)
        requestor = self._requestor(request, org)
        if requestor.name != SUPERUSER and requestor.kind == "user" and not self._associated(org, requestor.name):
            raise Refused(403, f"'{requestor.name}' not associated with organization '{org}'")

    def _associated(self, org: str, name: str) -> bool:
        return self.store.get(org, "member", name) is not None

    def _org(self, org: str) -> dict[str, Any]:
        found = self.store.get(GLOBAL, "org", org)
        if found is None:
            raise Refused(404, f"organization '{org}' does not exist.")
        return found

    # What is asked

    def _status(self) -> Answer:
        """Each thing that it needs, by a connection to it."""
        upstreams = {name: "pong" if _listens(*where) else "fail" for name, where in self._upstreams().items()}
        ok = set(upstreams.values()) == {"pong"}
        return Answer(200 if ok else 500, {"status": "pong" if ok else "fail", "upstreams": upstreams})

    def _upstreams(self) -> dict[str, tuple[str, int]]:
        back = str(self.chef["postgresql"]["vip"])
        found = {"chef_solr": (back, 8983), "chef_sql": (back, 5432), "oc_chef_authz": ("127.0.0.1", 9463)}
        newer = {"chef_index": (back, 15672), "oc_chef_action": (back, 15672)}
        return found if self.version.startswith("12.0.") else {**found, **newer}

    def _principal(self, org: str, name: str) -> Answer:
        """Unsigned, as the real one: everybody may know public keys."""
        spoken = {**VERSIONS, "request_version": "1", "response_version": "1"}
        version = {"X-Ops-Server-API-Version": json.dumps(spoken)}
        if self.store.get(GLOBAL, "org", org) is None:
            return Answer(404, {"not_found": "org", "error": "Cannot find org"}, version)
        found = [
            {
                "name": known.name,
                "type": known.kind,
                "public_key": known.public,
                "authz_id": uuid.uuid5(uuid.NAMESPACE_OID, f"{org}/{known.kind}/{name}").hex,
                "org_member": known.kind == "client" or self._associated(org, name),
            }
            for known in self._known(org, name)
        ]
        if not found:
            return Answer(404, {"not_found": "principal", "error": "Cannot find principal"}, version)
        return Answer(200, {"principals": found}, version)

    def _organizations(self, request: Request) -> Answer:
        if request.method == "GET":
            names = self.store.names(GLOBAL, "org")
            return Answer(200, {name: f"{self.url}/organizations/{name}" for name in names})
        given = request.document()
        name = str(given["name"])
        if self.store.get(GLOBAL, "org", name):
            raise Refused(409, "Organization already exists")
        guid = uuid.uuid4().hex
        self.store.put(GLOBAL, "org", name, {"name": name, "full_name": given.get("full_name", name), "guid": guid})
        for group in GROUPS:
            self.store.put(name, "group", group, {"users": [], "clients": [], "groups": []})
        validator = f"{name}-validator"
        private = self._new_client(name, validator, {})
        return Answer(201, {"uri": f"{self.url}/organizations/{name}", "clientname": validator, **private})

    def _organization(self, request: Request, org: str) -> Answer:
        found = self._org(org)
        if request.method == "DELETE":
            self.store.delete(org)
            self.store.delete(GLOBAL, "org", org)
        return Answer(200, found)

    def _users(self, request: Request, name: str = "") -> Answer:
        if request.method == "POST":
            given = request.document()
            name = str(given.get("username") or given["name"])
            if self.store.get(GLOBAL, "user", name):
                raise Refused(409, "Conflict: that username already exists")
            public, private = _key_pair(given)
            kept = {key: value for key, value in given.items() if key != "password"}
            self.store.put(GLOBAL, "user", name, {**kept, "public_key": public})
            return Answer(201, {"uri": f"{self.url}/users/{name}", **private})
        if not name:
            names = self.store.names(GLOBAL, "user")
            return Answer(200, {each: f"{self.url}/users/{each}" for each in names})
        return self._object(request, GLOBAL, "user", name)

    def _org_users(self, request: Request, org: str, name: str = "") -> Answer:
        if request.method == "POST":
            name = str(request.document()["username"])
            if not self.store.get(GLOBAL, "user", name):
                raise Refused(404, f"Could not find user {name}")
            self.store.put(org, "member", name, {"username": name})
            self._add(org, "users", "users", name)
            return Answer(201, {"uri": f"{self.url}/organizations/{org}/users/{name}"})
        if not name:
            return Answer(200, [{"user": {"username": each}} for each in self.store.names(org, "member")])
        return self._object(request, org, "member", name)

    def _clients(self, request: Request, org: str, name: str = "") -> Answer:
        if request.method == "POST":
            given = request.document()
            name = str(given["name"])
            if self.store.get(org, "client", name):
                raise Refused(409, "Client already exists")
            private = self._new_client(org, name, given)
            return Answer(201, {"uri": f"{self.url}/organizations/{org}/clients/{name}", **private})
        if not name:
            return self._listed(org, "client")
        return self._object(request, org, "client", name)

    def _new_client(self, org: str, name: str, given: dict[str, Any]) -> dict[str, str]:
        """Its private key, where that is made here."""
        public, private = _key_pair(given)
        self.store.put(org, "client", name, {"name": name, "public_key": public})
        self._add(org, "clients", "clients", name)
        return private

    def _listed(self, org: str, kind: str) -> Answer:
        names = self.store.names(org, kind)
        return Answer(200, {name: f"{self.url}/organizations/{org}/{kind}s/{name}" for name in names})

    def _groups(self, request: Request, org: str, name: str = "") -> Answer:
        if request.method == "POST":
            given = request.document()
            name = str(given.get("groupname") or given["id"])
            if self.store.get(org, "group", name):
                raise Refused(409, "Group already exists")
            self.store.put(org, "group", name, {"users": [], "clients": [], "groups": []})
            return Answer(201, {"uri": f"{self.url}/organizations/{org}/groups/{name}"})
        if not name:
            return self._listed(org, "group")
        if request.method == "PUT":
            self._found(org, "group", name)
            actors = request.document().get("actors", {})
            members = {key: list(actors.get(key, [])) for key in ("users", "clients", "groups")}
            self.store.put(org, "group", name, members)
        answer = self._object(request, org, "group", name)
        actors = [*answer.document["users"], *answer.document["clients"]]
        described = {"name": name, "groupname": name, "orgname": org, "actors": actors}
        return Answer(answer.status, {**described, **answer.document})

    def _add(self, org: str, group: str, kind: str, name: str) -> None:
        members = self.store.get(org, "group", group) or {"users": [], "clients": [], "groups": []}
        members[kind] = sorted({*members[kind], name})
        self.store.put(org, "group", group, members)

    def _found(self, org: str, kind: str, name: str) -> dict[str, Any]:
        found = self.store.get(org, kind, name)
        if found is None:
            raise Refused(404, f"Cannot load {kind} {name}")
        return found

    def _object(self, request: Request, org: str, kind: str, name: str) -> Answer:
        found = self._found(org, kind, name)
        if request.method == "DELETE":
            self.store.delete(org, kind, name)
        elif request.method not in ("GET", "PUT"):
            raise Refused(405, "Method Not Allowed")
        return Answer(200, found)


def _key_pair(given: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """The public key, and the private one unless who asks has it already."""
    if public := given.get("public_key"):
        return str(public), {}
    private = keys.private_key()
    return keys.public_key(private), {"private_key": private}


def _listens(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False


def main(version: str) -> int:
    """Serve on loopback, behind nginx. Its rights are the superuser's only while it reads the secrets."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    chef = read_json(RUNNING)["private_chef"]
    database = chef["postgresql"]
    password = secrets_file.of_erchef(secrets_file.load())
    store = Store(
        host=database["vip"],
        port=database["port"],
        user=database["sql_user"],
        password=password,
        dbname=database["sql_user"],
    )
    superuser = keys.public_key(Path(f"{ETC}/pivotal.pem").read_text(encoding="ascii"))
    accounts.become(USER)
    erchef = Erchef(chef, store, superuser, version=version)
    try:
        server = http_service.Server("127.0.0.1", PORT, erchef.answer)
    except OSError as error:
        raise StandinError(f"cannot listen on {PORT}: {error}") from None
    print(f"opscode-erchef {version} (stand-in) listens on {PORT}", flush=True)
    server.serve_forever()
    return 1
