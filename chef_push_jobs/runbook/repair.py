"""What the setting `repair` can name: every task of both runbooks, as `pulumi up` names it. Pure.

Which of them a drift needs is decided by `doctor`.
"""

from __future__ import annotations

from collections.abc import Iterator

from chef_push_jobs.model.topology import Topology
from chef_push_jobs.runbook import chef_server, push_jobs
from chef_push_jobs.runbook.steps import plan

RUNBOOKS = ((chef_server.NAME, chef_server.STEPS), (push_jobs.NAME, push_jobs.STEPS))


def connect(server: str) -> str:
    return f"connect-{server}"


def reruns(topology: Topology) -> Iterator[tuple[str, frozenset[str]]]:
    """Every task, in an order that obeys the edges, with those whose re-run means its own.

    The Chef server's tasks stand before push jobs', and `connect` before both.
    """
    for server in topology.servers:
        yield connect(server.name), frozenset()
    for name, steps in RUNBOOKS:
        for task in plan(steps, topology):
            if task.step.script is not None:
                keys = (connect(key.server) if key.step == "connect" else f"{name}-{key}" for key in task.triggered_by)
                yield f"{name}-{task.key}", frozenset(keys)


def tasks(topology: Topology) -> tuple[str, ...]:
    return tuple(task for task, _ in reruns(topology))


def following(roots: frozenset[str], topology: Topology) -> frozenset[str]:
    """The tasks that run again because `roots` do, without the roots themselves (unless one follows another)."""
    found: set[str] = set()
    for task, because in reruns(topology):
        if because & (roots | found):
            found.add(task)
    return frozenset(found)
