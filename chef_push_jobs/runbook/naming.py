"""The names of tasks, as `pulumi up` shows them, taken apart; and names of servers put into a sentence. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from chef_push_jobs.runbook.repair import RUNBOOKS
from chef_push_jobs.runbook.steps import Step

CONNECT = "connect"
UPLOAD = "upload"
STEPS: Mapping[str, Mapping[str, Step]] = {name: {step.name: step for step in steps} for name, steps in RUNBOOKS}
# Commands beside the runbooks: they belong to the servers.
BESIDE = (CONNECT, "firewall", "uninstall")


@dataclass(frozen=True, order=True)
class Name:
    """A task's, taken apart; `runbook` is empty for commands that belong to the server itself."""

    runbook: str
    step: str
    server: str

    @classmethod
    def parse(cls, name: str) -> Name:
        """A command that is no task is a step of its own, on no server."""
        for runbook, steps in (*STEPS.items(), ("", BESIDE)):
            for step in sorted([*steps, UPLOAD], key=len, reverse=True):
                prefix = f"{runbook}-{step}-" if runbook else f"{step}-"
                if name.startswith(prefix):
                    return cls(runbook, step, name.removeprefix(prefix))
        return cls("", name, "")

    @property
    def task(self) -> str:
        """Without the server."""
        return f"{self.runbook} {self.step}".strip()


def listed(servers: list[str]) -> str:
    """`backend-0, backend-1, frontend-0 to frontend-19`: three or more in a row are folded."""
    runs: list[list[str]] = []
    for server in servers:
        if runs and _next(runs[-1][-1]) == server:
            runs[-1].append(server)
        else:
            runs.append([server])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(run) for run in runs)


def _next(server: str) -> str:
    return re.sub(r"\d+$", lambda number: str(int(number[0]) + 1), server)
