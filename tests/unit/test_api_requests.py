"""Requests as Chef signs them: what is signed is taken, and nothing else is."""

from __future__ import annotations

import time

import pytest

from sandbox.packages.host import api_requests, keys, push_jobs_messages, rsa

PRIVATE = keys.private_key()
PUBLIC = keys.public_key(PRIVATE)
PATH, BODY = "/organizations/acme/pushy/jobs", b'{"command": "true"}'


def signed() -> dict[str, str]:
    return api_requests.headers("POST", PATH, BODY, "alice", PRIVATE)


def test_what_is_signed_is_taken() -> None:
    assert api_requests.malformed(signed()) is None
    assert api_requests.verifies(signed(), "POST", PATH, BODY, PUBLIC)


@pytest.mark.parametrize(
    ("method", "path", "body", "changed"),
    [
        ("PUT", PATH, BODY, {}),
        ("POST", PATH + "/1", BODY, {}),
        ("POST", PATH, b"{}", {}),
        ("POST", PATH, BODY, {"X-Ops-UserId": "mallory"}),
        ("POST", PATH, BODY, {"X-Ops-Timestamp": "2026-01-01T00:00:00Z"}),
        ("POST", PATH, BODY, {"X-Ops-Authorization-1": "AAAA"}),
    ],
)
def test_what_was_changed_on_the_way_is_not(method: str, path: str, body: bytes, changed: dict[str, str]) -> None:
    assert not api_requests.verifies(signed() | changed, method, path, body, PUBLIC)


def test_another_key_is_not_taken() -> None:
    assert not api_requests.verifies(signed(), "POST", PATH, BODY, keys.public_key(keys.private_key()))


def test_headers_that_are_missing_or_old_are_named() -> None:
    missing = {name: value for name, value in signed().items() if name != "X-Ops-Timestamp"}
    assert "'X-Ops-Timestamp'" in str(api_requests.malformed(missing))
    old = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 2 * api_requests.SKEW))
    assert "Synchronize the clock" in str(api_requests.malformed(signed() | {"X-Ops-Timestamp": old}))
    assert "bad header" in str(api_requests.malformed(signed() | {"X-Ops-Timestamp": "now"}))


def test_a_session_key_is_read_only_with_the_private_key() -> None:
    assert rsa.decrypt(PRIVATE, rsa.encrypt(PUBLIC, b"session key")) == b"session key"


def test_everybody_can_read_the_servers_heartbeat_and_nobody_can_make_one() -> None:
    header, body = push_jobs_messages.signed_by_server({"type": "heartbeat"}, PRIVATE)
    assert push_jobs_messages.read(header, body, public=PUBLIC)
    assert push_jobs_messages.read(header, body.replace(b"heartbeat", b"heartbeet"), public=PUBLIC) is None
