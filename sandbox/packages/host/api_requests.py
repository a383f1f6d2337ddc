"""Requests of Chef's API: signed by a user or client as Chef's protocol 1.0 has it, checked, and sent.

Source: the headers of mixlib-authentication, as chef_authn of erchef and push jobs checks them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import time
import urllib.error
import urllib.request
from calendar import timegm
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from . import rsa
from .files import StandinError

SKEW = 900
SECONDS = 30.0
REQUIRED = ("X-Ops-Sign", "X-Ops-UserId", "X-Ops-Timestamp", "X-Ops-Content-Hash", "X-Ops-Authorization-1")


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def _hash(data: bytes) -> str:
    return base64.b64encode(hashlib.sha1(data).digest()).decode()  # noqa: S324 - the protocol's


def _canonical(method: str, path: str, body_hash: str, timestamp: str, user: str) -> bytes:
    lines = (
        f"Method:{method}",
        f"Hashed Path:{_hash(path.encode())}",
        f"X-Ops-Content-Hash:{body_hash}",
        f"X-Ops-Timestamp:{timestamp}",
        f"X-Ops-UserId:{user}",
    )
    return "\n".join(lines).encode()


def headers(method: str, path: str, body: bytes, user: str, private: str) -> dict[str, str]:
    """What signs a request."""
    timestamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    signature = base64.b64encode(rsa.sign(private, _canonical(method, path, _hash(body), timestamp, user))).decode()
    chunks = [signature[at : at + 60] for at in range(0, len(signature), 60)]
    return {
        "X-Ops-Sign": "algorithm=sha1;version=1.0;",
        "X-Ops-UserId": user,
        "X-Ops-Timestamp": timestamp,
        "X-Ops-Content-Hash": _hash(body),
        **{f"X-Ops-Authorization-{number}": chunk for number, chunk in enumerate(chunks, 1)},
    }


class Headers(Protocol):
    """Of a request, by names in any case."""

    def get(self, name: str) -> str | None: ...

    def __getitem__(self, name: str) -> str: ...


def malformed(given: Headers) -> str | None:
    """What is wrong with a request's headers before anybody's key is looked at."""
    missing = [name for name in REQUIRED if not given.get(name)]
    if missing:
        return "missing required authentication header(s) " + ", ".join(f"'{name}'" for name in missing)
    try:
        sent = timegm(time.strptime(given["X-Ops-Timestamp"], "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        return "bad header(s) 'X-Ops-Timestamp'"
    if abs(time.time() - sent) > SKEW:
        return f"Failed to authenticate as {given['X-Ops-UserId']}. Synchronize the clock on your host."
    return None


def verifies(given: Headers, method: str, path: str, body: bytes, public: str) -> bool:
    chunks, number = [], 1
    while chunk := given.get(f"X-Ops-Authorization-{number}"):
        chunks.append(chunk)
        number += 1
    try:
        recovered = rsa.recover(public, base64.b64decode("".join(chunks)))
    except (ValueError, OverflowError, StandinError):
        return False
    wanted = _canonical(method, path, _hash(body), given["X-Ops-Timestamp"], given["X-Ops-UserId"])
    return recovered == wanted and given["X-Ops-Content-Hash"] == _hash(body)


@dataclass(frozen=True)
class Api:
    """An API at a URL, asked as `user`; certificates are not checked, as nothing here checks them."""

    url: str
    user: str = ""
    private: str = ""
    seconds: float = SECONDS

    def ask(self, method: str, path: str, document: object = None, *, extra: Mapping[str, str] | None = None) -> Any:
        """The JSON that is answered. Raises Refused with the answer's error; StandinError where nobody answers."""
        body = b"" if document is None else json.dumps(document).encode()
        signed = headers(method, path.partition("?")[0], body, self.user, self.private) if self.user else {}
        sent = {"Accept": "application/json", "Content-Type": "application/json", **signed, **(extra or {})}
        request = urllib.request.Request(f"{self.url}{path}", data=body or None, headers=sent, method=method)  # noqa: S310
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=_context())
        )
        try:
            with opener.open(request, timeout=self.seconds) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            raise Refused(error.code, error.read().decode(errors="replace")) from None
        except (OSError, ValueError) as error:
            raise StandinError(f"{method} {self.url}{path}: {error}") from None


@lru_cache(maxsize=1)
def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
