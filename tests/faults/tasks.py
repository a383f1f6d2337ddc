"""The tasks of an undisturbed rollout, and what depends on each. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chef_push_jobs.runbook.plan import StackPlan, TaskId

BACKENDS, FRONTENDS = 2, 1  # every kind of server, and of task, is there


def tasks(plan: StackPlan, state: Mapping[str, Any]) -> list[TaskId]:
    """All that a stack's state (`pulumi stack export`) holds, in the order of the plan."""
    made = {name(resource["urn"]) for resource in state["deployment"]["resources"]}
    return [task for task in plan.tasks if str(task) in made]


def name(urn: str) -> str:
    return urn.rsplit("::", 1)[1]


def dependents(state: Mapping[str, Any]) -> dict[str, set[str]]:
    """For each resource, by name, those that wait for it, directly or not."""
    direct: dict[str, set[str]] = {}
    resources: Sequence[Mapping[str, Any]] = state["deployment"]["resources"]
    for resource in resources:
        for urn in resource.get("dependencies", []):
            direct.setdefault(name(urn), set()).add(name(resource["urn"]))
    found: dict[str, set[str]] = {}
    for resource in reversed(resources):
        own = name(resource["urn"])
        after = direct.get(own, set())
        found[own] = after.union(*(found.get(each, set()) for each in after))
    return found
