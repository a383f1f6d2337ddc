"""What doctor observed of each server and of the cloud, before it judges. Pure.

What it knows about the stack is in `engine/stack_state.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from chef_push_jobs.cli.doctor.probe import ServerFacts
from chef_push_jobs.engine.stack_state import ObservedRule


class PortState(StrEnum):
    """What happens to a TCP connection from this machine."""

    OPEN = "open"
    REFUSED = "refused"
    SILENT = "closed"


@dataclass(frozen=True)
class ProbeResult:
    """The result of a visit: `answers`; or else `trouble`, or a `host_key` other than the pinned one.

    `time` is when the answers came (Unix time).
    """

    answers: ServerFacts | None = None
    trouble: str | None = None
    host_key: str | None = None
    doors: Mapping[int, PortState] = field(default_factory=dict)
    time: float | None = None


@dataclass(frozen=True)
class Machine:
    """`state` is EC2's name for it."""

    state: str
    groups: frozenset[str]


@dataclass(frozen=True)
class Cloud:
    """Rules and machines by id. If nothing is known, `trouble` says why."""

    rules: Mapping[str, ObservedRule]
    machines: Mapping[str, Machine]
    trouble: str | None = None
