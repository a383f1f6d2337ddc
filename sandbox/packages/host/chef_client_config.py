"""The settings files of knife and of the push jobs client: who asks which organization of which server."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .api_requests import Api
from .files import StandinError

SETTING = re.compile(r"""^\s*(chef_server_url|node_name|client_key)[\s(]+(["'])(.*?)\2\)?\s*$""", re.MULTILINE)
WHITELIST = re.compile(r"^\s*whitelist\s*\(\s*\{(.*?)\}\s*\)", re.MULTILINE | re.DOTALL)
PAIR = re.compile(r"""(["'])((?:\\.|(?!\1).)*)\1\s*=>\s*(["'])((?:\\.|(?!\3).)*)\3""")
URL = re.compile(r"(https?://[^/]+)/organizations/([a-z0-9_-]+)")


@dataclass(frozen=True)
class ClientConfig:
    url: str
    org: str
    name: str
    private: str
    whitelist: Mapping[str, str]

    def api(self) -> Api:
        return Api(self.url, self.name, self.private)


def read(path: str) -> ClientConfig:
    """Raises StandinError where something is missing."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise StandinError(f"no settings in {path}: {error.strerror}") from None
    found = {match[1]: match[3] for match in SETTING.finditer(text)}
    missing = {"chef_server_url", "node_name", "client_key"} - found.keys()
    if missing:
        raise StandinError(f"{path} lacks {', '.join(sorted(missing))}")
    url = URL.fullmatch(found["chef_server_url"].rstrip("/"))
    if url is None:
        raise StandinError(f"{path}: chef_server_url must be https://SERVER/organizations/ORG")
    listed = WHITELIST.search(text)
    pairs = {match[2]: match[4] for match in PAIR.finditer(listed[1])} if listed else {"chef-client": "chef-client"}
    private = Path(found["client_key"]).read_text(encoding="ascii")
    return ClientConfig(url[1], url[2], found["node_name"], private, pairs)
