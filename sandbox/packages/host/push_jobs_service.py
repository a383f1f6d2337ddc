"""The process opscode-pushy-server: ZeroMQ sockets for heartbeats and commands, an HTTP API, and its database.

From 2.0 on commands are encrypted (CurveZMQ), and only clients are let in that have just asked for their configuration.
Source: opscode-pushy-server, pushy_broker.erl, pushy_heartbeat_generator.erl, pushy_zap.erl, pushy_sql.erl.
"""

from __future__ import annotations

import json
import os
import queue
import secrets
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, NoReturn

import psycopg2
import zmq
from zmq.utils import z85

from . import accounts, push_jobs_messages
from .api_requests import Api
from .command import pause
from .files import StandinError, read_json
from .http_service import Server
from .push_jobs_api import PushJobsApi
from .push_jobs_config import SERVICE, SETTINGS, Generation
from .push_jobs_credentials import Credentials, load, superuser_key
from .push_jobs_state import OVER, Job, PushJobs, Ref
from .running import USER

PRINCIPALS = "http://127.0.0.1:8000"
ZAP = "inproc://zeromq.zap.01"
KEY_SECONDS = 5.0  # a client that asked for its configuration may connect so long after
TICK_MILLISECONDS = 200


class Database:
    """The jobs, in PostgreSQL. Raises StandinError where it does not let the service in."""

    def __init__(self, settings: dict[str, Any], password: str) -> None:
        self._options = {
            "host": settings["vip"],
            "port": settings["port"],
            "user": settings["sql_user"],
            "password": password,
            "dbname": settings["database_name"],
        }
        self._lock = threading.Lock()
        self._connection = self._connect()

    def _connect(self) -> Any:
        try:
            connection = psycopg2.connect(connect_timeout=5, tcp_user_timeout=5000, **self._options)
        except psycopg2.Error as error:
            raise StandinError(f"cannot connect to the database: {str(error).strip()}") from None
        connection.autocommit = True
        return connection

    def _execute(self, statement: str, *values: object) -> list[Any]:
        """The rows that are read. A connection that broke since it was used last is made anew."""
        with self._lock:
            while True:
                is_new = bool(self._connection.closed)
                if is_new:
                    self._connection = self._connect()
                try:
                    with self._connection.cursor() as cursor:
                        cursor.execute(statement, values)
                        return cursor.fetchall() if cursor.description else []
                except psycopg2.OperationalError as error:
                    self._connection.close()
                    if is_new:
                        raise StandinError(f"database: {str(error).strip()}") from None
                except psycopg2.Error as error:
                    raise StandinError(f"database: {str(error).strip()}") from None

    def crash(self) -> int:
        """Jobs that did not end before the service did: how many."""
        ended = tuple(OVER)
        marked = "UPDATE jobs SET status = 'crashed', updated_at = now() WHERE status NOT IN %s RETURNING id"
        return len(self._execute(marked, ended))

    def keep(self, job: Job) -> None:
        body = {key: value for key, value in asdict(job).items() if key != "deadline"}
        self._execute(
            "INSERT INTO jobs (id, org, command, status, created_at, updated_at, body) VALUES (%s, %s, %s, %s, "
            "to_timestamp(%s), to_timestamp(%s), %s) ON CONFLICT (id) DO UPDATE SET status = excluded.status, "
            "updated_at = excluded.updated_at, body = excluded.body",
            *(job.id, job.org, job.command, job.status, job.created, job.updated, json.dumps(body)),
        )

    def find(self, job: str) -> Job | None:
        found = self._execute("SELECT body, status FROM jobs WHERE id = %s", job)
        return Job(**{**found[0][0], "status": found[0][1]}) if found else None

    def of(self, org: str) -> list[Job]:
        rows = self._execute("SELECT body, status FROM jobs WHERE org = %s ORDER BY created_at", org)
        return [Job(**{**body, "status": status}) for body, status in rows]


class Broker:
    """All ZeroMQ sockets, in one thread; others have things done there by `run`."""

    def __init__(self, settings: dict[str, Any], credentials: Credentials, database: Database, *, curve: bool) -> None:
        self.settings, self.credentials = settings, credentials
        self.incarnation = str(uuid.uuid4())
        pair: tuple[bytes, bytes] = zmq.curve_keypair() if curve else (b"", b"")
        self.curve_public, self._curve_secret = pair
        self._context = zmq.Context()
        self._sessions: dict[Ref, bytes] = {}
        self._accepted: dict[bytes, float] = {}
        self._asked: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._woken, self._wake = os.pipe()
        self.state = PushJobs(
            self._send,
            database.keep,
            threshold=float(settings["down_threshold"]),
            decay=float(settings["decay_window"]),
        )
        self._zap = self._open(zmq.REP, ZAP)
        self._heartbeats = self._open(zmq.PUB, self._address("server_heartbeat_port"))
        self._commands = self._open(zmq.ROUTER, self._address("command_port"), encrypted=curve)

    def _address(self, key: str) -> str:
        return f"{self.settings['zeromq_listen_address']}:{self.settings[key]}"

    def _open(self, kind: int, address: str, *, encrypted: bool = False) -> Any:
        opened = self._context.socket(kind)
        opened.linger = 0
        if encrypted:
            opened.curve_server, opened.curve_secretkey = True, self._curve_secret
        try:
            opened.bind(address)
        except zmq.ZMQError as error:
            raise StandinError(f"cannot listen on {address}: {error}") from None
        return opened

    def session(self, ref: Ref) -> bytes:
        return self._sessions.setdefault(ref, secrets.token_bytes(32))

    def accept(self, key: str) -> None:
        """A client's public curve key."""
        self._accepted[z85.decode(key.encode())] = time.monotonic() + KEY_SECONDS

    def run(self, do: Callable[[PushJobs], Any]) -> Any:
        """Done in the broker's thread; what it gives. Raises what it raises."""
        done: queue.SimpleQueue[tuple[Any, Exception | None]] = queue.SimpleQueue()

        def doing() -> None:
            try:
                done.put((do(self.state), None))
            except Exception as error:
                done.put((None, error))

        self._asked.put(doing)
        os.write(self._wake, b".")
        result, error = done.get()
        if error:
            raise error
        return result

    def serve(self) -> NoReturn:
        poller = zmq.Poller()
        for source in (self._zap, self._commands, self._woken):
            poller.register(source, zmq.POLLIN)
        interval, sequence = float(self.settings["heartbeat_interval"]) / 1000, 0
        due = time.monotonic()
        while True:
            if time.monotonic() >= due:
                due += interval
                named = {"server": socket.gethostname(), "type": "heartbeat", "incarnation_id": self.incarnation}
                beat: dict[str, Any] = {**named, "sequence": sequence}
                self._heartbeats.send_multipart(push_jobs_messages.signed_by_server(beat, self.credentials.private))
                sequence += 1
                self.state.interval()
            ready = dict(poller.poll(max(0, min(TICK_MILLISECONDS, int((due - time.monotonic()) * 1000)))))
            if self._woken in ready:
                os.read(self._woken, 1)
                self._asked.get()()
            if self._zap in ready:
                self._authenticate()
            if self._commands in ready:
                self._receive()
            self.state.tick()

    def _authenticate(self) -> None:
        """ZAP (RFC 27): by the client's key alone."""
        version, request, _, _, _, mechanism, *credentials = self._zap.recv_multipart()
        now = time.monotonic()
        self._accepted = {key: until for key, until in self._accepted.items() if until > now}
        ok = mechanism == b"CURVE" and credentials[0] in self._accepted
        self._zap.send_multipart(
            [version, request, b"200" if ok else b"400", b"OK" if ok else b"unknown key", b"", b""]
        )

    def _receive(self) -> None:
        while True:
            try:
                address, *frames = self._commands.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            if len(frames) != 2:
                continue
            try:
                claimed = json.loads(frames[1])
                ref = (str(claimed["org"]), str(claimed["node"]))
            except (ValueError, KeyError, TypeError):
                continue
            message = push_jobs_messages.read(*frames, key=self._sessions.get(ref, b""))
            if message is None:
                log(f"Bad signature in message of {ref[1]}")
                continue
            self.state.received(ref, address, message)

    def _send(self, ref: Ref, address: bytes, document: dict[str, Any]) -> None:
        self._commands.send_multipart([address, *push_jobs_messages.signed_by_session(document, self.session(ref))])


def log(message: str) -> None:
    print(f"{SERVICE}: {message}", flush=True)


def serve(kind: Generation) -> NoReturn:
    """Read settings and credentials, take the three ports, say so in the log, answer until the process is ended.

    1.x reads its key files as the service's user; from 2.2 root reads the secrets and hands them over.
    """
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    log(f"starting, version {kind.version} (stand-in)")
    read = read_json(SETTINGS)
    settings, postgresql = read["settings"], read["postgresql"]
    if kind.shared_secrets:
        credentials = load(shared=True)
    else:
        password = str(postgresql["sql_password"])
    superuser = superuser_key(shared=kind.shared_secrets)
    accounts.become(USER)
    if not kind.shared_secrets:
        found = load(shared=False)
        credentials = Credentials(found.private, found.public, password)
    pause(f"{SERVICE} start")
    database = Database(postgresql, credentials.password)
    if crashed := database.crash():
        log(f"{crashed} jobs did not end before: they are crashed")
    broker = Broker(settings, credentials, database, curve=kind.encrypts)
    api = PushJobsApi(
        settings=settings,
        erchef=Api(read["erchef_root_url"], "pivotal", superuser, seconds=10),
        principals=Api(PRINCIPALS, seconds=10),
        private=credentials.private,
        public=credentials.public,
        incarnation=broker.incarnation,
        curve=broker.curve_public.decode(),
        session=broker.session,
        accept=broker.accept,
        run=broker.run,
        jobs=database,
    )
    try:
        server = Server("0.0.0.0", int(settings["api_port"]), api.answer)  # noqa: S104  the frontends are other hosts
    except (OSError, ValueError) as error:
        raise StandinError(f"cannot listen on api_port {settings['api_port']}: {error}") from None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ports = ", ".join(f"{key} {settings[key]}" for key in ("server_heartbeat_port", "command_port", "api_port"))
    log(f"listening on {ports}")
    broker.serve()


def main(kind: Generation) -> int:
    try:
        serve(kind)
    except (StandinError, FileNotFoundError) as error:
        log(f"FATAL: {error}")
        print(f"FATAL: {error}", file=sys.stderr)
        return 1
