"""A step that is put into a runbook's table is in everything that a reader is shown, with no other edit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs, Mocks

from bench import previews, work
from chef_push_jobs import scripts
from chef_push_jobs.cli.docs.derived import derived
from chef_push_jobs.cli.doctor.diagnosis import diagnose
from chef_push_jobs.cli.doctor.findings import Finding
from chef_push_jobs.cli.doctor.observations import Cloud
from chef_push_jobs.cli.doctor.remediation import Remediation
from chef_push_jobs.cli.plan import document, mermaid, svg, text
from chef_push_jobs.cli.plan.picture import draw
from chef_push_jobs.cli.report.record import record
from chef_push_jobs.cli.review.comment import comment
from chef_push_jobs.cli.review.preview_review import PreviewReview
from chef_push_jobs.cli.up.table import table
from chef_push_jobs.config.settings import SettingsError
from chef_push_jobs.engine.event_log import Began, Done, Started
from chef_push_jobs.engine.preview import COMMAND, Change, Op, Preview
from chef_push_jobs.engine.progress import rollout
from chef_push_jobs.engine.pulumi_cli import Place
from chef_push_jobs.engine.stack_state import Stack, Target
from chef_push_jobs.model.topology import Role
from chef_push_jobs.runbook import plan as plan_module
from chef_push_jobs.runbook.plan import StackPlan, TaskId, identify
from chef_push_jobs.runbook.steps import Action, Runbook, Step, every, everywhere, of_primary, same
from components.cluster import make_cluster
from sandbox.paths import CLONE
from tests import programs
from tests.unit.clusters import EXISTING, raw, stack

NAME = "push-jobs-warm-up-backend-0"
STEP = Step(
    "warm-up",
    on=everywhere,
    script=lambda cluster, server: scripts.configure("/etc/warm-up", cluster.settings.config.reverify or "slowly"),
    depends_on=(same("reconfigure-primary", "it is warmed up first"), same("reconfigure", "what is warm stays so")),
    triggered_by=(of_primary("configure", "other settings are cold"),),
    restarts={Role.BACKEND: "the heating"},
    tail_lines=2,
    timeout=77,
)


@pytest.fixture(autouse=True)
def new_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the step `test`, which then waits for it."""
    chef, push_jobs = plan_module.RUNBOOKS
    *before, test, again = push_jobs.steps
    test = replace(test, depends_on=(*test.depends_on, every("warm-up", "only what is warm is tested")))
    monkeypatch.setattr(plan_module, "RUNBOOKS", (chef, Runbook(push_jobs.name, (*before, STEP, test, again))))


def test_it_is_in_the_plan_and_known_by_its_name() -> None:
    task = stack().find(NAME)
    assert task
    assert (task.id, task.timeout, task.action) == (TaskId("push-jobs", "warm-up", "backend-0"), 77, Action.COMMAND)
    assert identify(NAME) == task.id


@dataclass
class Made(Mocks):
    """Inputs of the commands, by name."""

    commands: dict[str, dict[str, Any]] = field(default_factory=dict)

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.commands[args.name] = args.inputs
        return args.name, {**args.inputs, "stdout": programs.printed(args.name)}

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise AssertionError(args.token)


def test_the_program_makes_a_resource_of_it() -> None:
    made = Made()
    programs.run(lambda: pulumi.Output.from_input(make_cluster(stack(**EXISTING))), made)
    command = made.commands[NAME]
    assert "slowly" in command["stdin"]
    assert "push-jobs-warm-up 77 2" in command["create"].replace("'", "")
    assert command["triggers"][2:] == ["push-jobs-configure-backend-0"]


@pytest.mark.parametrize("render", [text.render, mermaid.render, svg.render, document.render])
def test_it_is_in_every_drawing_of_the_plan(render: Any) -> None:
    drawn = render(draw("s", stack()))
    assert "warm-up" in drawn
    assert "other settings are cold" in " ".join(drawn.replace("│", "").split())


def changes(plan: StackPlan, *names: str) -> Iterator[Change]:
    for name in names:
        task = plan.find(name)
        assert task
        before = {"create": "x", "stdin": "", "triggers": ["", "one", *("1" for _ in task.triggered_by)]}
        after = {**before, "triggers": ["", "one", *("2" for _ in task.triggered_by)]}
        yield Change(Op.REPLACE, COMMAND, name, name, ("triggers[2]",), ("triggers",), before, after)


def test_a_review_tells_why_it_runs_and_what_it_restarts() -> None:
    plan = stack()
    found = changes(plan, "push-jobs-configure-backend-0", NAME)
    told = comment(PreviewReview("s", plan, Preview(tuple(found))))
    assert "| `push-jobs warm-up` | backend-0 | `configure` runs: other settings are cold |" in told
    assert "| the heating | backend-0 | if the configuration changed |" in told
    assert '["push-jobs warm-up"]' in told


def test_the_live_table_has_a_column_for_it_and_the_report_a_bar_and_its_place_on_the_critical_path() -> None:
    config = {f"chef-push-jobs:{name}": value for name, value in raw({}).items()}
    names = ["push-jobs-configure-backend-0", NAME, "push-jobs-test-backend-0"]
    events: list[Any] = [Began(0.0, config)]
    for at, name in enumerate(names):
        events += [Started(at + 1.0, name, COMMAND, "create", None), Done(at + 2.0, name, COMMAND, "create", {})]
    done = rollout(events)
    assert ("push-jobs", "warm up") in table(done, {}, 9.0).columns
    told = record("s", done)
    assert [(step, server) for step, server, _ in told.path] == [
        ("push-jobs configure", "backend-0"),
        ("push-jobs warm-up", "backend-0"),
        ("push-jobs test", "backend-0"),
    ]
    assert [duration.step for duration in told.durations] == [step for step, _, _ in told.path]


def test_doctor_knows_what_follows_from_a_repair_and_that_it_is_not_rolled_out() -> None:
    plan = stack()
    tasks = (identify("push-jobs-configure-backend-0"), identify(NAME))
    mending = Remediation(Place("s"), plan, "1a", [Finding("backend-0", "settings", "x", tasks)])
    assert NAME not in "".join(mending.all()), "it follows from the other"
    ran = [
        {
            "urn": f"urn:pulumi:s::p::{COMMAND}::{task}",
            "type": COMMAND,
            "inputs": {"triggers": ["", task.fingerprint(plan.context)]},
        }
        for task in plan.tasks.values()
        if task.action is Action.COMMAND
    ]
    targets = [Target(server.name, "10.0.0.4", "ssh-ed25519 A") for server in plan.topology.servers]
    for now, told in ((plan, []), (stack(reverify="fast"), [NAME])):
        found = diagnose(Stack(Place("s"), now, {}, targets, ran), {}, Cloud({}, {}), "")
        assert [finding.text.split("has not run ")[1].split()[0] for finding in found.findings] == told


def test_settings_can_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    named = {"repair": {NAME: "1a"}, "timeLimits": {"warm-up": 5}}
    task = stack(**named).find(NAME)
    assert task
    assert task.timeout == 5
    files = derived(CLONE)
    assert "| `warm-up` |  | 77 |" in files["docs/settings.md"]
    schema = json.loads(files["stacks/schema.json"])["properties"]["config"]["properties"]
    assert "warm-up" in schema["chef-push-jobs:timeLimits"]["properties"]
    monkeypatch.undo()
    with pytest.raises(SettingsError) as refused:
        stack(**named)
    assert [problem.setting for problem in refused.value.problems] == ["timeLimits.warm-up", f"repair.{NAME}"]


def test_the_benchmark_gives_it_to_every_contender(tmp_path: Path) -> None:
    places, file = previews.places(3), tmp_path / "Pulumi.existing.yaml"
    file.write_text(yaml.safe_dump(work.push_jobs_stack(places, previews.PACKAGE)))
    order = work.stack_order(file, places, tmp_path / "known_hosts")
    [task] = [task for task in order.tasks if task.id == NAME]
    assert "slowly" in task.stdin
    assert task.after == ("push-jobs-reconfigure-primary-backend-0", "connect-backend-0")
    assert [task.step in phase.steps for phase in order.phases].count(True) == 1
