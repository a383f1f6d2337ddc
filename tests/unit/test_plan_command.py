"""`chef-push-jobs plan`, and the examples that it draws."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from chef_push_jobs.cli.app import main
from chef_push_jobs.cli.plan.command import running
from chef_push_jobs.cli.plan.examples import examples
from chef_push_jobs.config import stack_files
from chef_push_jobs.engine import preview
from chef_push_jobs.runbook.stack import load_stack
from tests.unit.clusters import EXISTING, stack

ROOT = Path(__file__).parents[2]
FILES = Path(__file__).parent / "files" / "previews"
EXAMPLES = ROOT / "docs" / "examples"


@pytest.mark.parametrize("name", sorted(examples(ROOT)))
def test_the_examples_are_what_is_drawn_today(name: str) -> None:
    stale = f"{name} is stale: chef-push-jobs docs"
    assert (EXAMPLES / name).read_text() == examples(ROOT)[name], stale


def test_no_example_is_of_a_stack_that_is_gone() -> None:
    assert {path.name for path in EXAMPLES.glob("plan-*")} == set(examples(ROOT))


def output_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["plan", *arguments]) == 0
    return capsys.readouterr().out


def test_text_is_what_is_drawn_unless_another_format_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert output_of(capsys, "--stack", "example-aws").startswith(
        "Plan of stack example-aws: ha, 4 servers, 40 tasks\n"
    )
    assert output_of(capsys, "--stack", "example-aws", "--format", "mermaid").splitlines()[2] == "flowchart TB"
    assert output_of(capsys, "--stack", "example-aws", "--format", "svg").startswith("<svg ")
    assert json.loads(output_of(capsys, "--stack", "example-aws", "--format", "json"))["topology"] == "ha"


def test_with_a_preview_its_tasks_alone_are_bright(capsys: pytest.CaptureFixture[str]) -> None:
    file = str(FILES / "primary-replaced.json")
    found = json.loads(output_of(capsys, "--stack", "sandbox", "--format", "json", "--preview", file))
    grey = {(task["step"], task["lane"]) for task in found["tasks"] if not task["changed"]}
    own = {("connect", lane) for lane in ("backend-1", "frontend-0")}
    own |= {(f"{runbook}-install", lane) for runbook in ("chef", "push-jobs") for lane in ("backend-1", "frontend-0")}
    assert grey == own | {("firewall", lane) for lane in ("backend-0", "backend-1")}
    drawn = output_of(capsys, "--stack", "sandbox", "--format", "svg", "--preview", file)
    assert drawn.count('class="changed"') == len(found["tasks"]) - len(grey)
    assert drawn.count('class="same"') == len(grey)
    drawn = output_of(capsys, "--stack", "sandbox", "--format", "mermaid", "--preview", file)
    assert (drawn.count(":::changed"), drawn.count(":::same")) == (len(found["tasks"]) - len(grey), len(grey))
    drawn = output_of(capsys, "--stack", "sandbox", "--preview", file)
    marks = "".join(re.findall(r"^[●○│ ]+", drawn, re.MULTILINE))
    assert (marks.count("●") - 1, marks.count("○")) == (len(found["tasks"]) - len(grey), len(grey)), "one in the legend"


def test_a_preview_of_other_settings_is_drawn_with_those_or_told_of(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = ["--stack", "sandbox", "--preview", str(FILES / "frontend-added.json")]
    assert main(["plan", *arguments]) == 0
    warning = capsys.readouterr().err
    assert warning.startswith("warning: the preview runs chef-copy-frontend-2, ")
    other = tmp_path / "other.yaml"
    other.write_text((ROOT / "stacks" / "Pulumi.sandbox.yaml").read_text().replace('frontends: "2"', 'frontends: "3"'))
    assert main(["plan", *arguments, "--config-file", str(other)]) == 0
    found = capsys.readouterr()
    assert found.err == ""
    assert "of which 16 run in the preview" in found.out


@pytest.mark.parametrize("port", [10003.0, 443.0])
def test_a_rule_of_a_push_jobs_port_is_the_firewall_step_of_the_backends(port: float) -> None:
    urn = "urn:pulumi:s::p::a$aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule::r"
    step = {"op": "create", "urn": urn, "newState": {"inputs": {"fromPort": port}}}
    found = running(preview.parse_preview(json.dumps({"steps": [step], "changeSummary": {}})), stack())
    firewall = {"firewall-backend-0", "firewall-backend-1"}
    assert set(map(str, found)) == (firewall if port == 10003 else set())


def test_the_check_of_an_existing_servers_firewall_is_the_firewall_step() -> None:
    urn = "urn:pulumi:s::p::a$command:remote:Command::firewall-backend-0"
    step = {"op": "create", "urn": urn, "newState": {"inputs": {"create": "x"}}}
    found = running(preview.parse_preview(json.dumps({"steps": [step], "changeSummary": {}})), stack(**EXISTING))
    assert set(map(str, found)) == {"firewall-backend-0"}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--stack", "none"], "there is no stack none"),
        (["--stack", "sandbox", "--preview", "/nowhere/p.json"], "No such file"),
        (
            ["--stack", "sandbox", "--preview", str(ROOT / "README.md")],
            "it is not the output of `pulumi preview --json`",
        ),
    ],
)
def test_what_cannot_be_drawn_is_one_line_with_the_reason(
    arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert why in error


def test_packages_and_keys_that_are_elsewhere_are_not_needed(tmp_path: Path) -> None:
    for name in ("Pulumi.yaml", "stacks/Pulumi.sandbox.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    assert (
        load_stack(
            stack_files.read_configuration("sandbox", tmp_path), tmp_path, files=False
        ).settings.push_jobs_package.sha256
        == ""
    )


@pytest.mark.parametrize("folder", ["plan", "check", "docs"])
def test_neither_plan_nor_explanation_knows_pulumi_or_the_cloud(folder: str) -> None:
    modules = sorted((ROOT / "chef_push_jobs" / "cli" / folder).glob("*.py"))
    assert modules
    for module in modules:
        nodes = list(ast.walk(ast.parse(module.read_text())))
        names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
        assert not [name for name in names if name.startswith(("pulumi", "boto", "sandbox", "moto"))]
        assert ast.get_docstring(ast.parse(module.read_text())), f"{module} has no docstring"
