"""The commands that fix what was found: few, exact, in order. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from shlex import quote

from chef_push_jobs.cli.doctor.findings import Finding
from chef_push_jobs.engine.pulumi_cli import Place
from chef_push_jobs.runbook.plan import StackPlan, TaskId


@dataclass(frozen=True)
class Remediation:
    """Makes commands for a stack. `nonce` identifies this run of doctor; it must not look like a number or a date."""

    place: Place
    plan: StackPlan
    nonce: str
    findings: Sequence[Finding]
    project: str = "chef-push-jobs"

    def commands(self, finding: Finding) -> list[str]:
        """What fixes one finding, provided that all others are fixed too."""
        return self._commands([finding])

    def all(self) -> list[str]:
        return self._commands([finding for finding in self.findings if finding.known])

    def _commands(self, findings: Sequence[Finding]) -> list[str]:
        by_hand = [
            text.replace("{options}", self._options).replace("{project}", self.project)
            for found in findings
            for text in found.commands
        ]
        repairs = [self._repair(task) for task in self._roots(task for found in findings for task in found.repair)]
        up = [self._up(refresh=any(found.refresh for found in findings))] if any(found.up for found in findings) else []
        return list(dict.fromkeys([*by_hand, *repairs, *up]))

    def _roots(self, wanted: Iterable[TaskId]) -> list[TaskId]:
        """The tasks to repair for `wanted`: no task that another repair re-runs anyway."""
        every = frozenset(task for found in self.findings for task in found.repair)
        roots = every - self.plan.following(every)
        needed = {root for task in wanted for root in roots if task in {root} | self.plan.following([root])}
        return [task for task in self.plan.tasks if task in needed]

    @property
    def _options(self) -> str:
        return " ".join(quote(word) for word in self.place.options)

    def _repair(self, task: TaskId) -> str:
        path = quote(f'{self.project}:repair["{task}"]')
        return f"pulumi config set {self._options} --path {path} {self.nonce}"

    def _up(self, *, refresh: bool) -> str:
        return f"pulumi up {self._options}{' --refresh' if refresh else ''}"
