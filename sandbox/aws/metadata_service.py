"""What an instance finds at 169.254.169.254: its metadata, its role's credentials, and the EC2 API.

The metadata is IMDSv2 (a token first), as far as failover needs it. A request to the API has the permissions of the
role whose session token it contains; without an instance profile it has none. What the role's policies do not allow is
refused. On AWS, the API has its own address and checks signatures; this one does not.
"""

from __future__ import annotations

import json
import secrets
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends

from sandbox.aws import iam_policies
from sandbox.aws.amis import ACCOUNT
from sandbox.aws.moto_wrapping import LOCK
from sandbox.hosts import network
from sandbox.paths import CLOUD_URL, METADATA, REGION

IMDS = "/latest/meta-data/"
CREDENTIALS = f"{IMDS}iam/security-credentials/"
LIVE = ("pending", "running")
FORWARD = {
    "Authorization": f"AWS4-HMAC-SHA256 Credential=sandbox/20260101/{REGION}/ec2/aws4_request, "
    "SignedHeaders=host, Signature=0",
    "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
}


class Refused(Exception):
    """An error response: HTTP status, EC2's code, and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Sessions:
    """The credentials of machines; each machine has its own."""

    def __init__(self) -> None:
        self._machines: dict[str, str] = {}

    def new(self, instance: Any) -> dict[str, str]:
        token = secrets.token_hex(32)
        self._machines[token] = instance.id
        return {
            "Code": "Success",
            "Type": "AWS-HMAC",
            "AccessKeyId": f"ASIA{secrets.token_hex(8).upper()}",
            "SecretAccessKey": secrets.token_hex(20),
            "Token": token,
            "Expiration": "2099-01-01T00:00:00Z",
        }

    def machine(self, token: str) -> str:
        if token not in self._machines:
            raise Refused(401, "AuthFailure", "AWS was not able to validate the provided access credentials")
        return self._machines[token]


def machine_at(address: str) -> Any:
    """The instance with this primary address. Raises Refused."""
    with LOCK.held():
        for reservation in ec2_backends[ACCOUNT][REGION].reservations.values():
            for instance in reservation.instances:
                if instance.state in LIVE and instance.private_ip == address:
                    return instance
    raise Refused(404, "NotFound", f"no machine has the address {address}")


def needs_no_token(instance: Any) -> bool:
    """Whether the machine's metadata is also available over IMDSv1."""
    return bool(instance.metadata_options.http_tokens == "optional")


def role_of(instance: Any) -> Any:
    """The current role of the machine's profile. Raises Refused if it has none."""
    profile = (instance.iam_instance_profile or {}).get("Arn")
    with LOCK.held():
        for found in iam_backends[ACCOUNT]["aws"].instance_profiles.values():
            if found.arn == profile and found.roles:
                return found.roles[0]
    raise Refused(404, "NotFound", "the machine has no role")


def authorize(identity: str, parameters: Mapping[str, str]) -> None:
    """Raises Refused unless the machine's role allows this."""
    action = parameters.get("Action", "")
    if action not in iam_policies.ACTIONS:
        raise Refused(400, "InvalidAction", f"The action {action} is not implemented for hosts of the sandbox")
    role = role_of(ec2_backends[ACCOUNT][REGION].get_instance(identity))
    arns = iam_policies.resources(action, parameters, f"arn:aws:ec2:{REGION}:{ACCOUNT}")
    if (arn := iam_policies.denied(role.policies.values(), action, arns)) is not None:
        user = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.name}/{identity}"
        message = (
            f"You are not authorized to perform this operation. User: {user} is not authorized to perform: "
            f"ec2:{action} on resource: {arn} because no identity-based policy allows the ec2:{action} action"
        )
        raise Refused(403, "UnauthorizedOperation", message)


class Handler(BaseHTTPRequestHandler):
    sessions = Sessions()
    tokens: frozenset[str] = frozenset()
    _lock = threading.Lock()

    def do_PUT(self) -> None:
        """IMDSv2: returns a token, which all other requests need if the machine requires it."""
        if self.path != "/latest/api/token" or "X-aws-ec2-metadata-token-ttl-seconds" not in self.headers:
            self._answer(400, "")
            return
        token = secrets.token_hex(16)
        with self._lock:
            Handler.tokens |= {token}
        self._answer(200, token)

    def do_GET(self) -> None:
        token = self.headers.get("X-aws-ec2-metadata-token")
        try:
            instance = machine_at(self.client_address[0])
            if token in self.tokens or (token is None and needs_no_token(instance)):
                self._answer(200, self._metadata(instance))
            else:
                self._answer(401, "")
        except Refused as refused:
            self._answer(refused.status, str(refused))

    def _metadata(self, instance: Any) -> str:
        if self.path == f"{IMDS}instance-id":
            return str(instance.id)
        if self.path == CREDENTIALS:
            return str(role_of(instance).name)
        if self.path == f"{CREDENTIALS}{role_of(instance).name}":
            return json.dumps(self.sessions.new(instance))
        raise Refused(404, "NotFound", "no such metadata here")

    def do_POST(self) -> None:
        """The EC2 API."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        try:
            authorize(
                self.sessions.machine(self.headers.get("X-Amz-Security-Token", "")), dict(parse_qsl(body.decode()))
            )
        except Refused as refused:
            error = f"<Error><Code>{refused.code}</Code><Message>{escape(str(refused))}</Message></Error>"
            self._answer(refused.status, f"<Response><Errors>{error}</Errors></Response>")
            return
        try:
            request = urllib.request.Request(CLOUD_URL, data=body, headers=FORWARD)  # noqa: S310 - our own address
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
                self._answer(answer.status, answer.read().decode())
        except urllib.error.HTTPError as error:
            self._answer(error.code, error.read().decode())

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the cloud's log only contains failures."""


class Server(ThreadingHTTPServer):
    def server_bind(self) -> None:
        """Without looking up its own name, which nobody here would answer."""
        TCPServer.server_bind(self)


def start(router: Path) -> Server:
    """Starts serving in the network namespace `router`."""
    server = network.inside(router, lambda: Server((METADATA, 80), Handler))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
