"""Why each task runs, in the words of the runbooks' edges. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from chef_push_jobs.cli.review.changed_settings import SERVERS
from chef_push_jobs.cli.review.preview_review import PreviewReview
from chef_push_jobs.cli.server_names import counted, listed
from chef_push_jobs.engine.preview import CAUSE, REPAIR, UNKNOWN, Change, Op
from chef_push_jobs.model.shown import code, prose
from chef_push_jobs.runbook.plan import PlannedTask
from chef_push_jobs.runbook.steps import Edge


def reasons(subject: PreviewReview, change: Change) -> tuple[str, ...]:
    """Each is a clause; never empty for a task that runs."""
    found = tuple(_reasons(subject, change))
    return found or ("the command line requests it (`--replace`)",)


def _reasons(subject: PreviewReview, change: Change) -> Iterator[str]:
    task = subject.task(change)
    machine = subject.changed_machines.get(task.server)
    if change.op is Op.CREATE:
        yield "new server" if machine is Op.CREATE else "new task"
    elif change.op is Op.UPDATE:
        yield "the task runner there is updated; no other task runs because of it"
    else:
        if REPAIR in change.triggers:
            yield "the stack's setting `repair` requests it"
        if task.is_connect and CAUSE in change.triggers:
            yield "another machine" if machine else "another host key is demanded"
        elif CAUSE in change.triggers:
            yield from _own(subject, change)
        yield from _followed(subject, change)


def _own(subject: PreviewReview, change: Change) -> Iterator[str]:
    """What changed the task's fingerprint."""
    task, settings = subject.planned(change), subject.settings
    causes = settings.causes(task) if settings and task else ()
    named = _servers_named(subject, task) if settings is None or set(causes) & set(SERVERS) else ""
    if named:
        yield named
    others = [cause for cause in causes if not named or cause not in SERVERS]
    if others:
        yield f"{'settings' if len(others) > 1 else 'the setting'} {' and '.join(map(code, others))} changed"
    if not named and not others:
        yield _unknown_cause(change)


def _servers_named(subject: PreviewReview, task: PlannedTask | None) -> str:
    """The servers that its script names and that are added or removed; empty if there are none."""
    moved = {server for server, op in subject.changed_machines.items() if op in (Op.CREATE, Op.DELETE)}
    if not task or not moved or not task.step.facts(subject.topology):
        return ""
    comes = [server for server in moved if subject.changed_machines[server] is Op.CREATE]
    goes = [server for server in moved if subject.changed_machines[server] is Op.DELETE]
    changes = [f"{prose(listed(counted(some)))} {verb}" for some, verb in ((comes, "comes"), (goes, "goes")) if some]
    return f"its script names the servers: {' and '.join(changes)}"


def _unknown_cause(change: Change) -> str:
    old, new = change.before.get("stdin"), change.after.get("stdin")
    if new in (old, UNKNOWN):
        return "a setting that it depends on changed, or this program's version of it"
    return "its script changed (below)"


def _followed(subject: PreviewReview, change: Change) -> Iterator[str]:
    """The edges whose other ends run."""
    task, ends = subject.planned(change), dict[Edge, list[str]]()
    for source, edges in task.triggered_by.items() if task else ():
        found = subject.by_name.get(str(source))
        if found and found.runs and found.op in (Op.CREATE, Op.REPLACE):
            for edge in edges:
                ends.setdefault(edge, []).append(source.server)
    for edge, servers in ends.items():
        where = "" if task and servers == [task.server.name] else f" on {listed(servers)}"
        yield f"`{edge.step}` runs{where}: {edge.reason}"
