"""The critical path: the chain of tasks, each waiting for the one before, that took longest. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from chef_push_jobs.engine.progress import TaskProgress
from chef_push_jobs.model.topology import Topology
from chef_push_jobs.runbook.naming import CONNECT, UPLOAD
from chef_push_jobs.runbook.order import waits


def path(tasks: Mapping[str, TaskProgress], topology: Topology) -> tuple[str, ...]:
    """Names of tasks, the first to last: of what each one waited for, what ended last."""
    before = _before(topology)
    found: list[str] = []
    at = max(tasks, key=lambda name: _end(tasks[name]), default=None)
    while at is not None:
        found.append(at)
        at = max(_ran(at, before, tasks), key=lambda name: _end(tasks[name]), default=None)
    return tuple(reversed(found))


def _before(topology: Topology) -> dict[str, tuple[str, ...]]:
    """What each task waits for, with the machines and the packages' files."""
    before = dict(waits(topology))
    for server in topology.servers:
        connect = f"{CONNECT}-{server.name}"
        before[connect] = (server.name,)
        for runbook in ("chef", "push-jobs"):
            upload, install = (f"{runbook}-{step}-{server.name}" for step in (UPLOAD, "install"))
            before[upload] = (connect,)
            before[install] = (*before.get(install, ()), upload)
    return before


def _ran(name: str, before: Mapping[str, tuple[str, ...]], tasks: Mapping[str, TaskProgress]) -> set[str]:
    """What of it ran in this rollout; over what did not."""
    found: set[str] = set()
    open_, seen = list(before.get(name, ())), set()
    while open_:
        one = open_.pop()
        if one in tasks:
            found.add(one)
        elif one not in seen:
            seen.add(one)
            open_ += before.get(one, ())
    return found


def _end(task: TaskProgress) -> float:
    return task.started if task.ended is None else task.ended
