"""What scripts are rendered from: the settings, and facts that are only known once the servers run. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields

from chef_push_jobs.config.settings import Settings
from chef_push_jobs.model.ssh_keys import printed_keys
from chef_push_jobs.model.topology import Server, Topology

_CREDENTIALS = re.compile(r"^credentials (none|[0-9a-f]{32})$", re.MULTILINE)


@dataclass(frozen=True)
class ServerIdentity:
    """What a running server reports: its `address` inside the cluster (IPv4), and public keys as OpenSSH lines.

    `host_key` identifies the server to others; `copy_key` identifies it to the primary when it copies. `volume` is the
    id of its data volume, empty if it has none. `credentials` is a digest of push jobs' credentials on a server that is
    taken over: "none" if it has none, empty if it did not report it.
    """

    address: str
    host_key: str
    copy_key: str
    volume: str = ""
    credentials: str = ""

    @classmethod
    def parse(cls, address: str, host_key: str, connected: str, volume: str = "") -> ServerIdentity:
        """Reads the copy key from the output of the connect step. Raises ValueError if it is missing or ambiguous.

        `host_key` is the key that the server has proved to hold. Older versions printed that one first.
        """
        keys = [key for key in printed_keys(connected) if key != host_key]
        if len(keys) != 1:
            raise ValueError(f"{len(keys)} keys were printed instead of one, the server's own copy key")
        told = _CREDENTIALS.search(connected)
        return cls(address, host_key, keys[0], volume, told[1] if told else "")

    @classmethod
    def placeholder(cls, server: str) -> ServerIdentity:
        """Stands for facts that are not known yet: shown in a preview, and used for fingerprints."""
        return cls(*(f"{{{server}.{one.name}}}" for one in fields(cls)))


@dataclass(frozen=True)
class ScriptContext:
    """`facts` by server name, only those that the step asked for. `owner` is the servers' project and stack."""

    topology: Topology
    settings: Settings
    facts: Mapping[str, ServerIdentity] = field(default_factory=dict)
    owner: str = ""

    def placeholder(self, servers: Iterable[Server]) -> ScriptContext:
        facts = {server.name: ServerIdentity.placeholder(server.name) for server in servers}
        return ScriptContext(self.topology, self.settings.placeholder, facts)
