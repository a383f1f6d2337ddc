"""How a mistake in the configuration is reported: what was given, the rule, what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chef_push_jobs.model.shown import line


@dataclass(frozen=True)
class Problem:
    """One mistake; `setting` is its path in the stack file, such as `pushJobs.heartbeatPort`."""

    setting: str
    given: str
    rule: str
    remedy: str

    def __str__(self) -> str:
        setting, given, rule, remedy = map(line, (self.setting, self.given, self.rule, self.remedy))
        return f"{setting}: {given}\n     Rule: {rule}.\n     Do:   {remedy}."


def without_use(settings: Iterable[str], rule: str) -> list[Problem]:
    """Problems for settings that are given but do not apply."""
    return [Problem(setting, "given", rule, "remove it") for setting in settings]


def report(problems: Sequence[Problem]) -> str:
    """All of them in one message."""
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = [f"{number:>3}. {problem}" for number, problem in enumerate(problems, 1)]
    return "\n".join([f"{count} in the stack's settings; nothing was changed.", *lines])
