"""The tasks of an undisturbed rollout, by the names of their resources, and what depends on each. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chef_push_jobs.model.topology import Kind, numbered, topology
from chef_push_jobs.runbook import chef_server, push_jobs
from chef_push_jobs.runbook.steps import plan

BACKENDS, FRONTENDS = 2, 1  # every kind of server, and of task, is there
ROLLOUTS = {chef_server.NAME: chef_server.STEPS, push_jobs.NAME: push_jobs.STEPS}


@dataclass(frozen=True)
class Task:
    """`resource` is its name in Pulumi; `rollout` is "" where the task belongs to neither."""

    resource: str
    rollout: str
    step: str
    server: str

    @property
    def key(self) -> str:
        """Its name on the server, in logs and in the history."""
        return f"{self.rollout}-{self.step}" if self.rollout else self.step

    @property
    def script(self) -> str:
        """A part of the command line that runs it."""
        return f"{self.key}.sh"


def tasks(state: Mapping[str, Any]) -> list[Task]:
    """All that a stack's state (`pulumi stack export`) holds, in the order of the plan."""
    made = {name(resource["urn"]) for resource in state["deployment"]["resources"]}
    servers = topology(Kind.HA, numbered(BACKENDS, FRONTENDS, "chef.test")).servers
    found = [Task(f"connect-{server.name}", "", "connect", server.name) for server in servers]
    for rollout, steps in ROLLOUTS.items():
        found += [Task(f"{rollout}-upload-{server.name}", rollout, "upload", server.name) for server in servers]
        found += [
            Task(f"{rollout}-{task.key}", rollout, task.step.name, task.server.name)
            for task in plan(steps, topology(Kind.HA, servers))
        ]
    return [task for task in found if task.resource in made]


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
