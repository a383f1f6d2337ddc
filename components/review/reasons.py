"""Why each task runs, in the words of the runbooks' own edges. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from components.preview import Change, Op
from components.repair import RUNBOOKS
from components.review.subject import CONNECT, Subject
from components.runbook import Edge, Scope, Step

STEPS: Mapping[str, Mapping[str, Step]] = {name: {step.name: step for step in steps} for name, steps in RUNBOOKS}
# Commands beside the runbooks: they belong to the servers.
BESIDE = (CONNECT, "firewall", "uninstall")
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # what stands in a preview for what is known only later


@dataclass(frozen=True, order=True)
class Name:
    """A task's, taken apart; `runbook` is empty for commands that belong to the server itself."""

    runbook: str
    step: str
    server: str

    @classmethod
    def parse(cls, name: str) -> Name:
        """Raises ValueError for a name that no task has."""
        for runbook, steps in (*STEPS.items(), ("", dict.fromkeys(BESIDE))):
            for step in sorted(steps, key=len, reverse=True):
                prefix = f"{runbook}-{step}-" if runbook else f"{step}-"
                if name.startswith(prefix):
                    return cls(runbook, step, name.removeprefix(prefix))
        raise ValueError(f"{name} is no task of the runbooks")

    @property
    def task(self) -> str:
        """Without the server."""
        return f"{self.runbook} {self.step}".strip()


def reasons(subject: Subject, change: Change) -> tuple[str, ...]:
    """Each as a sentence's part; never empty for a task that runs."""
    name = Name.parse(change.name)
    found = tuple(_reasons(subject, change, name))
    return found or ("the command line asks for it (`--replace`)",)


def _reasons(subject: Subject, change: Change, name: Name) -> Iterator[str]:
    machine = subject.changed_machines.get(name.server)
    if change.op is Op.CREATE:
        yield "new server" if machine is Op.CREATE else "new task"
    elif change.op is Op.UPDATE:
        yield "the task runner there is brought up to date; nothing follows from it"
    elif name.step == CONNECT:
        yield "another machine" if machine else "the stack's setting `repair` asks for it"
    else:
        if 0 in change.triggers:
            yield _own(subject, change, name)
        yield from _followed(subject, name)


def _own(subject: Subject, change: Change, name: Name) -> str:
    """What is behind another fingerprint."""
    old, new = change.before.get("stdin"), change.after.get("stdin")
    step = STEPS.get(name.runbook, {}).get(name.step)
    moved = {server for server, op in subject.changed_machines.items() if op in (Op.CREATE, Op.DELETE)}
    if step and moved and step.facts(subject.topology):
        comes = [server for server in sorted(moved) if subject.changed_machines[server] is Op.CREATE]
        goes = [server for server in sorted(moved) if subject.changed_machines[server] is Op.DELETE]
        told = [f"{', '.join(some)} {verb}" for some, verb in ((comes, "comes"), (goes, "goes")) if some]
        return f"its script names the servers: {' and '.join(told)}"
    return "a setting that it follows changed" if new in (old, UNKNOWN) else "its script changed (below)"


def _followed(subject: Subject, name: Name) -> Iterator[str]:
    """The edges whose other ends run."""
    step = STEPS.get(name.runbook, {}).get(name.step)
    for edge in step.reruns_with if step else ():
        if edge.only and name.server not in {server.name for server in edge.only(subject.topology)}:
            continue
        ends = _ends(subject, name, edge)
        if ends:
            where = "" if ends == [name.server] else f" on {listed(ends)}"
            yield f"`{edge.step}` runs{where}: {edge.reason}"


def _ends(subject: Subject, name: Name, edge: Edge) -> list[str]:
    wanted = {Scope.SAME: name.server, Scope.PRIMARY: subject.topology.primary.name}.get(edge.scope)
    task = edge.step if edge.step == CONNECT else f"{name.runbook} {edge.step}"
    found = [Name.parse(change.name) for change in subject.running if change.op in (Op.CREATE, Op.REPLACE)]
    return [other.server for other in found if other.task == task and wanted in (None, other.server)]


def listed(servers: list[str]) -> str:
    """`backend-0, backend-1, frontend-0 to frontend-19`: three or more in a row are folded."""
    runs: list[list[str]] = []
    for server in servers:
        if runs and _next(runs[-1][-1]) == server:
            runs[-1].append(server)
        else:
            runs.append([server])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(run) for run in runs)


def _next(server: str) -> str:
    return re.sub(r"\d+$", lambda number: str(int(number[0]) + 1), server)
