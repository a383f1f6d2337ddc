"""The critical path: the chain of tasks, each waiting for the one before it, that took longest. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from chef_push_jobs.engine.progress import TaskProgress
from chef_push_jobs.runbook.plan import StackPlan


def path(tasks: Mapping[str, TaskProgress], plan: StackPlan) -> tuple[str, ...]:
    """Names of tasks, from first to last: before each one, the dependency that ended last."""
    found: list[str] = []
    at = max(tasks, key=lambda name: _end(tasks[name]), default=None)
    while at is not None:
        found.append(at)
        at = max(sorted(_ran(at, plan, tasks)), key=lambda name: _end(tasks[name]), default=None)
    return tuple(reversed(found))


def _ran(name: str, plan: StackPlan, tasks: Mapping[str, TaskProgress]) -> set[str]:
    """The dependencies of a task that ran in this rollout, skipping those that did not run."""
    found: set[str] = set()
    open_, seen = _before(name, plan), set()
    while open_:
        one = open_.pop()
        if one in tasks:
            found.add(one)
        elif one not in seen:
            seen.add(one)
            open_ += _before(one, plan)
    return found


def _before(name: str, plan: StackPlan) -> list[str]:
    """A task's dependencies, including the machine, which has the server's name."""
    task = plan.find(name)
    if task is None:
        return []
    return [task.server.name] if task.id.is_connect else [str(one) for one in task.waits_for]


def _end(task: TaskProgress) -> float:
    return task.started if task.ended is None else task.ended
