"""The component package from other programs, with the real engine: in YAML by its provider, in Python by import."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.utils import canonicalize_name

from chef_push_jobs.config.package_schema import TOKEN, schema
from sandbox import lifecycle
from sandbox.operator import environments, yaml_language_host
from sandbox.paths import CLONE, Sandbox
from tests import wheel
from tests.e2e.cli import pulumi
from tests.sandbox.conftest import new_name

EXAMPLES = CLONE / "examples"
EVENTS = CLONE / "tests" / "unit" / "files" / "events"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheel.build(tmp_path_factory.mktemp("wheel"))


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


STANDALONE: dict[str, Any] = {
    "topology": "standalone",
    "domain": "chef.test",
    "frontends": None,
    "highAvailability": None,
    "clientCidrs": ["10.1.0.0/24"],
    "operatorCidrs": ["10.8.0.0/24"],
    "ssh": {"publicKeyFile": "operator.pub"},
    "machines": {"image": {"owner": "self", "name": "sandbox-ubuntu-chef-server"}},
    "chefServer": None,
    "pushJobs": {
        "package": {"file": str(CLONE / ".sandbox" / "packages" / "opscode-push-jobs-server_2.2.8-1_amd64.deb")}
    },
}
# Two clusters of one program; each makes a VPC.
TWO = {
    "alpha": {**STANDALONE, "domain": "alpha.test", "vpcCidr": "10.20.0.0/16"},
    "beta": {**STANDALONE, "domain": "beta.test", "vpcCidr": "10.30.0.0/16"},
}
PYTHON = """
import json
from pathlib import Path

import pulumi

from chef_push_jobs.components.cluster import ChefPushJobsCluster

for name, settings in json.loads(Path("clusters.json").read_text()).items():
    cluster = ChefPushJobsCluster(name, settings)
    pulumi.export(name, {"servers": cluster.servers, "test": cluster.test})
"""


def program(folder: Path, example: str, stack: str, sandbox: Sandbox, built: Path | None = None) -> Path:
    """A copy of an example with a stack on the sandbox; the one in Python has the wheel `built`."""
    copy = folder / example
    shutil.copytree(EXAMPLES / example, copy)
    if example == "yaml":
        content = yaml.safe_load((copy / "Pulumi.yaml").read_text())
        content["packages"]["chef-push-jobs"] = str(CLONE / "provider")
        (copy / "Pulumi.yaml").write_text(yaml.safe_dump(content))
    elif built:
        wheel.install(built, copy / ".venv")
    shutil.copy(sandbox.operator_public_key, copy / "operator.pub")
    ours = yaml.safe_load((CLONE / "stacks" / "Pulumi.sandbox.yaml").read_text())
    ours["config"] = {key: value for key, value in ours["config"].items() if key.startswith("aws:")}
    (copy / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump(ours, default_style='"'))
    pulumi(sandbox, "stack", "init", stack, folder=copy)
    return copy


def say(folder: Path, clusters: Mapping[str, Mapping[str, Any]]) -> None:
    """Have the program say these clusters, by name, with these settings beside the example's; None takes one out."""
    if folder.name == "python":
        given = {name: {key: v for key, v in changes.items() if v is not None} for name, changes in clusters.items()}
        (folder / "clusters.json").write_text(json.dumps(given))
        (folder / "cluster.py").write_text(PYTHON)
        return
    content, example = (yaml.safe_load((at / "Pulumi.yaml").read_text()) for at in (folder, EXAMPLES / "yaml"))
    properties = example["resources"]["chef"]["properties"]
    content["resources"] = {
        name: {
            "type": "chef-push-jobs:ChefPushJobsCluster",
            "properties": {key: v for key, v in {**properties, **changes}.items() if v is not None},
        }
        for name, changes in clusters.items()
    }
    content["outputs"] = {
        name: {"servers": f"${{{name}.servers}}", "test": f"${{{name}.test}}"} for name in content["resources"]
    }
    (folder / "Pulumi.yaml").write_text(json.dumps(content))  # which is YAML, and has no aliases


def state(sandbox: Sandbox, folder: Path) -> list[dict[str, Any]]:
    """Secrets in the clear: each run encrypts them anew."""
    export = json.loads(pulumi(sandbox, "stack", "export", "--show-secrets", folder=folder))
    found: list[dict[str, Any]] = export["deployment"].get("resources", [])
    return found


def of_cluster(resources: list[dict[str, Any]], name: str) -> dict[str, dict[str, Any]]:
    """What belongs to a cluster, by URN: the resource of that name, and all below."""
    found: dict[str, dict[str, Any]] = {}
    for one in resources:
        if one["urn"].endswith(f"{TOKEN}::{name}") or one.get("parent") in found:
            found[one["urn"]] = one
    return found


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


@pytest.mark.parametrize("example", ["yaml", "python"])
def test_one_program_brings_two_clusters_up_and_destroys_one_alone(
    sandbox: Sandbox, built: Path, tmp_path: Path, example: str
) -> None:
    """Each on one server, whose image holds Chef server already; the key's path is relative to the program."""
    folder = program(tmp_path, example, f"two-{example}", sandbox, built)
    say(folder, TWO)
    pulumi(sandbox, "up", "--yes", "--skip-preview", folder=folder)
    before = state(sandbox, folder)
    outputs = before[0]["outputs"]
    for name in TWO:
        assert outputs[name]["test"].endswith("0 failures")
        assert outputs[name]["servers"]["backend-0"]["fqdn"] == f"backend-0.{name}.test"
        children = set(of_cluster(before, name)) - {next(iter(of_cluster(before, name)))}
        assert {urn.rsplit("::", 1)[1].partition("-")[0] for urn in children} == {name}
        cluster = next(iter(of_cluster(before, name).values()))
        assert cluster["inputs"]["domain"] == f"{name}.test"
        assert cluster["outputs"].keys() >= {"servers", "ports", "test"}
    assert "unchanged" in pulumi(sandbox, "preview", "--expect-no-changes", folder=folder)
    if example == "yaml":
        say(folder, {"beta": TWO["beta"]})
        pulumi(sandbox, "up", "--yes", "--skip-preview", folder=folder)
    else:
        alpha = next(iter(of_cluster(before, "alpha")))
        pulumi(sandbox, "destroy", "--yes", "--skip-preview", "--target", alpha, "--target-dependents", folder=folder)
    after = state(sandbox, folder)
    assert not of_cluster(after, "alpha")
    assert facts(of_cluster(after, "beta")) == facts(of_cluster(before, "beta")), "the other is as it was"
    say(folder, {"beta": TWO["beta"]})
    again = pulumi(sandbox, "preview", "--expect-no-changes", folder=folder)
    assert "unchanged" in again
    pulumi(sandbox, "destroy", "--yes", "--skip-preview", folder=folder)
    assert not of_cluster(state(sandbox, folder), "beta")


def facts(resources: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What says that nothing was done to a resource."""
    return {urn: [one.get(key) for key in ("id", "inputs", "outputs", "created")] for urn, one in resources.items()}


@pytest.mark.parametrize(
    ("name", "changes", "problem"),
    [
        ("chef", {"topology": "cluster"}, "topology: 'cluster'\n.*Rule: it is one of 'standalone', 'tier' or 'ha'."),
        (
            "cluster-with-a-long-name",
            {},
            "the cluster's name: 'cluster-with-a-long-name'\n.*Rule: it has up to 14 letters",
        ),
    ],
)
def test_a_mistake_in_a_program_in_yaml_is_reported_with_its_rule(
    sandbox: Sandbox, tmp_path: Path, name: str, changes: dict[str, Any], problem: str
) -> None:
    folder = program(tmp_path, "yaml", f"wrong-{name}", sandbox)
    say(folder, {name: changes})
    printed = pulumi(sandbox, "preview", folder=folder, check=False)
    assert re.search(problem, printed), printed
    assert "Traceback" not in printed


def test_both_examples_preview_the_same_cluster(sandbox: Sandbox, built: Path, tmp_path: Path) -> None:
    planned = {}
    for example in ("python", "yaml"):
        folder = program(tmp_path, example, "example", sandbox, built)
        told = pulumi(sandbox, "preview", "--json", "--stack", "example", folder=folder)
        steps = json.loads(told)["steps"]
        planned[example] = {step["urn"].partition("ChefPushJobsCluster")[2] for step in steps}
    assert planned["python"] == planned["yaml"]
    assert any(urn.endswith("::chef-push-jobs-test-backend-0") for urn in planned["python"]), "the whole plan"


def test_a_program_with_the_wheel_and_a_folder_components_of_its_own(
    sandbox: Sandbox, built: Path, tmp_path: Path
) -> None:
    """It previews, with its own `components.cluster` and ours, and the command works there on the selected stack."""
    programs = wheel.install(built, tmp_path / ".venv")
    wheel.program(tmp_path, "sandbox")
    (tmp_path / ".sandbox").symlink_to(CLONE / ".sandbox")
    pulumi(sandbox, "stack", "init", "s", folder=tmp_path)
    told = json.loads(pulumi(sandbox, "preview", "--json", folder=tmp_path))
    assert any(step["urn"].endswith("::push-jobs-test-backend-0") for step in told["steps"]), "the whole plan"
    for arguments, words in (
        (["check"], "topology: ha  [stack file]"),
        (["plan"], "Plan of stack s: ha, 4 servers"),
        (["review"], "### Stack `s`"),
        (["report", "--events", str(EVENTS / "mended.jsonl"), "-o", "-"], "<title>s: rollout of 20"),
    ):
        assert words in inside(sandbox, tmp_path, str(programs / "chef-push-jobs"), *arguments)


def inside(sandbox: Sandbox, folder: Path, *command: str) -> str:
    """What a command prints where the operator works."""
    there = ["sh", "-c", 'cd "$0" && exec "$@"', str(folder), *command]
    done = subprocess.run(
        [sys.executable, "-m", "sandbox", "run", "--", *there],
        cwd=CLONE,
        env={**wheel.ENVIRONMENT, "SANDBOX": sandbox.name},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return done.stdout


def test_pip_finds_packages_for_all_that_it_needs(built: Path) -> None:
    """The real index is asked; nothing is installed."""
    told = wheel.pip("install", "--dry-run", "--ignore-installed", "--report", "-", str(built))
    found = {canonicalize_name(each["metadata"]["name"]) for each in json.loads(told)["install"]}
    assert {"chef-push-jobs", "pulumi-aws", "pulumi-command", "typer"} <= found
