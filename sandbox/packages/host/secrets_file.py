"""/etc/opscode/private-chef-secrets.json in both of its shapes, as groups of named secrets.

Chef server before 12.14 keeps plain JSON and drops groups that it does not know. From 12.14 it is a Veil collection:
encrypted with a key that lies beside it, so that no search for a name or a key finds anything. This stand-in deflates
instead of encrypting; `/opt/opscode/embedded/bin/veil-dump-secrets` shows the content, as the real tool does.
"""

from __future__ import annotations

import base64
import json
import os
import zlib
from typing import Any

from .files import StandinError, pretty, read_json, write

PATH = "/etc/opscode/private-chef-secrets.json"
COLLECTION = "Veil::CredentialCollection::ChefSecretsFile"
CIPHER = {"type": "stand-in: base64 of deflated JSON instead of Veil::Cipher::V2"}
Groups = dict[str, dict[str, str]]


def load(path: str = PATH) -> Groups:
    """All secrets by group and name; nothing when the file is missing or empty."""
    if not os.path.exists(path) or os.path.getsize(path) == 0:
        return {}
    document = read_json(path)
    return decode(document) if "veil" in document else document


def decode(document: dict[str, Any]) -> Groups:
    try:
        collection = document["veil"]
        credentials = json.loads(zlib.decompress(base64.b64decode(collection["credentials"], validate=True)))
        return {group: {name: entry["value"] for name, entry in names.items()} for group, names in credentials.items()}
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        raise StandinError(f"{PATH} is not a valid credentials file: {error}") from None


def encode(groups: Groups) -> dict[str, Any]:
    """The Veil collection; equal secrets give equal bytes."""
    credentials = {
        group: {
            name: {"type": "Veil::Credential", "name": name, "group": group, "length": len(value), "value": value}
            for name, value in names.items()
        }
        for group, names in groups.items()
    }
    packed = base64.b64encode(zlib.compress(json.dumps(credentials).encode(), 9)).decode()
    return {"veil": {"type": COLLECTION, "version": 2, "cipher": CIPHER, "credentials": packed}}


def save(groups: Groups, *, veil: bool) -> None:
    """Write all secrets; a file that exists keeps its owner, as with Veil."""
    write(PATH, pretty(encode(groups) if veil else groups), 0o600)


def add(groups: Groups, group: str, name: str, value: str) -> None:
    """Add a secret unless it is there already."""
    groups.setdefault(group, {}).setdefault(name, value)


def main(arguments: list[str]) -> int:
    """`veil-dump-secrets PATH`"""
    print(pretty(load(*arguments[:1])), end="")
    return 0
