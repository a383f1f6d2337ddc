"""An HTTP server of JSON documents, for erchef and the API of push jobs."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from .api_requests import Refused
from .files import StandinError


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: Message
    body: bytes
    parts: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Raises Refused where the body is no JSON object."""
        try:
            found = json.loads(self.body)
        except ValueError:
            raise Refused(400, "invalid JSON") from None
        if not isinstance(found, dict):
            raise Refused(400, "invalid JSON")
        return found


@dataclass(frozen=True)
class Answer:
    status: int
    document: Any
    headers: dict[str, str] = field(default_factory=dict)


class Server(ThreadingHTTPServer):
    """`answer` gives each request's answer; what it refuses is answered with that status."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: str, port: int, answer: Callable[[Request], Answer]) -> None:
        self.answer = answer
        super().__init__((address, port), _Handler)

    def server_bind(self) -> None:
        """Without the look-up of its own name."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]


class _Handler(BaseHTTPRequestHandler):
    timeout = 60
    protocol_version = "HTTP/1.0"

    def _do(self) -> None:
        assert isinstance(self.server, Server)
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = [unquote(part) for part in url.path.strip("/").split("/") if part]
        request = Request(self.command, url.path, parse_qs(url.query), self.headers, body, parts)
        try:
            answer = self.server.answer(request)
        except Refused as refused:
            answer = Answer(refused.status, {"error": [str(refused)]})
        except StandinError as error:
            answer = Answer(500, {"error": [str(error)]})
        content = json.dumps(answer.document).encode()
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = _do

    def log_message(self, format: str, *args: object) -> None:
        print(f"{self.address_string()} {format % args}", flush=True)

    def address_string(self) -> str:
        return str(self.client_address[0])
