"""What scripts are rendered from: the settings, and the facts that are known once the servers run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from components.settings import Settings
from components.topology import Server, Topology


@dataclass(frozen=True)
class Facts:
    """What a running server tells: `address` inside the cluster (IPv4), and its public keys as OpenSSH lines.

    `host_key` proves the server to others, `copy_key` proves it to the primary when it copies. `volume` is the id of
    the data volume that it was given, empty where there is none.
    """

    address: str
    host_key: str
    copy_key: str
    volume: str = ""

    @classmethod
    def parse(cls, address: str, connected: str, volume: str = "") -> Facts:
        """From the two lines that the connect step prints. Raises ValueError for anything else."""
        keys = [" ".join(line.split()[:2]) for line in connected.splitlines()]
        if len(keys) != 2 or not all(key.startswith(("ssh-", "ecdsa-")) for key in keys):
            raise ValueError(f"the connect step printed {len(keys)} line(s), not a host key and a copy key")
        return cls(address, keys[0], keys[1], volume)

    @classmethod
    def symbolic(cls, server: str) -> Facts:
        """Stands for facts that are not known yet: what a preview shows, and what a fingerprint is made from."""
        return cls(*(f"{{{server}.{name}}}" for name in ("address", "host_key", "copy_key", "volume")))


@dataclass(frozen=True)
class Cluster:
    """`facts` by server name; only those that the step asked for."""

    topology: Topology
    settings: Settings
    facts: Mapping[str, Facts] = field(default_factory=dict)

    def symbolic(self, servers: Iterable[Server]) -> Cluster:
        return Cluster(self.topology, self.settings, {server.name: Facts.symbolic(server.name) for server in servers})
