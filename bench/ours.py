"""This project's own `pulumi up` on existing servers, with as many tasks at once as `chef-push-jobs up` runs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import measure
from bench.farm import Farm
from chef_push_jobs.engine.up import PARALLEL
from sandbox.paths import CLONE

STACK = "existing"


@dataclass(frozen=True)
class Cost:
    """The stack after a rollout. The stack itself, components and providers are not tasks. Sizes are in bytes."""

    tasks: int
    edges: int
    stored: int
    uncompressed: int


@dataclass(frozen=True)
class Ours:
    farm: Farm
    settings: Path
    folder: Path

    def forget(self) -> None:
        """Deletes the stack's state, so that it has created nothing yet."""
        self._quiet("stack", "rm", "--force", "--yes", "--preserve-config", STACK)
        self._quiet("stack", "init", STACK)

    def run(self, *arguments: str) -> measure.Run:
        words = [*arguments, "--stack", STACK, "--config-file", str(self.settings), "--parallel", PARALLEL]
        argv, environment = self.farm.operator(["pulumi", *words, "--non-interactive"])
        return measure.run(argv, environment, CLONE, self.folder / f"{arguments[0]}.log")

    def up(self) -> measure.Run:
        return self.run("up", "--yes", "--skip-preview")

    def preview(self) -> measure.Run:
        return self.run("preview")

    def cost(self) -> Cost:
        file = self.folder / "state.json"
        self._quiet("stack", "export", "--stack", STACK, "--file", str(file))
        state: dict[str, Any] = json.loads(file.read_text())["deployment"]
        tasks = [resource for resource in state["resources"] if resource["type"].startswith("command:")]
        edges = sum(len(task.get("dependencies", [])) for task in tasks)
        stored = self.farm.sandbox.state / ".pulumi" / "stacks" / "chef-push-jobs" / f"{STACK}.json.zst"
        return Cost(len(tasks), edges, stored.stat().st_size, len(json.dumps(state, separators=(",", ":"))))

    def _quiet(self, *arguments: str) -> None:
        argv, environment = self.farm.operator(["pulumi", *arguments, "--non-interactive"])
        try:
            measure.run(argv, environment, CLONE, self.folder / "stack.log")
        except measure.Failed:
            if arguments[1] != "rm":  # there may be none yet
                raise
