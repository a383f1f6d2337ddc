"""What doctor tells: a cell for each thing that was looked at, and a finding for each thing that is not well. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from chef_push_jobs.runbook.plan import TaskId


class CellState(StrEnum):
    """Of a cell. UNKNOWN: it could not be looked at; NONE: there is nothing of the kind on that server."""

    WELL = "well"
    DRIFT = "drift"
    UNKNOWN = "unknown"
    NONE = "none"


@dataclass(frozen=True)
class Finding:
    """A drift, and what mends it: tasks to `repair`, other `commands` before `pulumi up`, `refresh` with it.

    `server` is empty for what concerns the stack. With `up` false, no `pulumi up` would help. With
    `known` false nobody could look, and the commands are how to.
    """

    server: str
    check: str
    text: str
    repair: tuple[TaskId, ...] = ()
    commands: tuple[str, ...] = ()
    refresh: bool = False
    up: bool = True
    known: bool = True


@dataclass(frozen=True)
class Cell:
    """What was seen of one thing on one server."""

    shown: str
    state: CellState = CellState.WELL
    finding: Finding | None = None


@dataclass(frozen=True)
class Diagnosis:
    """`cells` by server and check, in the order to be shown."""

    cells: dict[str, dict[str, Cell]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def well(self) -> bool:
        """Nothing that was looked at is wrong."""
        return not self.problems

    @property
    def problems(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.known)

    @property
    def unknown(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if not finding.known)
