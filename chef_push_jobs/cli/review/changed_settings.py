"""What differs in a stack's settings since the last successful update, and which tasks follow from which. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from chef_push_jobs.config.parser import decoded
from chef_push_jobs.config.settings import SettingsError
from chef_push_jobs.config.stack_files import HIDDEN, Configuration, as_given
from chef_push_jobs.engine.stack_history import PLACES, differences, flat
from chef_push_jobs.model.order import natural
from chef_push_jobs.runbook.plan import PlannedTask, StackPlan, TaskId
from chef_push_jobs.runbook.stack import load_stack

# The settings that define which servers exist.
SERVERS = ("backends", "frontends", "servers", "topology")
_ABSENT: Any = object()

Where = tuple[str, ...]  # a setting's path; the first part is its key in the configuration


@dataclass(frozen=True)
class ChangedSettings:
    """`was` and `now` are configurations from the engine. A value that is secret in either of them is not compared."""

    was: Mapping[str, str]
    now: Mapping[str, str]

    @cached_property
    def _compared(self) -> tuple[dict[str, str], dict[str, str]]:
        project = Configuration.recorded(self.now).project
        secret = {key for key in self.was if HIDDEN in (self.was[key], self.now.get(key))}

        def compared(key: str) -> bool:
            return key not in secret and (key in PLACES or key.startswith(f"{project}:"))

        was, now = ({key: one[key] for key in one if compared(key)} for one in (self.was, self.now))
        return was, now

    @cached_property
    def rows(self) -> Sequence[tuple[str, str, str]]:
        """(setting, old value, new value)."""
        was, now = self._compared
        return tuple(differences(flat(now), flat(was)))

    @cached_property
    def plan_before(self) -> StackPlan | None:
        """The plan for the old settings; None if this version refuses them."""
        was, now = self._compared
        secret = {key: value for key, value in self.now.items() if key not in now}
        return _plan({**secret, **was})

    def causes(self, task: PlannedTask) -> tuple[str, ...]:
        """The changed settings without which the task would do something else."""
        now = _meaning(self._plan_now, task.id) if self._plan_now else None
        return tuple(path for path, plan in self._plans_without if _meaning(plan, task.id) != now)

    @cached_property
    def _plan_now(self) -> StackPlan | None:
        return _plan(self.now)

    @cached_property
    def _plans_without(self) -> Sequence[tuple[str, StackPlan]]:
        """For each changed setting, the plan without that change; omitted if such settings would be refused."""
        was, now = ({key: decoded(value) for key, value in one.items()} for one in self._compared)
        found = []
        for path in sorted({*_leaves(was), *_leaves(now)}, key=lambda path: natural(".".join(path))):
            old = _at(was, path)
            if old != _at(now, path):
                values = {**self.now, path[0]: _text(_with(now.get(path[0], _ABSENT), path[1:], old))}
                if plan := _plan({key: value for key, value in values.items() if value is not None}):
                    found.append((".".join((path[0].partition(":")[2], *path[1:])), plan))
        return found


def script(plan: StackPlan, task: TaskId) -> str | None:
    """A task's script, with placeholders for what is only known once the servers run."""
    found = plan.tasks.get(task)
    if found is None or found.step.script is None:
        return None
    return found.script(plan.context.placeholder(found.step.facts(plan.topology))).text


def _meaning(plan: StackPlan, task: TaskId) -> str | None:
    found = plan.tasks.get(task)
    return found.fingerprint(plan.context) if found else None


def _plan(values: Mapping[str, str]) -> StackPlan | None:
    try:
        return load_stack(Configuration.recorded(values), Path(), files=False)
    except SettingsError:
        return None


def _leaves(value: Any, path: Where = ()) -> Iterator[Where]:
    """The leaves of a value by path. A list counts as one setting, because its entries have no names."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, str(key)))
    else:
        yield path


def _at(value: Any, path: Where) -> Any:
    for part in path:
        value = value.get(part, _ABSENT) if isinstance(value, Mapping) else _ABSENT
    return value


def _with(value: Any, path: Where, leaf: Any) -> Any:
    """The value with this leaf replaced or removed."""
    if not path:
        return leaf
    inner = dict(value) if isinstance(value, Mapping) else {}
    inner[path[0]] = _with(inner.get(path[0], _ABSENT), path[1:], leaf)
    kept = {key: one for key, one in inner.items() if one is not _ABSENT}
    return kept or _ABSENT


def _text(value: Any) -> str | None:
    return None if value is _ABSENT else as_given(value)
