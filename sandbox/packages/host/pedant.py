"""`opscode-push-jobs-server-ctl test`: oc-pushy-pedant's examples, as far as they can be told from its sources.

It makes an organization, users and clients, has the API refuse what it must refuse, runs jobs on clients of its own,
and removes all again. Everything goes through https://api_fqdn, as a node's requests do. `--smoke`, which is what no
argument means, filters nothing, because no example has that tag; `-J FILE` writes JUnit's XML. The real one has more
examples (168 in 1.x, some 220 later) and waits for heartbeats in many of them: 10 s each with the settings of 2.x.
Source: oc-pushy-pedant, spec/pushy/integration/*_spec.rb, lib/pedant/pushy_command_line.rb.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree as ET

from . import keepalived, keys, services
from .api_requests import Api, Refused
from .files import StandinError, read_json
from .push_client import PushClient
from .push_jobs_config import RUNNING, SERVICE, Generation
from .push_jobs_credentials import superuser_key
from .running import fqdn, running_config

CCPK = "?ccpk=1234567890123456789012345678901234567890"
NODES = ("DONKEY", "FIONA", "FARQUAD")
# What its clients run, by the names that jobs call it.
ALLOWED = {"echo YAHOO": "echo YAHOO", "sleep 1": "sleep 1", "ruby -e 'exit 1'": "exit 1", "sleep 2": "sleep 2"}
PACKAGED_PORTS = {"out_addr": 10000, "command_addr": 10002}  # written into the example, whatever the settings say
WAIT_SECONDS = 30.0
METHODS = ("GET", "PUT", "POST", "DELETE")


@dataclass(frozen=True)
class Example:
    group: str  # config, jobs, …: the file that it is in
    name: str
    run: Callable[[], None]


@dataclass
class Suite:
    """What all examples share: an organization and those who ask in it."""

    url: str
    superuser: Api
    pushy: dict[str, Any]
    uid: str
    private: str
    restarts: bool
    clients: list[PushClient] = field(default_factory=list)

    @property
    def org(self) -> str:
        return f"pedant_testorg_{self.uid}"

    def name(self, kind: str) -> str:
        return f"pedant_{kind}_{self.uid}"

    def api(self, kind: str) -> Api:
        """As a user or client of the suite, or as a node."""
        return Api(self.url, kind if kind in (*NODES, "invalid") else self.name(kind), self.private)

    def path(self, rest: str) -> str:
        return f"/organizations/{self.org}/pushy/{rest}"

    def prepare(self) -> None:
        public = keys.public_key(self.private)
        self.superuser.ask("POST", "/organizations", {"name": self.org, "full_name": self.org})
        for kind in ("admin_user", "user", "nobody"):
            name = self.name(kind)
            made = {
                "username": name,
                "email": f"{name}@example.com",
                "password": keys.hexadecimal(12),
                "public_key": public,
            }
            self.superuser.ask("POST", "/users", {**made, "display_name": name})
            if kind != "nobody":
                self.superuser.ask("POST", f"/organizations/{self.org}/users", {"username": name})
        for name in (self.name("admin_client"), self.name("client"), *NODES):
            self.superuser.ask("POST", f"/organizations/{self.org}/clients", {"name": name, "public_key": public})
        self.members("admins", users=[self.name("admin_user")], clients=[self.name("admin_client")])

    def members(self, group: str, **actors: list[str]) -> None:
        given = {"users": [], "clients": [], "groups": [], **actors}
        path = f"/organizations/{self.org}/groups"
        self.superuser.ask("PUT", f"{path}/{group}", {"groupname": group, "actors": given})

    def clean(self) -> None:
        for client in self.clients:
            client.stopping = True
        for path in (
            f"/organizations/{self.org}",
            *(f"/users/{self.name(k)}" for k in ("admin_user", "user", "nobody")),
        ):
            try:
                self.superuser.ask("DELETE", path)
            except StandinError as error:
                print(f"not removed: {path}: {error}", file=sys.stderr)
            except Refused as refused:
                if refused.status != 404:
                    print(f"not removed: {path}: {refused}", file=sys.stderr)

    @contextmanager
    def group(self, name: str, **actors: list[str]) -> Iterator[None]:
        self.superuser.ask("POST", f"/organizations/{self.org}/groups", {"groupname": name})
        self.members(name, **actors)
        try:
            yield
        finally:
            self.superuser.ask("DELETE", f"/organizations/{self.org}/groups/{name}")

    # Clients and jobs

    def start_clients(self, *names: str) -> None:
        for name in names:
            if name not in [client.node for client in self.clients]:
                client = PushClient(self.api(name), self.org, name, self.private, ALLOWED, log=lambda _: None)
                threading.Thread(target=client.run, daemon=True).start()
                self.clients.append(client)
        self.until(lambda: {self.availability(name) for name in names} == {"available"}, f"{names} are available")

    def availability(self, name: str) -> str:
        try:
            return str(self.api("admin_user").ask("GET", self.path(f"node_states/{name}"))["availability"])
        except (Refused, StandinError):
            return "unknown"

    def job(self, command: str, nodes: Sequence[str], **options: object) -> dict[str, Any]:
        """The job, when it is over."""
        document = {"command": command, "nodes": list(nodes), **options}
        made = self.api("admin_user").ask("POST", self.path("jobs"), document)
        name = str(made["uri"]).rsplit("/", 1)[1]
        found: dict[str, Any] = {}

        def over() -> bool:
            found.update(self.api("admin_user").ask("GET", self.path(f"jobs/{name}")))
            return found["status"] not in ("new", "voting", "running")

        self.until(over, f"job {command!r} is over")
        return found

    def until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise StandinError(f"after {WAIT_SECONDS:.0f} s it is not so: {what}")
            time.sleep(0.05)


def expect(status: int, ask: Callable[[], object]) -> None:
    try:
        ask()
        got, said = 200, ""
    except Refused as refused:
        got, said = refused.status, str(refused)
    if got // 100 != 2 if status == 200 else got != status:
        raise StandinError(f"Response code should be {status} instead of {got}: {said}")


# The examples


def status_examples(suite: Suite) -> Iterator[Example]:
    for method in METHODS:
        status = 200 if method == "GET" else 405

        def run(method: str = method, status: int = status) -> None:
            expect(
                status, lambda: suite.api("admin_user").ask(method, "/pushy/_status", None if method == "GET" else {})
            )

        yield Example("status", f"pushy status {method} /pushy/_status returns {status}", run)


def config_examples(suite: Suite) -> Iterator[Example]:
    for method in METHODS:

        def missing(method: str = method) -> None:
            expect(404, lambda: suite.api("admin_user").ask(method, suite.path(f"config/{CCPK}"), _body(method)))

        yield Example("config", f"pushy config /organization/<name>/pushy/config/ {method} returns 404", missing)
    title = "pushy config GET /organization/<name>/pushy/config/<nodename> returns 200 and server config"
    yield Example("config", title, lambda: check_config(suite))
    for method in METHODS[1:]:

        def wrong(method: str = method) -> None:
            expect(405, lambda: suite.api("admin_user").ask(method, suite.path(f"config/DONKEY{CCPK}"), {}))

        name = f"pushy config {method} /organization/<name>/pushy/config/<nodename> returns 405"
        yield Example("config", name, wrong)
    asked = {
        "admin_user": 200,
        "user": 200,
        "DONKEY": 200,
        "client": 403,
        "admin_client": 403,
        "nobody": 403,
        "invalid": 401,
    }
    for kind, status in asked.items():

        def ask(kind: str = kind, status: int = status) -> None:
            expect(status, lambda: suite.api(kind).ask("GET", suite.path(f"config/DONKEY{CCPK}")))

        yield Example("config", f"pushy config access control returns {status} for {kind}", ask)
    for kind, status in {"admin_user": 403, "user": 200, "DONKEY": 200}.items():

        def read(kind: str = kind, status: int = status) -> None:
            with suite.group("pushy_job_readers", users=[suite.name("user")]):
                expect(status, lambda: suite.api(kind).ask("GET", suite.path(f"config/DONKEY{CCPK}")))

        yield Example("config", f"pushy config access control with pushy_job_readers returns {status} for {kind}", read)


def _body(method: str) -> dict[str, Any] | None:
    return None if method in ("GET", "DELETE") else {}


def check_config(suite: Suite) -> None:
    """The ports are those of the package, whatever the settings are."""
    found = suite.api("admin_user").ask("GET", suite.path(f"config/DONKEY{CCPK}"))
    vip = suite.pushy["vip"]
    wanted: dict[str, Any] = {
        "type": "config",
        "host": vip,
        "node": "DONKEY",
        "organization": suite.org,
        "push_jobs": {
            "heartbeat": {
                **{key: f"tcp://{vip}:{port}" for key, port in PACKAGED_PORTS.items()},
                "interval": float(suite.pushy["heartbeat_interval"]) / 1000,
                "offline_threshold": 3,
                "online_threshold": 2,
            }
        },
        "lifetime": 3600,
        "max_message_skew": 300,
    }
    if any(found.get(key) != value for key, value in wanted.items()):
        raise StandinError(f"Expected a partial match of the result {_ruby(found)} to the spec {_ruby(wanted)}")


def _ruby(value: object) -> str:
    """As Ruby's inspect."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_ruby(key)}=>{_ruby(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    return "nil" if value is None else str(value)


def job_examples(suite: Suite) -> Iterator[Example]:
    good = {"command": "sleep 1", "nodes": ["DONKEY"]}
    wrong: dict[str, dict[str, Any]] = {
        "no command": {"nodes": ["DONKEY"]},
        "a command that is a number": {**good, "command": 3},
        "a command that is a list": {**good, "command": ["sleep"]},
        "no nodes": {"command": "sleep 1"},
        "empty nodes": {**good, "nodes": []},
        "nodes that are text": {**good, "nodes": "DONKEY"},
        "nodes that are numbers": {**good, "nodes": [1]},
        "a run_timeout that is text": {**good, "run_timeout": "3"},
        "a run_timeout that is a list": {**good, "run_timeout": []},
        "a quorum that is text": {**good, "quorum": "1"},
        "a quorum that is an object": {**good, "quorum": {}},
        "a capture_output that is text": {**good, "capture_output": "yes"},
        "a user that is a number": {**good, "user": 3},
        "an unknown key": {**good, "foo": "bar"},
    }
    for what, document in wrong.items():

        def refuse(document: dict[str, Any] = document) -> None:
            expect(400, lambda: suite.api("admin_user").ask("POST", suite.path("jobs"), document))

        yield Example("jobs", f"Jobs API Tests POST /organizations/<name>/pushy/jobs with {what} returns 400", refuse)
    writers = {"admin_user": 200, "user": 403, "client": 403, "admin_client": 200, "nobody": 403, "invalid": 401}
    for kind, status in writers.items():

        def start(kind: str = kind, status: int = status) -> None:
            expect(status, lambda: suite.api(kind).ask("POST", suite.path("jobs"), good))

        yield Example("jobs", f"Jobs API Tests access control POST returns {status} for {kind}", start)
    for kind, status in {"admin_user": 403, "user": 200, "client": 403}.items():

        def write(kind: str = kind, status: int = status) -> None:
            with suite.group("pushy_job_writers", users=[suite.name("user")]):
                expect(status, lambda: suite.api(kind).ask("POST", suite.path("jobs"), good))

        yield Example(
            "jobs", f"Jobs API Tests access control with pushy_job_writers returns {status} for {kind}", write
        )
    yield from _readers(suite, "jobs", "Jobs API Tests", "jobs")
    for method in ("PUT", "DELETE"):

        def wrong_method(method: str = method) -> None:
            expect(405, lambda: suite.api("admin_user").ask(method, suite.path("jobs"), {}))

        yield Example("jobs", f"Jobs API Tests {method} /organizations/<name>/pushy/jobs returns 405", wrong_method)
    for rest in ("jobs/not_a_job", "jobs/not_a_job/output/DONKEY/stdout"):

        def absent(rest: str = rest) -> None:
            expect(404, lambda: suite.api("admin_user").ask("GET", suite.path(rest)))

        yield Example("jobs", f"Jobs API Tests GET /organizations/<name>/pushy/{rest} returns 404", absent)


def _readers(suite: Suite, group: str, title: str, rest: str) -> Iterator[Example]:
    asked = {"admin_user": 200, "user": 200, "client": 200, "admin_client": 200, "nobody": 403, "invalid": 401}
    for kind, status in asked.items():

        def ask(kind: str = kind, status: int = status) -> None:
            expect(status, lambda: suite.api(kind).ask("GET", suite.path(rest)))

        yield Example(group, f"{title} access control GET returns {status} for {kind}", ask)
    for kind, status in {"admin_user": 403, "user": 200, "client": 403}.items():

        def read(kind: str = kind, status: int = status) -> None:
            with suite.group("pushy_job_readers", users=[suite.name("user")]):
                expect(status, lambda: suite.api(kind).ask("GET", suite.path(rest)))

        yield Example(group, f"{title} access control with pushy_job_readers GET returns {status} for {kind}", read)


def node_state_examples(suite: Suite) -> Iterator[Example]:
    for rest in ("node_states", "node_states/DONKEY"):
        yield from _readers(suite, "node_states", f"Node_States API Test {rest}", rest)
        for method in METHODS[1:]:

            def wrong(method: str = method, rest: str = rest) -> None:
                expect(405, lambda: suite.api("admin_user").ask(method, suite.path(rest), {}))

            yield Example("node_states", f"Node_States API Test {method} {rest} returns 405", wrong)


def end_to_end_examples(suite: Suite) -> Iterator[Example]:
    group, title = "end_to_end", "end-to-end-test"
    for nodes in (NODES[:1], NODES):
        for command, status in {"echo YAHOO": "succeeded", "ruby -e 'exit 1'": "failed", "unknown": "nacked"}.items():

            def run(nodes: Sequence[str] = nodes, command: str = command, status: str = status) -> None:
                suite.start_clients(*nodes)
                found = suite.job(command, nodes)
                over = "quorum_failed" if status == "nacked" else "complete"
                if (found["status"], {key: sorted(each) for key, each in found["nodes"].items()}) != (
                    over,
                    {status: sorted(nodes)},
                ):
                    raise StandinError(f"job {command!r} ended as {found['status']}: {found['nodes']}")

            yield Example(group, f"{title} with {len(nodes)} clients a job '{command}' ends as {status}", run)
    for quorum, status in {3: "quorum_failed", 2: "complete"}.items():

        def partly(quorum: int = quorum, status: str = status) -> None:
            suite.start_clients(*NODES[:2])
            found = suite.job("echo YAHOO", [*NODES[:2], "nonexistent"], quorum=quorum)
            if found["status"] != status or found["nodes"].get("unavailable") != ["nonexistent"]:
                raise StandinError(f"quorum {quorum} ended as {found['status']}: {found['nodes']}")

        yield Example(group, f"{title} with a node that is not there and a quorum of {quorum} ends as {status}", partly)

    def late() -> None:
        suite.start_clients(NODES[0])
        found = suite.job("sleep 2", NODES[:1], run_timeout=1)
        if found["status"] != "timed_out":
            raise StandinError(f"it ended as {found['status']}")
        suite.start_clients(NODES[0])

    yield Example(group, f"{title} a job that takes longer than its run_timeout ends as timed_out", late)
    if suite.restarts:
        yield Example(group, f"{title} after a restart of the server its clients are back", lambda: restart(suite))


def restart(suite: Suite) -> None:
    """1.x, where the service runs: it does restart it."""
    suite.start_clients(*NODES)
    if not services.control("restart", SERVICE):
        raise StandinError(f"{SERVICE} did not restart")
    suite.until(lambda: suite.availability(NODES[0]) != "unknown", "the API answers again")
    suite.start_clients(*NODES)
    if suite.job("echo YAHOO", NODES)["status"] != "complete":
        raise StandinError("no job after the restart")


# The run


def test(kind: Generation, arguments: Sequence[str]) -> int:
    """Run the examples; 0 when all pass, 1 otherwise."""
    chef = running_config()
    if chef is None or not os.path.exists(RUNNING):
        raise StandinError(f"{RUNNING} is missing: run opscode-push-jobs-server-ctl reconfigure first")
    chef, begun = chef["private_chef"], time.monotonic()
    pushy = read_json(RUNNING)["pushy"][SERVICE]
    here = pushy["enable"] and keepalived.is_data_master(chef, fqdn())
    suite = Suite(
        url=str(chef["nginx"]["url"]),
        superuser=Api(str(chef["nginx"]["url"]), "pivotal", superuser_key(shared=kind.shared_secrets)),
        pushy=pushy,
        uid=f"{socket.gethostname().split('.')[0]}_{os.getpid()}",
        private=keys.private_key(),
        restarts=here and not kind.shared_secrets,
    )
    file = arguments[arguments.index("-J") + 1] if "-J" in arguments else ""
    print(f"Configuring logging...\nCreating platform...\nStarting Pedant Run (stand-in): {suite.org}\n", flush=True)
    try:
        suite.prepare()
    except (Refused, StandinError) as error:
        suite.clean()
        raise StandinError(f"the suite could not make its organization and users: {error}") from None
    made = (config_examples, end_to_end_examples, job_examples, node_state_examples, status_examples)
    chosen = [example for examples in made for example in examples(suite)]
    failures: dict[str, str] = {}
    try:
        for example in chosen:
            try:
                example.run()
            except (Refused, StandinError, KeyError) as error:
                failures[example.name] = str(error)
            print("F" if example.name in failures else ".", end="", flush=True)
    finally:
        suite.clean()
    took = time.monotonic() - begun
    _report(failures, took, len(chosen))
    if file:
        _junit(file, chosen, failures, took)
    return 1 if failures else 0


def _report(failures: dict[str, str], took: float, count: int) -> None:
    print("\n\nFailures:" if failures else "\n")
    for number, (name, message) in enumerate(failures.items(), 1):
        print(f"\n  {number}) {name}\n     Failure/Error: {message}")
    print(f"\nFinished in {took:.2f} seconds")
    print(f"{count} examples, {len(failures)} failure{'' if len(failures) == 1 else 's'}")
    if failures:
        print("\nFailed examples:\n")
        for name in failures:
            print(f"rspec # {name}")


def _junit(file: str, chosen: Sequence[Example], failures: dict[str, str], took: float) -> None:
    """As rspec_junit_formatter writes it."""
    counts = {"tests": str(len(chosen)), "failures": str(len(failures)), "errors": "0", "time": f"{took:.6f}"}
    root = ET.Element("testsuite", {"name": "rspec", **counts})
    for example in chosen:
        place = f"spec.pushy.integration.{example.group}_spec"
        case = ET.SubElement(root, "testcase", {"classname": place, "name": example.name, "time": "0.0"})
        if message := failures.get(example.name):
            failure = ET.SubElement(
                case, "failure", {"message": message, "type": "RSpec::Expectations::ExpectationNotMetError"}
            )
            failure.text = message
    ET.ElementTree(root).write(file, encoding="UTF-8", xml_declaration=True)
