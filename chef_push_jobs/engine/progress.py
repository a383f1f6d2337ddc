"""A rollout, reduced from its events: the same for a screen while it runs and for a record afterwards. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from chef_push_jobs.config.settings import SettingsError
from chef_push_jobs.config.stack_files import Configuration
from chef_push_jobs.engine.event_log import STACK, Began, Done, Ended, Event, Failed, Said, Started
from chef_push_jobs.engine.preview import COMMAND
from chef_push_jobs.runbook.plan import StackPlan, identify
from chef_push_jobs.runbook.stack import load_stack
from chef_push_jobs.runbook.steps import Action
from chef_push_jobs.scripts import does_nothing

INSTANCE = "aws:ec2/instance:Instance"
COPY = "command:remote:CopyToRemote"
MACHINE = "machine"
SAME = "same"


class TaskState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class TaskProgress:
    """A task on one server; `step` is such as `push-jobs install`, or `machine`. Times are Unix time.

    `said` is the last line that it printed, `error` the whole text of its failure.
    """

    name: str
    server: str
    step: str
    started: float
    state: TaskState = TaskState.RUNNING
    ended: float | None = None
    said: str = ""
    error: str = ""

    def seconds(self, now: float) -> float:
        return (now if self.ended is None else self.ended) - self.started


@dataclass(frozen=True)
class Making:
    """A resource of the cloud, other than a machine, that is being created, changed or deleted since this Unix time."""

    kind: str
    name: str
    started: float


@dataclass(frozen=True)
class RolloutProgress:
    """`tasks` by resource name, in the order in which they started. `errors` concern no task.

    `making` are cloud resources in progress, by type and name; `others` counts those that are done, such as `create
    SecurityGroupIngressRule`. `unchanged` are names of tasks that had nothing to do. `result` is empty while the
    rollout runs; `at` is the time of the last event. `plan` is the plan for `config`, the stack's settings; None if
    they were refused.
    """

    started: float | None = None
    at: float = 0.0
    ended: float | None = None
    result: str = ""
    config: Mapping[str, str] = field(default_factory=dict)
    tasks: Mapping[str, TaskProgress] = field(default_factory=dict)
    errors: tuple[str, ...] = ()
    making: Mapping[tuple[str, str], Making] = field(default_factory=dict)
    others: Mapping[str, int] = field(default_factory=dict)
    unchanged: frozenset[str] = frozenset()
    outputs: Mapping[str, Any] = field(default_factory=dict)
    plan: StackPlan | None = None

    @property
    def running(self) -> tuple[TaskProgress, ...]:
        return tuple(task for task in self.tasks.values() if task.state is TaskState.RUNNING)

    @property
    def failed(self) -> tuple[TaskProgress, ...]:
        return tuple(task for task in self.tasks.values() if task.state is TaskState.FAILED)

    @cached_property
    def planned(self) -> frozenset[str]:
        """Names of everything that can happen on servers, including machines.

        Most of it only happens in a first rollout.
        """
        if self.plan is None:
            return frozenset(self.tasks)
        made = self.plan.settings.existing == {}
        tasks = {str(task) for task in self.plan.tasks.values() if task.action is not Action.RULES or not made}
        machines = {server.name for server in self.plan.topology.servers} if made else set()
        return frozenset(tasks | machines | self.tasks.keys())

    @property
    def settled(self) -> frozenset[str]:
        """The planned ones that are done or had nothing to do."""
        done = {task.name for task in self.tasks.values() if task.state is TaskState.DONE}
        return self.planned & (done | self.unchanged)

    def seconds(self, now: float) -> float:
        return 0.0 if self.started is None else (now if self.ended is None else self.ended) - self.started


def rollout(events: Iterable[Event]) -> RolloutProgress:
    state = RolloutProgress()
    for event in events:
        state = after(state, event)
    return state


def after(state: RolloutProgress, event: Event) -> RolloutProgress:
    """The rollout after an event."""
    state = replace(state, at=event.at, started=event.at if state.started is None else state.started)
    match event:
        case Began():
            return replace(state, config=event.config, plan=_plan(event))
        case Started():
            return _started(state, event)
        case Done():
            return _done(state, event)
        case Failed():
            return _with(_left(state, event), event.name, state=TaskState.FAILED, ended=event.at)
        case Said():
            return _said(state, event)
        case Ended():
            return _ended(state, event)


def _plan(event: Began) -> StackPlan | None:
    try:
        return load_stack(Configuration.recorded(event.config), Path(), files=False)
    except SettingsError:
        return None


def _started(state: RolloutProgress, event: Started) -> RolloutProgress:
    named = _named(state, event)
    if named is None and _is_of_the_cloud(event):
        making = Making(event.type.rpartition(":")[2], event.name, event.at)
        return replace(state, making={**state.making, (event.type, event.name): making})
    if named is None:
        return state
    server, step = named
    return replace(state, tasks={**state.tasks, event.name: TaskProgress(event.name, server, step, event.at)})


def _named(state: RolloutProgress, event: Started) -> tuple[str, str] | None:
    """(server, step) of a task, or None. Most updates and deletions do nothing (docs/chef.md, pulumi-command)."""
    if event.type == INSTANCE:
        return (event.name, MACHINE) if event.op != "delete" else None
    if event.type not in (COMMAND, COPY):
        return None
    task = state.plan.identify(event.name) if state.plan else identify(event.name)
    idle = event.op == "update" and event.type == COMMAND and does_nothing(event.acts or "")
    if idle or not task.server or (event.op == "delete" and not event.acts):
        return None
    return task.server, task.title


def _is_of_the_cloud(event: Started | Done) -> bool:
    return event.type.startswith("aws:") and event.type != INSTANCE


def _left(state: RolloutProgress, event: Done | Failed) -> RolloutProgress:
    """Without this resource among those in progress."""
    making = {key: one for key, one in state.making.items() if key != (event.type, event.name)}
    return replace(state, making=making)


def _done(state: RolloutProgress, event: Done) -> RolloutProgress:
    if event.type == STACK:
        return replace(state, outputs=event.outputs or state.outputs)
    if event.name in state.tasks and event.op != SAME:
        return _with(state, event.name, state=TaskState.DONE, ended=event.at)
    if event.op == SAME or event.type in (COMMAND, COPY):
        return replace(state, unchanged=state.unchanged | {event.name})
    if event.type.startswith("aws:"):
        what = f"{event.op.removesuffix('-replacement')} {event.type.rsplit(':', 1)[-1]}"
        return replace(_left(state, event), others={**state.others, what: state.others.get(what, 0) + 1})
    return state


def _said(state: RolloutProgress, event: Said) -> RolloutProgress:
    if not event.text:
        return state
    if event.name in state.tasks:
        change = {"error": event.text} if event.severity == "error" else {"said": event.text.splitlines()[-1]}
        return _with(state, event.name, **change)
    if event.severity == "error":
        return replace(state, errors=(*state.errors, event.text))
    return state


def _ended(state: RolloutProgress, event: Ended) -> RolloutProgress:
    """The engine has ended, so tasks that were running count as failed."""
    cut = {task.name: replace(task, state=TaskState.FAILED, ended=event.at) for task in state.running}
    wrong = bool(cut or state.failed or state.errors)
    result = event.result or ("failed" if wrong else "succeeded")
    return replace(state, ended=event.at, result=result, tasks={**state.tasks, **cut})


def _with(rollout: RolloutProgress, name: str, **changes: Any) -> RolloutProgress:
    if name not in rollout.tasks:
        return rollout
    return replace(rollout, tasks={**rollout.tasks, name: replace(rollout.tasks[name], **changes)})
