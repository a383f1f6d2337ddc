"""What each task waits for, over both runbooks, by the names of the resources. Pure."""

from __future__ import annotations

from chef_push_jobs.model.topology import Topology
from chef_push_jobs.runbook import repair
from chef_push_jobs.runbook.naming import CONNECT
from chef_push_jobs.runbook.steps import plan


def waits(topology: Topology) -> dict[str, tuple[str, ...]]:
    """What each task of both runbooks waits for, by the names of their resources, in an order that obeys this."""
    found: dict[str, tuple[str, ...]] = {repair.connect(server.name): () for server in topology.servers}
    last: dict[str, str] = {}
    for runbook, steps in repair.RUNBOOKS:
        before = dict(last)
        for task in plan(steps, topology):
            if task.step.script is None:
                continue
            name, server = f"{runbook}-{task.key}", task.server.name
            keys = (f"{CONNECT}-{key.server}" if key.step == CONNECT else f"{runbook}-{key}" for key in task.depends_on)
            first = [before.pop(server)] if server in before else []
            found[name] = (*(key for key in keys if key in found), *first)
            last[server] = name
    return found
