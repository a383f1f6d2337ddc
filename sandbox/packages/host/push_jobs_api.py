"""The HTTP API of push jobs: what clients ask first, jobs, and which nodes are there.

Who asks is looked up in erchef, on this host for the keys and at https://api_fqdn for all else, as the real one does.
Source: opscode-pushy-server, apps/pushy/src/pushy_*_resource.erl, pushy_wm_base.erl, pushy_http_common.erl.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from . import api_requests, rsa
from .api_requests import Api, Refused
from .files import StandinError
from .http_service import Answer, Request
from .push_jobs_state import Job, PushJobs

OPTIONS = {"user": str, "dir": str, "env": dict, "file": str, "capture_output": bool}
KEYS = ("command", "nodes", "run_timeout", "quorum", *OPTIONS)
DEFAULT_TIMEOUT = 3600


class Jobs(Protocol):
    """The jobs that are kept."""

    def find(self, job: str) -> Job | None: ...

    def of(self, org: str) -> list[Job]: ...


@dataclass(frozen=True)
class Requestor:
    name: str
    kind: str
    public: str
    org: str
    guid: str


@dataclass
class PushJobsApi:
    """`run` does something with the state where nothing else does; `accept` lets a client's curve key in."""

    settings: dict[str, Any]
    erchef: Api
    principals: Api
    private: str
    public: str
    incarnation: str
    curve: str  # the server's public key; empty where nothing is encrypted
    session: Callable[[tuple[str, str]], bytes]
    accept: Callable[[str], None]
    run: Callable[[Callable[[PushJobs], Any]], Any]
    jobs: Jobs
    guids: dict[str, str] = field(default_factory=dict)  # of organizations, which it asks for once

    def answer(self, request: Request) -> Answer:
        match request.parts:
            case ["pushy", "_status"]:
                _only(request, "GET")
                return self._status()
            case ["organizations", org, "pushy", "config", node]:
                return self._config(request, org, node)
            case ["organizations", org, "pushy", "jobs"] if request.method == "POST":
                return self._start(request, org)
            case ["organizations", org, "pushy", "jobs"]:
                _only(request, "GET", "POST")
                self._reader(request, org)
                return Answer(200, [job.document() for job in self.jobs.of(org)])
            case ["organizations", org, "pushy", "jobs", job, *rest]:
                self._reader(request, org)
                return self._job(job, *rest)
            case ["organizations", org, "pushy", "node_states", *rest]:
                self._reader(request, org)
                return self._node_states(org, *rest)
        raise Refused(404, "not found")

    def _status(self) -> Answer:
        count, jobs = self.run(lambda state: (len(state.nodes), list(state.jobs)))
        alive = {"status": "it's alive", "incarnation_id": self.incarnation}
        return Answer(200, {**alive, "node_fsm_count": count, "job_processes": jobs})

    # Who asks

    def _requestor(self, request: Request, org: str) -> Requestor:
        """Raises Refused. The answers' order is the real one's."""
        if wrong := api_requests.malformed(request.headers):
            raise Refused(401, wrong)
        name = str(request.headers["X-Ops-UserId"])
        guid = self._organization(org)
        for found in self._known(org, name):
            if api_requests.verifies(request.headers, request.method, request.path, request.body, found["public_key"]):
                return Requestor(name, found["type"], found["public_key"], org, guid)
        raise Refused(401, f"Invalid signature for user or client '{name}'")

    def _organization(self, org: str) -> str:
        if org in self.guids:
            return self.guids[org]
        try:
            self.guids[org] = str(self.erchef.ask("GET", f"/organizations/{org}")["guid"])
            return self.guids[org]
        except Refused as refused:
            if refused.status == 404:
                raise Refused(404, f"organization '{org}' does not exist.") from None
            raise Refused(500, f"server_error: {refused.status}") from None
        except StandinError as error:
            raise Refused(502, f"Failed to connect to erchef: {error}") from None

    def _known(self, org: str, name: str) -> list[dict[str, Any]]:
        try:
            found = self.principals.ask("GET", f"/organizations/{org}/principals/{name}")["principals"]
        except Refused as refused:
            if refused.status == 404:
                how = "Ensure that your node_name and client key are correct."
                raise Refused(401, f"Failed to authenticate as '{name}'. {how}") from None
            raise Refused(502, f"Failed to connect to erchef to get key: {refused}") from None
        except StandinError as error:
            raise Refused(502, f"Failed to connect to erchef to get key: {error}") from None
        members = [each for each in found if each["org_member"]]
        if not members:
            raise Refused(403, f"'{name}' is not associated with organization '{org}'")
        return members

    def _in_group(self, requestor: Requestor, group: str) -> bool | None:
        """None where there is no such group."""
        try:
            found = self.erchef.ask("GET", f"/organizations/{requestor.org}/groups/{group}")
        except Refused as refused:
            return None if refused.status == 404 else False
        if requestor.name in found[f"{requestor.kind}s"]:
            return True
        return any(self._in_group(requestor, inner) for inner in found["groups"])

    def _allowed(self, requestor: Requestor, *groups: str, without: bool) -> None:
        """By the first of the groups that exists; without any, `without` decides."""
        for group in groups:
            inside = self._in_group(requestor, group)
            if inside is not None:
                break
        else:
            inside = without
        if not inside:
            who = f"User or client '{requestor.name}'"
            raise Refused(403, f"{who} does not have access to that action on this server.")

    def _reader(self, request: Request, org: str) -> Requestor:
        _only(request, "GET")
        requestor = self._requestor(request, org)
        self._allowed(requestor, "pushy_job_readers", without=True)
        return requestor

    # What is asked

    def _config(self, request: Request, org: str, node: str) -> Answer:
        _only(request, "GET")
        if self.curve:
            key = request.query.get("ccpk", [""])[0]
            if not key:
                raise Refused(400, "Missing ccpk")
            if len(key) != 40:
                raise Refused(401, "Bad ccpk")
            self.accept(key)
        requestor = self._requestor(request, org)
        checks = str(self.settings["validate_client_node_name"]) == "true"
        if requestor.kind == "user":
            self._allowed(requestor, "pushy_job_readers", without=True)
        elif checks and requestor.name != node:
            raise Refused(403, "Client and node name must match")
        return Answer(200, self._client_config(requestor, node))

    def _client_config(self, requestor: Requestor, node: str) -> dict[str, Any]:
        name = self.settings.get("server_name_advertised") or self.settings["vip"]
        heartbeat = {
            "out_addr": f"tcp://{name}:{self.settings['server_heartbeat_port']}",
            "command_addr": f"tcp://{name}:{self.settings['command_port']}",
            "interval": float(self.settings["heartbeat_interval"]) / 1000,
            "offline_threshold": 3,
            "online_threshold": 2,
        }
        key = base64.b64encode(rsa.encrypt(requestor.public, self.session((requestor.org, node)))).decode()
        document = {
            "type": "config",
            "host": name,
            "push_jobs": {"heartbeat": heartbeat},
            "node": node,
            "organization": requestor.org,
            "public_key": self.public,
            "encoded_session_key": {"method": "hmac_sha256", "key": key},
            "lifetime": 3600,
            "max_message_skew": 300,
            "incarnation_id": self.incarnation,
        }
        return {**document, "curve_public_key": self.curve} if self.curve else document

    def _start(self, request: Request, org: str) -> Answer:
        requestor = self._requestor(request, org)
        self._allowed(requestor, "pushy_job_writers", "admins", without=False)
        given = request.document()
        _validate(given)
        nodes, options = given["nodes"], {name: given[name] for name in OPTIONS if name in given}
        quorum, timeout = given.get("quorum", len(nodes)), given.get("run_timeout", DEFAULT_TIMEOUT)
        named = dict.fromkeys(nodes, "new")
        wanted = Job(uuid.uuid4().hex, org, given["command"], named, quorum, timeout, options)
        job = self.run(lambda state: state.start(wanted))
        uri = f"{self.erchef.url}/organizations/{org}/pushy/jobs/{job.id}"
        return Answer(201, {"uri": uri, "id": job.id}, {"Location": uri})

    def _job(self, name: str, *rest: str) -> Answer:
        job = self.jobs.find(name)
        if job is None:
            raise Refused(404, "not found")
        match rest:
            case ():
                return Answer(200, {"nodes": job.by_status(), **job.document()})
            case ("output", node, ("stdout" | "stderr") as stream) if node in job.output:
                return Answer(200, job.output[node][stream], {"Content-Type": "text/plain"})
        raise Refused(404, "not found")

    def _node_states(self, org: str, name: str = "") -> Answer:
        known = self.run(lambda state: {ref[1]: node.available for ref, node in state.nodes.items() if ref[0] == org})
        words = {each: "available" if available else "unavailable" for each, available in known.items()}
        if not name:
            return Answer(200, [{"node_name": each, "availability": words[each]} for each in sorted(words)])
        status = "online" if name in words else "offline"
        found = {"node_name": name, "status": status, "availability": words.get(name, "unavailable")}
        return Answer(200, found)


def _only(request: Request, *methods: str) -> None:
    if request.method not in methods:
        raise Refused(405, "Method Not Allowed")


def _validate(given: dict[str, Any]) -> None:
    """Raises Refused, in the order and words of the real one."""
    if not isinstance(given.get("command"), str):
        raise Refused(400, "invalid command supplied")
    nodes = given.get("nodes")
    if not isinstance(nodes, list) or not nodes or not all(isinstance(node, str) for node in nodes):
        raise Refused(400, "at least one node must be supplied")
    for key in ("run_timeout", "quorum"):
        if not isinstance(given.get(key, 0), int) or isinstance(given.get(key), bool):
            raise Refused(400, f"invalid type supplied for {key} (expected a number)")
    if not isinstance(given.get("capture_output", False), bool):
        raise Refused(400, "invalid type supplied for capture_output (expected a boolean)")
    if any(not isinstance(given.get(key, kind()), kind) for key, kind in OPTIONS.items()):
        raise Refused(400, "an unknown validation error has occurred")
    if set(given) - set(KEYS):
        raise Refused(400, "invalid key supplied")
