"""What doctor learnt before it judges: of the stack's place, of each server, of the cloud. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from chef_push_jobs.cli.doctor.probe import ServerFacts


@dataclass(frozen=True)
class Place:
    """Which stack, as the operator names it to the CLI."""

    stack: str
    config_file: str | None = None

    @property
    def options(self) -> list[str]:
        file = ["--config-file", self.config_file] if self.config_file else []
        return ["--stack", self.stack, *file]


class PortState(StrEnum):
    """What a TCP connection from this machine meets."""

    OPEN = "open"
    REFUSED = "refused"
    SILENT = "closed"


@dataclass(frozen=True)
class Target:
    """A server as the stack knows it. `host_key` is an OpenSSH line."""

    name: str
    address: str
    host_key: str


@dataclass(frozen=True)
class ProbeResult:
    """What came of it: `answers`, or why there are none: `trouble`, or another `host_key` than the pinned one."""

    answers: ServerFacts | None = None
    trouble: str | None = None
    host_key: str | None = None
    doors: Mapping[int, PortState] = field(default_factory=dict)


@dataclass(frozen=True)
class ObservedRule:
    """A rule of a security group, whether from the API or from the state. `peer` is a network, list or group."""

    group: str
    egress: bool
    protocol: str
    ports: tuple[int, int]
    peer: str

    def __str__(self) -> str:
        low, high = self.ports
        what = "everything" if self.protocol == "-1" else f"{self.protocol} {low if low == high else f'{low}-{high}'}"
        return f"{what} {'to' if self.egress else 'from'} {self.peer}"

    def covers(self, port: int) -> bool:
        low, high = self.ports
        return not self.egress and (self.protocol == "-1" or (self.protocol == "tcp" and low <= port <= high))


@dataclass(frozen=True)
class Machine:
    """`state` is EC2's word."""

    state: str
    groups: frozenset[str]


@dataclass(frozen=True)
class Cloud:
    """Rules and machines by id; `trouble` is why nothing is known."""

    rules: Mapping[str, ObservedRule]
    machines: Mapping[str, Machine]
    trouble: str | None = None
