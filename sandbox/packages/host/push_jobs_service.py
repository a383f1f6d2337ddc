"""The process opscode-pushy-server: listens on the heartbeat, command and API port of the rendered settings.

On the first two a client sends a line `HELLO [nonce]` and gets one line of JSON, signed with this host's private key:
    {"service": "opscode-pushy-server", "stand_in": true, "version": "2.2.8", "host": "b0.example.com",
     "port": "heartbeat", "public_key": "-----BEGIN…", "fingerprint": "<sha256 of public_key, stripped>",
     "nonce": "…", "signature": "<hexadecimal, RSA with SHA-256 of nonce:port>"}
The API port speaks HTTP: GET /pushy/_status, and /organizations/ORG/pushy/config/NODE as clients ask for their ports.
Real push jobs speaks ZeroMQ on the first two and wants signed HTTP requests; jobs are left out altogether.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import signal
import socketserver
import sys
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NoReturn

from . import keys
from .chef_server import USER, fqdn
from .command import pause
from .files import StandinError, read_json
from .push_jobs import RUNNING, SERVICE
from .push_jobs_config import Generation
from .push_jobs_credentials import Credentials, load

START_SECONDS = 0.5
PORTS = {"heartbeat": "server_heartbeat_port", "command": "command_port", "api": "api_port"}
CONFIG_PATH = re.compile(r"^/organizations/[a-z0-9_-]+/pushy/config/([A-Za-z0-9_.-]+)$")


@dataclass(frozen=True)
class Identity:
    version: str
    host: str
    credentials: Credentials
    pushy: dict[str, Any]

    def greeting(self, port: str, nonce: str) -> dict[str, Any]:
        return {
            "service": SERVICE,
            "stand_in": True,
            "version": self.version,
            "host": self.host,
            "port": port,
            "public_key": self.credentials.public,
            "fingerprint": keys.fingerprint(self.credentials.public),
            "nonce": nonce,
            "signature": keys.sign(self.credentials.private, f"{nonce}:{port}".encode()),
        }

    def client_config(self, node: str) -> dict[str, Any]:
        """What a push-jobs client asks for first; the shape of the real answer, without its session key."""
        name = self.pushy.get("server_name_advertised") or self.pushy["vip"]
        heartbeat = {
            "out_addr": f"tcp://{name}:{self.pushy['server_heartbeat_port']}",
            "command_addr": f"tcp://{name}:{self.pushy['command_port']}",
            "interval": float(self.pushy["heartbeat_interval"]) / 1000,
            "offline_threshold": 3,
            "online_threshold": 2,
        }
        public = self.credentials.public
        push_jobs = {"heartbeat": heartbeat}
        return {
            "type": "config",
            "host": name,
            "node": node,
            "public_key": public,
            "push_jobs": push_jobs,
            "lifetime": 3600,
        }


class Greeter(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, name: str, port: int, identity: Identity) -> None:
        self.name, self.identity = name, identity
        super().__init__(("0.0.0.0", port), GreeterHandler)  # noqa: S104  clients are other hosts


class GreeterHandler(socketserver.StreamRequestHandler):
    timeout = 10

    def handle(self) -> None:
        assert isinstance(self.server, Greeter)
        try:
            words = self.rfile.readline(256).decode("ascii", errors="replace").split()
            if words[:1] != ["HELLO"]:
                self.wfile.write(b'{"error": "the stand-in understands only: HELLO [nonce]"}\n')
                return
            greeting = self.server.identity.greeting(self.server.name, words[1] if len(words) > 1 else "")
            self.wfile.write(json.dumps(greeting).encode() + b"\n")
        except OSError:
            return  # the client went away or said nothing for 10 seconds


class Api(ThreadingHTTPServer):
    def __init__(self, port: int, identity: Identity) -> None:
        self.identity = identity
        super().__init__(("0.0.0.0", port), ApiHandler)  # noqa: S104  the frontends are other hosts


class ApiHandler(BaseHTTPRequestHandler):
    timeout = 10

    def do_GET(self) -> None:
        assert isinstance(self.server, Api)
        config = CONFIG_PATH.match(self.path)
        if config:
            self.reply(200, self.server.identity.client_config(config.group(1)))
        elif self.path.rstrip("/") == "/pushy/_status":
            self.reply(200, {"status": "pong", "upstreams": {}, "stand_in": True})
        else:
            self.reply(404, {"error": ["not implemented by the stand-in"]})

    def reply(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        log(format % args)


def log(message: str) -> None:
    print(f"{time.strftime('%Y-%m-%d_%H:%M:%S', time.gmtime())} {SERVICE}: {message}", flush=True)


def become(user: str) -> None:
    """Give up root for good."""
    entry = pwd.getpwnam(user)
    os.setgroups([group.gr_gid for group in grp.getgrall() if user in group.gr_mem])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def serve(kind: Generation) -> NoReturn:
    """Read settings and credentials, take the three ports, say so in the log, answer until the process is ended.

    1.x reads its key files as the service's user; from 2.2 root reads the secrets and hands them over.
    """
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    log(f"starting, version {kind.version} (stand-in)")
    pushy = read_json(RUNNING)["pushy"][SERVICE]
    if kind.shared_secrets:
        credentials = load(shared=True)
    become(USER)
    if not kind.shared_secrets:
        credentials = load(shared=False)
    pause(f"{SERVICE} start", START_SECONDS)
    identity = Identity(kind.version, fqdn(), credentials, pushy)
    identity.greeting("self-test", "")
    servers = [_open(name, pushy, identity) for name in PORTS]
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    log("listening on " + ", ".join(f"{name} {pushy[key]}" for name, key in PORTS.items()))
    servers[0].serve_forever()
    raise SystemExit(1)


def _open(name: str, pushy: dict[str, Any], identity: Identity) -> socketserver.TCPServer:
    given = pushy[PORTS[name]]
    try:
        port = int(given)
        return Api(port, identity) if name == "api" else Greeter(name, port, identity)
    except ValueError:
        raise StandinError(f"{PORTS[name]} is no number: {given!r}") from None
    except (OSError, OverflowError) as error:
        raise StandinError(f"cannot listen on {PORTS[name]} {given}: {error}") from None


def main(kind: Generation) -> int:
    try:
        serve(kind)
    except (StandinError, FileNotFoundError) as error:
        log(f"FATAL: {error}")
        print(f"FATAL: {error}", file=sys.stderr)
        return 1
