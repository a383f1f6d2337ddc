"""What doctor reports: a cell for each check of each server, and a finding for each problem. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from chef_push_jobs.runbook.plan import TaskId


class CellState(StrEnum):
    """The state of a cell. UNKNOWN: the check could not be made; NONE: it does not apply to that server."""

    WELL = "well"
    DRIFT = "drift"
    UNKNOWN = "unknown"
    NONE = "none"


@dataclass(frozen=True)
class Finding:
    """A problem and its fix: tasks to `repair`, other `commands` before `pulumi up`, `refresh` with it.

    `server` is empty for what concerns the whole stack. If `up` is false, `pulumi up` would not help. If `known` is
    false, the check could not be made, and `commands` say how to make it.
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
    """The result of one check on one server."""

    shown: str
    state: CellState = CellState.WELL
    finding: Finding | None = None


@dataclass(frozen=True)
class Diagnosis:
    """`cells` by server and check, in display order."""

    cells: dict[str, dict[str, Cell]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def well(self) -> bool:
        """Whether no check found a problem."""
        return not self.problems

    @property
    def problems(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.known)

    @property
    def unknown(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if not finding.known)
