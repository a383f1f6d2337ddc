"""This project's own `pulumi up`, with as many tasks at once as `chef-push-jobs up` runs."""

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
    """A stack; `settings` is its file, `folder` is for logs."""

    farm: Farm
    settings: Path
    folder: Path
    stack: str = STACK

    def forget(self) -> None:
        """Deletes the stack's state, so that it has created nothing yet."""
        self._quiet("stack", "rm", "--force", "--yes", "--preserve-config", self.stack)
        self._quiet("stack", "init", self.stack)

    def save(self, file: Path) -> None:
        """Saves the stack's state, for `restore`."""
        self._quiet("stack", "export", "--stack", self.stack, "--file", str(file))

    def restore(self, file: Path) -> None:
        self.forget()
        self._quiet("stack", "import", "--stack", self.stack, "--file", str(file))

    def run(self, *arguments: str) -> measure.Run:
        words = [*arguments, "--stack", self.stack, "--config-file", str(self.settings), "--parallel", PARALLEL]
        argv, environment = self.farm.operator(["pulumi", *words, "--non-interactive"])
        return measure.run(argv, environment, CLONE, self.folder / f"{arguments[0]}.log")

    def up(self) -> measure.Run:
        return self.run("up", "--yes", "--skip-preview")

    def preview(self) -> measure.Run:
        return self.run("preview")

    def destroy(self) -> measure.Run:
        return self.run("destroy", "--yes", "--skip-preview")

    def state(self) -> dict[str, Any]:
        """What the engine has stored."""
        file = self.folder / "state.json"
        self.save(file)
        stored: dict[str, Any] = json.loads(file.read_text())["deployment"]
        return stored

    def cost(self) -> Cost:
        state = self.state()
        tasks = [resource for resource in state["resources"] if resource["type"].startswith("command:")]
        edges = sum(len(task.get("dependencies", [])) for task in tasks)
        stored = self.farm.sandbox.state / ".pulumi" / "stacks" / "chef-push-jobs" / f"{self.stack}.json.zst"
        return Cost(len(tasks), edges, stored.stat().st_size, len(json.dumps(state, separators=(",", ":"))))

    def _quiet(self, *arguments: str) -> None:
        argv, environment = self.farm.operator(["pulumi", *arguments, "--non-interactive"])
        try:
            measure.run(argv, environment, CLONE, self.folder / "stack.log")
        except measure.Failed:
            if arguments[1] != "rm":  # there may be none yet
                raise
