"""This project's own `pulumi up`, of a stack of servers that exist already."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import measure
from bench.farm import Farm
from sandbox.paths import CLONE

STACK = "existing"


@dataclass(frozen=True)
class Cost:
    """Of the stack after a rollout, but for what is no task: the stack itself, components and providers."""

    tasks: int
    edges: int
    state: int  # bytes


@dataclass(frozen=True)
class Ours:
    farm: Farm
    settings: Path
    folder: Path

    def forget(self) -> None:
        """A stack that has made nothing yet."""
        self._quiet("stack", "rm", "--force", "--yes", "--preserve-config", STACK)
        self._quiet("stack", "init", STACK)

    def run(self, *arguments: str) -> measure.Run:
        parallel = len(self.farm.places)
        words = [*arguments, "--stack", STACK, "--config-file", str(self.settings), "--parallel", str(parallel)]
        argv, environment = self.farm.operator(["pulumi", *words, "--non-interactive"])
        return measure.run(argv, environment, CLONE, self.folder / f"{arguments[0]}.log")

    def up(self) -> measure.Run:
        return self.run("up", "--yes", "--skip-preview")

    def preview(self) -> measure.Run:
        return self.run("preview")

    def cost(self) -> Cost:
        state = self.farm.sandbox.state / ".pulumi" / "stacks" / "chef-push-jobs" / f"{STACK}.json"
        resources: list[dict[str, Any]] = json.loads(state.read_text())["checkpoint"]["latest"]["resources"]
        tasks = [resource for resource in resources if resource["type"].startswith("command:")]
        edges = sum(len(task.get("dependencies", [])) for task in tasks)
        return Cost(len(tasks), edges, state.stat().st_size)

    def _quiet(self, *arguments: str) -> None:
        argv, environment = self.farm.operator(["pulumi", *arguments, "--non-interactive"])
        try:
            measure.run(argv, environment, CLONE, self.folder / "stack.log")
        except measure.Failed:
            if arguments[1] != "rm":  # there may be none yet
                raise
