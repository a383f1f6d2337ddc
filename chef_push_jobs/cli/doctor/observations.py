"""What doctor learnt before it judges: of each server, of the cloud. Pure; of the stack: `engine/stack_state.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from chef_push_jobs.cli.doctor.probe import ServerFacts
from chef_push_jobs.engine.stack_state import ObservedRule


class PortState(StrEnum):
    """What a TCP connection from this machine meets."""

    OPEN = "open"
    REFUSED = "refused"
    SILENT = "closed"


@dataclass(frozen=True)
class ProbeResult:
    """What came of it: `answers`, or why there are none: `trouble`, or another `host_key` than the pinned one.

    `time` is when they came (Unix time).
    """

    answers: ServerFacts | None = None
    trouble: str | None = None
    host_key: str | None = None
    doors: Mapping[int, PortState] = field(default_factory=dict)
    time: float | None = None


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
