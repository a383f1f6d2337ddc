"""What is reviewed: a preview, and the plan for its own configuration. Pure.

Does not look for package files and keys, because the preview may come from another machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from chef_push_jobs.cli.review.changed_settings import ChangedSettings
from chef_push_jobs.config.settings import SettingsError
from chef_push_jobs.config.stack_files import Configuration
from chef_push_jobs.engine import preview as parser
from chef_push_jobs.engine.preview import CAUSE, Change, Op, Preview, PreviewError
from chef_push_jobs.model.order import natural
from chef_push_jobs.model.topology import Topology
from chef_push_jobs.runbook.plan import PlannedTask, StackPlan, TaskId
from chef_push_jobs.runbook.stack import load_stack

INSTANCE = "aws:ec2/instance:Instance"
STACK = "pulumi:pulumi:Stack"


@dataclass(frozen=True)
class PreviewReview:
    """`plan` is the plan after the change; `settings` is None if the old settings are unknown."""

    stack: str
    plan: StackPlan
    preview: Preview
    settings: ChangedSettings | None = None

    @property
    def topology(self) -> Topology:
        return self.plan.topology

    def task(self, change: Change) -> TaskId:
        """The task of a command or an upload. For anything else, a step on no server."""
        return self.plan.identify(change.name)

    def planned(self, change: Change) -> PlannedTask | None:
        """The task in the plan; None if it is not in the plan."""
        return self.plan.find(change.name)

    @cached_property
    def by_name(self) -> dict[str, Change]:
        """The commands by name."""
        return {change.name: change for change in self.preview.different if change.type == parser.COMMAND}

    @cached_property
    def running(self) -> tuple[Change, ...]:
        """The commands that act on a server, in the order of the plan; commands that are not in it come last."""
        order = {name: number for number, name in enumerate(self.plan.names())}
        found = [self.by_name[name] for name in self.preview.running]
        return tuple(sorted(found, key=lambda change: (order.get(change.name, len(order)), natural(change.name))))

    @property
    def is_new(self) -> bool:
        """Whether the stack has no resources yet, so that nothing can break."""
        return any(change.type == STACK and change.op is Op.CREATE for change in self.preview.different)

    @property
    def changed_machines(self) -> dict[str, Op]:
        """Servers whose machine is replaced, created or removed."""
        found = [(self.task(change), change) for change in self.by_name.values()]
        return {
            task.server: change.op
            for task, change in found
            if task.is_connect and (change.op in (Op.CREATE, Op.DELETE) or _is_moved(self, task.server, change))
        }

    def of(self, kind: str) -> Iterator[Change]:
        return (change for change in self.preview.different if change.type == kind)


def _is_moved(subject: PreviewReview, server: str, connect: Change) -> bool:
    """Whether the machine is another one: its id is unknown, or an existing server has a different address."""
    made = [change.op for change in subject.of(INSTANCE) if change.name == server]
    if connect.op is not Op.REPLACE or Op.REPLACE in made:
        return connect.op is Op.REPLACE
    (machine, _), (other, _) = identities(connect)
    return machine != other


def identities(connect: Change) -> tuple[tuple[str, str], tuple[str, str]]:
    """(machine, host key in the settings) of a server or bastion, before and after; empty if it has none."""
    found = []
    for inputs in (connect.before, connect.after):
        triggers = [str(one) for one in inputs.get("triggers") or ()]
        machine, _, key = (triggers[CAUSE] if len(triggers) > CAUSE else "".join(triggers[:1])).partition(" ")
        found.append((machine, key))
    return found[0], found[1]


def review_of(text: str, stack: str | None = None, before: Mapping[str, str] | None = None) -> PreviewReview:
    """Reads the output of `pulumi preview --json`. Raises PreviewError.

    `before` is the configuration at the last successful update, if it is known.
    """
    found = parser.parse_preview(text)
    configuration = Configuration.recorded(found.config)
    changed = None if before is None else ChangedSettings(before, found.config)
    try:
        plan = load_stack(configuration, Path(), files=False)
    except SettingsError as error:
        raise PreviewError(f"its configuration is not one of this program: {error}") from None
    return PreviewReview(stack or found.stack or "", plan, found, changed)
