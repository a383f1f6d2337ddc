"""The work order that all contenders carry out is what this project itself sends, to the letter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs, Mocks

from bench import order, previews, work
from chef_push_jobs.config import stack_files
from chef_push_jobs.runbook.plan import plan
from chef_push_jobs.runbook.stack import load_stack
from chef_push_jobs.runbook.steps import Runbook, Step, backends, every, same
from components.cluster import make_cluster
from sandbox.paths import CLONE
from tests import programs
from tests.unit.clusters import stack

COUNT = 5
CHEF_SERVER = {"url": "https://packages.example.com/chef-server-core_12.19.31-1_amd64.deb", "sha256": "1" * 64}


def key(server: str) -> str:
    """As long as each is."""
    return f"ssh-ed25519 AAAA{server.replace('-', ''):A<64}"


@dataclass
class Sent(Mocks):
    """Command and script of each task, by its name in the state."""

    tasks: dict[str, tuple[str, str]] = field(default_factory=dict)

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        if args.name.startswith("host-key-"):
            return args.name, {**args.inputs, "stdout": f"{programs.HOST_KEY}\n"}
        if "create" in args.inputs:
            self.tasks[args.name] = (args.inputs["create"], args.inputs["stdin"])
        server = args.name.removeprefix("connect-")
        return args.name, {**args.inputs, "stdout": f"{programs.HOST_KEY}\n{key(server)}\n"}

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"servers that exist need no {args.token}")


@pytest.mark.parametrize("chef_server", [None, CHEF_SERVER], ids=["push-jobs", "environment"])
def test_every_contender_is_given_exactly_what_the_program_sends(
    tmp_path: Path, chef_server: Mapping[str, str] | None
) -> None:
    places, file = written(tmp_path, chef_server)
    sent = Sent()
    stack_plan = load_stack(stack_files.read_configuration("existing", CLONE, file), CLONE)

    def program() -> pulumi.Output[Any]:
        return pulumi.Output.from_input(make_cluster(stack_plan))

    programs.run(program, sent, "bench")
    keys = {place.name: key(place.name) for place in places}
    made = work.stack_order(file, places, tmp_path / "known_hosts")
    assert sent.tasks == {task.id: (task.command, order.filled(task.stdin, keys)) for task in made.tasks}


def written(folder: Path, chef_server: Mapping[str, str] | None = None) -> tuple[list[work.Place], Path]:
    """Servers, and a stack file of them."""
    places = [replace(place, host_key=programs.HOST_KEY) for place in previews.places(COUNT)]
    file = folder / "Pulumi.existing.yaml"
    file.write_text(yaml.safe_dump(work.push_jobs_stack(places, previews.PACKAGE, chef_server)))
    return places, file


def orders(folder: Path) -> Iterator[tuple[order.Order, list[tuple[bool, list[str]]]]]:
    """Of push jobs (with the phases that its published figures were measured with), of Chef server, and of both."""
    known_hosts = folder / "known_hosts"
    push_jobs = [
        (False, ["push-jobs-install"]),
        (False, ["push-jobs-configure", "push-jobs-reconfigure-primary", "push-jobs-rotate", "push-jobs-share"]),
        (False, ["push-jobs-copy", "push-jobs-reconfigure"]),
        (True, ["push-jobs-chef-reconfigure"]),
        (True, ["push-jobs-restart-pushy"]),
        (True, ["push-jobs-test"]),
        (False, ["push-jobs-test-again"]),
    ]
    chef_server = [
        (False, ["compare-credentials"]),
        (False, ["chef-install"]),
        (False, ["chef-configure", "chef-reconfigure-primary", "chef-share"]),
        (False, ["chef-copy", "chef-reconfigure"]),
    ]
    places, file = written(folder)
    first = (False, ["connect", "firewall"])
    yield work.stack_order(file, places, known_hosts), [first, (False, ["compare-credentials"]), *push_jobs]
    places, file = written(folder, CHEF_SERVER)
    yield work.chef_server_order(file, places, known_hosts), [(False, ["connect"]), *chef_server]
    yield work.stack_order(file, places, known_hosts), [first, *chef_server, *push_jobs]


def test_the_phases_are_those_that_were_measured(tmp_path: Path) -> None:
    for made, wanted in orders(tmp_path):
        assert [(phase.serial, list(phase.steps)) for phase in made.phases] == wanted


def test_phases_keep_every_edge(tmp_path: Path) -> None:
    """What a task waits for is in an earlier phase, or earlier in its own on the same server, or had its turn."""
    for made, _ in orders(tmp_path):
        places = {step: (at, turn) for at, phase in enumerate(made.phases) for turn, step in enumerate(phase.steps)}
        tasks = {task.id: task for task in made.tasks}
        assert set(places) == {task.step for task in made.tasks}
        for task in made.tasks:
            for before in map(tasks.get, task.after):
                assert before
                serial = made.phases[places[task.step][0]].serial and before.step == task.step
                here = before.server == task.server and places[before.step] < places[task.step]
                assert serial or here or places[before.step][0] < places[task.step][0]


def test_an_edge_to_another_server_is_a_barrier_even_among_the_same_servers() -> None:
    first = Step("first", on=backends, depends_on=(every("connect", "why"),))
    along = replace(first, name="along", depends_on=(same("first", "why"),))
    after = replace(first, name="after", depends_on=(every("along", "why"),))
    made = plan(stack().settings, [Runbook("r", (first, along, after))])
    found = [phase.steps for phase in work.phases(made.tasks)]
    assert found == [("connect",), ("r-first", "r-along"), ("r-after",)]


def test_peoples_durations_are_a_twentieth_and_differ_between_the_first_run_and_later_ones() -> None:
    found = work.durations("people", "backend-0")
    assert found["chef-server-ctl reconfigure"] == [221 / 20, 51 / 20]
    assert found["dpkg chef-server-core"] == 48 / 20, "what differs between runs needs a log, which dpkg's part has not"
    assert found == work.durations("people", "frontend-0")
