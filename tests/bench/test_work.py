"""The work order that all contenders carry out is what this project itself sends, to the letter."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs, Mocks

from bench import order, previews, work
from chef_push_jobs.config import stack_files
from chef_push_jobs.runbook.stack import load_stack
from components.cluster import make_cluster
from sandbox.paths import CLONE
from tests import programs

COUNT = 5
HOST_KEY = "ssh-ed25519 " + "A" * 68


def key(server: str) -> str:
    return f"ssh-ed25519 AAAA{server}"


@dataclass
class Sent(Mocks):
    """Command and script of each task, by its name in the state."""

    tasks: dict[str, tuple[str, str]] = field(default_factory=dict)

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        if "create" in args.inputs:
            self.tasks[args.name] = (args.inputs["create"], args.inputs["stdin"])
        server = args.name.removeprefix("connect-")
        return args.name, {**args.inputs, "stdout": f"{HOST_KEY}\n{key(server)}\n"}

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"servers that exist need no {args.token}")


def test_every_contender_is_given_exactly_what_the_program_sends(tmp_path: Path) -> None:
    places = [replace(place, host_key=HOST_KEY) for place in previews.places(COUNT)]
    file = tmp_path / "Pulumi.existing.yaml"
    file.write_text(yaml.safe_dump(work.push_jobs_stack(places, previews.PACKAGE)))
    sent = Sent()
    plan = load_stack(stack_files.read_configuration("existing", CLONE, file), CLONE)

    def program() -> pulumi.Output[Any]:
        return pulumi.Output.from_input(make_cluster(plan))

    programs.run(program, sent)
    keys = {place.name: key(place.name) for place in places}
    made = work.push_jobs_order(file, places, tmp_path / "known_hosts")
    assert sent.tasks == {task.id: (task.command, order.filled(task.stdin, keys)) for task in made.tasks}
