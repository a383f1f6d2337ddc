"""The worked examples of CONTRIBUTING.md: each patch applies to the project as it is, and does what stands below it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.paths import CLONE
from tests.e2e.documents import fences

EXAMPLES = [fence for fence in fences((CLONE / "CONTRIBUTING.md").read_text()) if fence.language == "diff"]
COMMANDS = {
    fence.heading: shlex.split(fence.text)
    for fence in fences((CLONE / "CONTRIBUTING.md").read_text())
    if fence.language == "sh" and fence.text.startswith("python ")
}
PARTS = ("Pulumi.yaml", "__main__.py", "pyproject.toml", "chef_push_jobs", "components", "stacks")


@pytest.fixture
def project(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of the project with the example's patch."""
    for part in PARTS:
        path = CLONE / part
        if path.is_dir():
            shutil.copytree(path, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, tmp_path / part)
    apply = ["git", "apply", "--unidiff-zero", "-"]
    done = subprocess.run(
        apply, cwd=tmp_path, input=request.param.text + "\n", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"the example no longer fits the code: {done.stderr}"
    return tmp_path


def python(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "PYTHONPATH": str(project), "COLUMNS": "200"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True, check=False)


def test_there_is_an_example_for_each() -> None:
    assert [fence.heading for fence in EXAMPLES] == ["A step", "A setting", "A topology", "A resource on AWS"]


@pytest.mark.parametrize("project", [EXAMPLES[0]], indirect=True, ids=["step"])
def test_a_step_of_the_example_is_in_the_plan_on_each_server(project: Path) -> None:
    done = python(project, *COMMANDS["A step"][1:])
    assert done.returncode == 0, done.stderr
    [row] = [line for line in done.stdout.splitlines() if line.endswith("announce")]
    assert row.split() == ["●", "●", "●", "announce"]


@pytest.mark.parametrize("project", [EXAMPLES[1]], indirect=True, ids=["setting"])
def test_a_setting_of_the_example_is_checked_and_explained(project: Path) -> None:
    command = COMMANDS["A setting"][1:]
    done = python(project, *command)
    assert "heartbeatInterval" not in done.stderr
    file = project / "stacks" / "Pulumi.sandbox.yaml"
    settings = file.read_text()
    assert "chef-push-jobs:pushJobs:\n" in settings
    file.write_text(
        settings.replace("chef-push-jobs:pushJobs:\n", "chef-push-jobs:pushJobs:\n    heartbeatInterval: 100\n")
    )
    done = python(project, *command)
    assert "it must be between 1 and 60 seconds" in done.stdout + done.stderr


@pytest.mark.parametrize("project", [EXAMPLES[2]], indirect=True, ids=["topology"])
def test_a_topology_of_the_example_is_planned_and_is_a_tier_to_chef_server(project: Path) -> None:
    file = project / "stacks" / "Pulumi.sandbox-existing-vpc.yaml"
    settings = file.read_text()
    assert "chef-push-jobs:topology: tier\n" in settings
    file.write_text(settings.replace("chef-push-jobs:topology: tier\n", "chef-push-jobs:topology: pair\n"))
    done = python(project, *COMMANDS["A topology"][1:])
    assert done.returncode == 0, done.stderr
    assert "Plan of stack sandbox-existing-vpc: pair, 2 servers" in done.stdout
    program = """
from pathlib import Path
from chef_push_jobs.config.stack_files import read_configuration
from chef_push_jobs.runbook.chef_server import without_frontends
from chef_push_jobs.runbook.stack import load_stack
configuration = read_configuration("sandbox-existing-vpc", Path())
print(without_frontends(load_stack(configuration, Path(), files=False).settings))
"""
    configure = python(project, "-c", program).stdout
    assert 'topology "tier"' in configure
    file.write_text(file.read_text().replace('frontends: "1"', 'frontends: "2"'))
    done = python(project, *COMMANDS["A topology"][1:])
    assert "pair has one backend and one frontend" in done.stderr


@pytest.mark.parametrize("project", [EXAMPLES[3]], indirect=True, ids=["resource"])
def test_a_component_of_the_example_makes_its_volume(project: Path) -> None:
    program = """
import pulumi
from pulumi.runtime.mocks import Mocks
from components.backups import Backups, BackupsArgs
made = []
class Cloud(Mocks):
    def new_resource(self, args):
        made.append((args.typ, args.name, args.inputs.get("size")))
        return args.name, args.inputs
    def call(self, args):
        return {}
pulumi.runtime.set_mocks(Cloud(), project="p", stack="s")
@pulumi.runtime.test
def program():
    return Backups("backups", BackupsArgs(20, "eu-central-1a", {})).volume_id
program()
assert ("aws:ebs/volume:Volume", "backups-volume", 20) in made, made
"""
    done = python(project, "-c", program)
    assert done.returncode == 0, done.stderr
