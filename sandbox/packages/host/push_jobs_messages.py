"""Messages of push jobs on its ZeroMQ sockets: a header with a signature, and a body in JSON.

The server signs its heartbeats with its RSA key, for everybody; all else is signed with the session key that server and
client share. Source: pushy_common, pushy_messaging.erl; opscode-pushy-client, protocol_handler.rb.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from . import rsa

RSA, HMAC = "rsa2048_sha1", "hmac_sha256"
Sign = Callable[[bytes], bytes]


def _digest(body: bytes) -> bytes:
    return base64.b64encode(hashlib.sha1(body).digest())  # noqa: S324 - the protocol's


def signed_by_server(document: dict[str, Any], private: str) -> list[bytes]:
    return _message(document, RSA, lambda body: rsa.sign(private, _digest(body)))


def signed_by_session(document: dict[str, Any], key: bytes) -> list[bytes]:
    return _message(document, HMAC, lambda body: hmac.digest(key, body, "sha256"))


def _message(document: dict[str, Any], method: str, sign: Sign) -> list[bytes]:
    body = json.dumps({"timestamp": formatdate(usegmt=True), **document}).encode()
    signature = base64.b64encode(sign(body)).decode()
    return [f"Version:2.0;SigningMethod:{method};Signature:{signature}".encode(), body]


def read(header: bytes, body: bytes, *, public: str = "", key: bytes = b"") -> dict[str, Any] | None:
    """The document, or None where the signature is not that of the server's key or of the session."""
    fields = dict(part.split(":", 1) for part in header.decode(errors="replace").split(";") if ":" in part)
    try:
        signature, document = base64.b64decode(fields["Signature"]), json.loads(body)
    except (KeyError, ValueError):
        return None
    method = fields.get("SigningMethod")
    by_server = method == RSA and public and rsa.recover(public, signature) == _digest(body)
    by_session = method == HMAC and key and hmac.compare_digest(hmac.digest(key, body, "sha256"), signature)
    return document if (by_server or by_session) and isinstance(document, dict) else None
