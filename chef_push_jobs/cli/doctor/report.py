"""A diagnosis as text and as JSON. Pure.

The shape of the JSON, on one object:
    stack     its name
    well      whether no check found a problem; the exit status is then 0, otherwise 1
    servers   by name: {"address": …, "checks": {CHECK: {"state": STATE, "shown": what was seen, in short}}}
              CHECK: reachable, host key, package, credentials, settings, service, ports, keepalived, room, clock,
              certificate
              STATE: well, drift, unknown (could not be checked), none (does not apply to that server)
    problems  [{"server": name, or "" for the stack, "check": a CHECK or "firewall", "problem": a sentence,
              "commands": what fixes it, in order}]
    unknown   what could not be checked, in the same shape: `commands` say how to
    commands  what fixes all problems, in order, each once
    seconds   how long it took
"""

from __future__ import annotations

import json

from chef_push_jobs.cli.doctor.findings import CellState, Diagnosis, Finding
from chef_push_jobs.cli.doctor.remediation import Remediation
from chef_push_jobs.engine.stack_state import Stack


def as_json(stack: Stack, diagnosis: Diagnosis, mending: Remediation, seconds: float) -> str:
    addresses = {target.name: target.address for target in stack.targets}
    document = {
        "stack": stack.place.stack,
        "well": diagnosis.well,
        "servers": {
            name: {
                "address": addresses[name],
                "checks": {check: {"state": str(cell.state), "shown": cell.shown} for check, cell in row.items()},
            }
            for name, row in diagnosis.cells.items()
        },
        "problems": [_told(finding, mending) for finding in diagnosis.problems],
        "unknown": [_told(finding, mending) for finding in diagnosis.unknown],
        "commands": mending.all(),
        "seconds": round(seconds, 2),
    }
    return json.dumps(document, indent=2)


def _told(finding: Finding, mending: Remediation) -> dict[str, object]:
    commands = mending.commands(finding)
    return {"server": finding.server, "check": finding.check, "problem": finding.text, "commands": commands}


def as_text(stack: Stack, diagnosis: Diagnosis, mending: Remediation, seconds: float) -> str:
    """One line if all is well. Otherwise the table, and for each problem a line with the commands that fix it below."""
    name, count = stack.place.stack, len(diagnosis.problems)
    if not diagnosis.findings:
        servers = len(diagnosis.cells)
        return f"stack {name}: all well ({servers} server{'s' if servers > 1 else ''}, {seconds:.1f} s)"
    found = (
        f"{count} problem{'s' if count > 1 else ''} in stack {name}:" if count else f"no problems found in stack {name}"
    )
    lines = [*table(diagnosis), "", found]
    for heading, findings in (("", diagnosis.problems), ("unknown, and how to find out:", diagnosis.unknown)):
        lines += [heading] if heading and findings else []
        for finding in findings:
            lines.append(f"  {_line(finding)}")
            lines += [f"      {command}" for command in mending.commands(finding)]
    everything = mending.all()
    if count > 1:
        lines += ["", "to fix everything:", *(f"      {command}" for command in everything)]
    return "\n".join(lines)


def _line(finding: Finding) -> str:
    return f"{finding.server or 'the stack'}: {finding.check}: {finding.text}"


def table(diagnosis: Diagnosis) -> list[str]:
    """Marks drifts with `!`, so that it works without colour."""
    if not diagnosis.cells:
        return []
    checks = list(next(iter(diagnosis.cells.values())))
    rows = [["server", *checks]]
    for name, cells in diagnosis.cells.items():
        rows.append(
            [name, *(("! " if cell.state is CellState.DRIFT else "") + (cell.shown or "-") for cell in cells.values())]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
