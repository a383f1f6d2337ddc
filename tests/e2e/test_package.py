"""The component package from other programs, with the real engine: in YAML by its provider, in Python by import."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from chef_push_jobs.config.package_schema import TOKEN, schema
from sandbox import lifecycle
from sandbox.operator import environments, yaml_language_host
from sandbox.paths import CLONE, Sandbox
from tests.e2e.cli import pulumi
from tests.sandbox.conftest import new_name

EXAMPLES = CLONE / "examples"
PACKAGED = ("components", "pyproject.toml", "requirements.txt", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def sandbox(root: None) -> Iterator[Sandbox]:
    made = Sandbox(new_name())
    lifecycle.start(made, print)
    yield made
    lifecycle.stop(made, print)


@pytest.fixture(scope="module", autouse=True)
def language_host() -> None:
    yaml_language_host.install()
    environments.make(CLONE / "provider")


def program(folder: Path, example: str, stack: str, sandbox: Sandbox, **changes: Any) -> Path:
    """A copy of an example with a stack on the sandbox; `changes` are properties of one in YAML, None for out."""
    copy = folder / example
    shutil.copytree(EXAMPLES / example, copy)
    if example == "yaml":
        content = yaml.safe_load((copy / "Pulumi.yaml").read_text())
        content["packages"]["chef-push-jobs"] = str(CLONE / "provider")
        properties = content["resources"]["chef"]["properties"]
        properties.update(changes)
        content["resources"]["chef"]["properties"] = {
            name: value for name, value in properties.items() if value is not None
        }
        (copy / "Pulumi.yaml").write_text(yaml.safe_dump(content))
    ours = yaml.safe_load((CLONE / "stacks" / "Pulumi.sandbox.yaml").read_text())
    ours["config"] = {key: value for key, value in ours["config"].items() if key.startswith("aws:")}
    (copy / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump(ours, default_style='"'))
    pulumi(sandbox, "stack", "init", stack, folder=copy)
    return copy


def installed_here() -> dict[str, float]:
    """What is installed in the project's own environment, and when it was last changed."""
    (site,) = (CLONE / ".venv").glob("lib/python*/site-packages")
    return {each.name: each.stat().st_mtime for each in site.glob("*.dist-info")}


def test_the_schema_is_what_the_settings_say_and_passes_the_engines_check(sandbox: Sandbox) -> None:
    """And pip, which the engine has install the provider's packages for it, leaves the project's alone."""
    before = installed_here()
    complaints = pulumi(sandbox, "schema", "check", "./provider")
    assert "warning" not in complaints.lower(), "no complaint, for any language"
    found = json.loads(pulumi(sandbox, "package", "get-schema", "./provider"))
    assert installed_here() == before
    expected = schema()
    assert found["types"].keys() == expected["types"].keys()
    for part in ("inputProperties", "properties"):
        assert found["resources"][TOKEN][part] == expected["resources"][TOKEN][part]


def test_a_program_in_yaml_brings_a_cluster_up(sandbox: Sandbox, tmp_path: Path) -> None:
    """On one server, whose image holds Chef server already; the key's path is relative to the program."""
    package = CLONE / ".sandbox" / "packages" / "opscode-push-jobs-server_2.2.8-1_amd64.deb"
    folder = program(
        tmp_path,
        "yaml",
        "dev",
        sandbox,
        topology="standalone",
        domain="chef.test",
        frontends=None,
        clientCidrs=["10.1.0.0/24"],
        operatorCidrs=["10.8.0.0/24"],
        ssh={"publicKeyFile": "operator.pub"},
        machines={"image": {"owner": "self", "name": "sandbox-ubuntu-chef-server"}},
        chefServer=None,
        pushJobs={"package": {"file": str(package)}},
    )
    shutil.copy(sandbox.operator_public_key, folder / "operator.pub")
    pulumi(sandbox, "up", "--yes", "--skip-preview", "--stack", "dev", folder=folder)
    state = json.loads(pulumi(sandbox, "stack", "export", "--stack", "dev", folder=folder))
    resources = {each["type"]: each for each in state["deployment"]["resources"]}
    outputs = resources["pulumi:pulumi:Stack"]["outputs"]
    assert outputs["test"].endswith("0 failures")
    assert outputs["servers"]["backend-0"]["fqdn"] == "backend-0.chef.test"
    cluster = resources["chef-push-jobs:index:ChefPushJobsCluster"]
    assert cluster["outputs"].keys() >= {"servers", "ports", "test"}
    again = pulumi(sandbox, "preview", "--expect-no-changes", "--stack", "dev", folder=folder)
    assert "unchanged" in again
    pulumi(sandbox, "destroy", "--yes", "--skip-preview", "--stack", "dev", folder=folder)


def test_a_mistake_in_a_program_in_yaml_is_told_with_its_rule(sandbox: Sandbox, tmp_path: Path) -> None:
    folder = program(tmp_path, "yaml", "wrong", sandbox, topology="cluster")
    told = pulumi(sandbox, "preview", "--stack", "wrong", folder=folder, check=False)
    assert "topology: 'cluster'" in told
    assert "Rule: it is one of 'standalone', 'tier' or 'ha'." in told
    assert "Traceback" not in told


def installed(folder: Path) -> None:
    """An environment for the example: this project as pip installs it, and the dependencies that are here already."""
    source = folder.parent / "source"
    source.mkdir()
    for name in PACKAGED:
        copy = shutil.copytree if (CLONE / name).is_dir() else shutil.copy
        copy(CLONE / name, source / name)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / ".venv"], check=True)
    (site,) = (folder / ".venv").glob("lib/python*/site-packages")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--target", site, source],
        check=True,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    (here,) = Path(sys.prefix).glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(str(here))


def test_both_examples_preview_the_same_cluster(sandbox: Sandbox, tmp_path: Path) -> None:
    planned = {}
    for example in ("python", "yaml"):
        folder = program(tmp_path, example, "example", sandbox)
        if example == "python":
            installed(folder)
        told = pulumi(sandbox, "preview", "--json", "--stack", "example", folder=folder)
        steps = json.loads(told)["steps"]
        planned[example] = {step["urn"].partition("ChefPushJobsCluster")[2] for step in steps}
    assert planned["python"] == planned["yaml"]
    assert any(urn.endswith("::push-jobs-test-backend-0") for urn in planned["python"]), "the whole plan"
