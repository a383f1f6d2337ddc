"""Why each task runs, in the words of the runbooks' own edges. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from chef_push_jobs.cli.review.preview_review import PreviewReview
from chef_push_jobs.engine.preview import Change, Op
from chef_push_jobs.runbook.naming import CONNECT, STEPS, Name, listed
from chef_push_jobs.runbook.steps import Edge, Scope

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # what stands in a preview for what is known only later


def reasons(subject: PreviewReview, change: Change) -> tuple[str, ...]:
    """Each as a sentence's part; never empty for a task that runs."""
    name = Name.parse(change.name)
    found = tuple(_reasons(subject, change, name))
    return found or ("the command line asks for it (`--replace`)",)


def _reasons(subject: PreviewReview, change: Change, name: Name) -> Iterator[str]:
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


def _own(subject: PreviewReview, change: Change, name: Name) -> str:
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


def _followed(subject: PreviewReview, name: Name) -> Iterator[str]:
    """The edges whose other ends run."""
    step = STEPS.get(name.runbook, {}).get(name.step)
    for edge in step.triggered_by if step else ():
        if edge.only and name.server not in {server.name for server in edge.only(subject.topology)}:
            continue
        ends = _ends(subject, name, edge)
        if ends:
            where = "" if ends == [name.server] else f" on {listed(ends)}"
            yield f"`{edge.step}` runs{where}: {edge.reason}"


def _ends(subject: PreviewReview, name: Name, edge: Edge) -> list[str]:
    wanted = {Scope.SAME: name.server, Scope.PRIMARY: subject.topology.primary.name}.get(edge.scope)
    task = edge.step if edge.step == CONNECT else f"{name.runbook} {edge.step}"
    servers = {server.name for server in subject.topology.servers}
    found = [Name.parse(change.name) for change in subject.running if change.op in (Op.CREATE, Op.REPLACE)]
    ends = [other.server for other in found if other.task == task and wanted in (None, other.server)]
    return [server for server in ends if server in servers]
