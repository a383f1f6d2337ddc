"""The policy pack has nothing to say of our own stacks: in previews, on one sandbox, and in a run of one of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import lifecycle
from sandbox.paths import CLONE, REGION, Sandbox
from tests.e2e.cli import pulumi
from tests.e2e.conftest import PROJECT, stack
from tests.sandbox.conftest import new_name
from tests.unit.test_workflow import shell, step

FILES = {file.name.split(".")[1]: file.read_text() for file in sorted((CLONE / "stacks").glob("Pulumi.*.yaml"))}
# A stack in a VPC that exists already cannot be previewed without it.
STACKS = [name for name, text in FILES.items() if "vpcId:" not in text]


@pytest.fixture(scope="module")
def sandbox(root: None) -> Iterator[Sandbox]:
    made = Sandbox(new_name())
    lifecycle.start(made, print)
    pulumi(made, "stack", "init", "sandbox")
    yield made
    lifecycle.stop(made, print)


def on_the_sandbox(name: str) -> dict[str, Any]:
    """A stack's settings. One that is for AWS itself gets the sandbox's place of the API, its region and its image."""
    content: dict[str, Any] = yaml.safe_load(FILES[name])
    ours = yaml.safe_load(FILES["sandbox"])
    if "aws:region" in content["config"] and "aws:endpoints" not in content["config"]:
        content = yaml.safe_load(FILES[name].replace(content["config"]["aws:region"], REGION))
        aws = {key: value for key, value in ours["config"].items() if key.startswith("aws:")}
        content["config"] |= {**aws, f"{PROJECT}:machines": ours["config"][f"{PROJECT}:machines"]}
    return {**content, "encryptionsalt": ours["encryptionsalt"]}


@pytest.mark.parametrize("name", STACKS)
def test_our_stacks_pass(name: str, sandbox: Sandbox, policy_pack: Path, tmp_path: Path) -> None:
    file = tmp_path / f"Pulumi.{name}.yaml"
    file.write_text(yaml.safe_dump(on_the_sandbox(name), default_style='"'))
    told = pulumi(
        sandbox, "preview", "--stack", "sandbox", "--config-file", str(file), "--policy-pack", str(policy_pack)
    )
    assert "chef-push-jobs@v" in told, "the policies were asked"
    assert "[mandatory]" not in told
    assert "[advisory]" not in told
    assert "-test-backend-0" in told, "the program ran to its end"


def test_a_run_passes_too_and_the_preview_after_it(
    root: None, policy_pack: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Then ids and names are known, and what AWS has chosen."""
    pack = ("--policy-pack", str(policy_pack))
    with stack("sandbox-ha-aws", tmp_path_factory.mktemp("run")) as made:
        done = made.up(*pack)
        assert "chef-push-jobs@v" in done.stdout, "the policies were asked"
        assert "[mandatory]" not in done.stdout
        assert made.preview(*pack)


def test_the_workflow_makes_the_packs_environment_once(tmp_path: Path) -> None:
    """In a checkout of its own: this one's environment is in use."""
    shutil.copy(CLONE / "requirements.txt", tmp_path)
    shutil.copytree(CLONE / "policy", tmp_path / "policy", ignore=shutil.ignore_patterns(".venv*"))
    script = step("preview", "The policies' own packages")["run"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for _ in range(2):
        done = shell(script, tmp_path, PATH=path)
        assert done.returncode == 0, done.stderr
    python = tmp_path / "policy" / ".venv" / "bin" / "python"
    subprocess.run([python, "-c", "import pulumi_policy, pydantic"], check=True)
