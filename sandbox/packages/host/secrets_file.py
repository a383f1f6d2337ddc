"""/etc/opscode/private-chef-secrets.json in both of its shapes, as groups of named secrets.

Chef server before 12.14 keeps plain JSON and drops groups that it does not know. From 12.14 it is a Veil collection:
encrypted, with other bytes at each save, by a key that lies beside it; passwords follow from the collection's hasher,
their name and their version, so that servers with the same hasher derive the same ones. This stand-in deflates and
whitens instead of encrypting; `/opt/opscode/embedded/bin/veil-dump-secrets` shows the content, as the real tool does.
Source: chef/chef-server, veil: credential_collection/base.rb, hasher/pbkdf2.rb, cipher/v2.rb.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import sys
import zlib
from itertools import cycle
from typing import Any

from .files import StandinError, pretty, read_json, write

PATH = "/etc/opscode/private-chef-secrets.json"
COLLECTION = "Veil::CredentialCollection::ChefSecretsFile"
CIPHER = {"type": "stand-in: whitened and deflated JSON instead of Veil::Cipher::V2"}
ROUNDS = 1000
NONCE = 16


class Groups(dict[str, dict[str, str]]):
    """Secrets by group and name; `hasher` is what new passwords follow from, `versions` how often they were changed."""

    def __init__(self, groups: dict[str, dict[str, str]] | None = None) -> None:
        super().__init__(groups or {})
        self.hasher = secrets.token_hex(32)
        self.versions: dict[str, int] = {}


def load(path: str = PATH) -> Groups:
    """All secrets by group and name; nothing when the file is missing or empty."""
    if not os.path.exists(path) or os.path.getsize(path) == 0:
        return Groups()
    document = read_json(path)
    return decode(document) if "veil" in document else Groups(document)


def decode(document: dict[str, Any]) -> Groups:
    try:
        collection = document["veil"]
        packed = base64.b64decode(collection["credentials"], validate=True)
        credentials = json.loads(zlib.decompress(_whitened(packed[NONCE:], packed[:NONCE])))
        found = Groups({group: {n: e["value"] for n, e in names.items()} for group, names in credentials.items()})
        found.hasher = collection["hasher"]["secret"]
        found.versions = {f"{g}.{n}": e["version"] for g, names in credentials.items() for n, e in names.items()}
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        raise StandinError(f"{PATH} is not a valid credentials file: {error}") from None
    return found


def encode(groups: Groups) -> dict[str, Any]:
    """The Veil collection; equal secrets give other bytes each time."""
    credentials = {
        group: {
            name: {
                "type": "Veil::Credential",
                "name": name,
                "group": group,
                "length": len(value),
                "value": value,
                "version": groups.versions.get(f"{group}.{name}", 0),
            }
            for name, value in names.items()
        }
        for group, names in groups.items()
    }
    nonce = secrets.token_bytes(NONCE)
    packed = nonce + _whitened(zlib.compress(json.dumps(credentials).encode(), 9), nonce)
    return {
        "veil": {
            "type": COLLECTION,
            "version": 2,
            "cipher": CIPHER,
            "hasher": {"type": "Veil::Hasher::PBKDF2", "secret": groups.hasher},
            "credentials": base64.b64encode(packed).decode(),
        }
    }


def _whitened(data: bytes, nonce: bytes) -> bytes:
    return bytes(byte ^ key for byte, key in zip(data, cycle(nonce), strict=False))


def save(groups: Groups, *, veil: bool) -> None:
    """Write all secrets, if they are others than those there; a file that exists keeps its owner, as with Veil."""
    if veil and os.path.exists(PATH) and os.path.getsize(PATH):
        there = read_json(PATH)
        if "veil" in there:
            found = decode(there)
            if (found, found.hasher, found.versions) == (groups, groups.hasher, _versions(groups)):
                return
    write(PATH, pretty(encode(groups) if veil else dict(groups)), 0o600)


def _versions(groups: Groups) -> dict[str, int]:
    return {f"{g}.{n}": groups.versions.get(f"{g}.{n}", 0) for g, names in groups.items() for n in names}


def add(groups: Groups, group: str, name: str, value: str) -> None:
    """Add a secret unless it is there already."""
    groups.setdefault(group, {}).setdefault(name, value)


def derived(groups: Groups, group: str, name: str, length: int) -> str:
    """The password that follows from the collection."""
    salt = f"{group}{name}{groups.versions.get(f'{group}.{name}', 0)}".encode()
    return hashlib.pbkdf2_hmac("sha512", groups.hasher.encode(), salt, ROUNDS, 64).hex()[:length]


def rotate(groups: Groups, group: str, name: str) -> None:
    """Another password, of the same length."""
    key, length = f"{group}.{name}", len(groups[group][name])
    groups.versions[key] = groups.versions.get(key, 0) + 1
    groups[group][name] = derived(groups, group, name, length)


def of_erchef(groups: Groups) -> str:
    """The password of its database user."""
    return (groups.get("opscode_erchef") or groups["postgresql"])["sql_password"]


def ingest(arguments: list[str]) -> int:
    """`veil-ingest-secret GROUP.NAME`: of the standard input, without its last line break."""
    group, name = arguments[0].split(".", 1)
    groups = load()
    groups.setdefault(group, {})[name] = sys.stdin.read().rstrip("\n")
    save(groups, veil=True)
    return 0


def main(arguments: list[str]) -> int:
    """`veil-dump-secrets PATH`"""
    print(pretty(load(*arguments[:1])), end="")
    return 0
