"""The wheel: one name, all that belongs to it, and a command that works where there is no clone."""

from __future__ import annotations

import json
import subprocess
import tomllib
import zipfile
from collections.abc import Iterator
from email import message_from_string
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from chef_push_jobs import __version__
from chef_push_jobs.config.package_schema import schema
from sandbox.paths import CLONE
from tests import wheel

EVENTS = CLONE / "tests" / "unit" / "files" / "events"
NOT_INSTALLED = ("__pycache__",)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheel.build(tmp_path_factory.mktemp("wheel"))


def metadata(built: Path, name: str) -> str:
    with zipfile.ZipFile(built) as archive:
        (found,) = [each for each in archive.namelist() if each.endswith(f".dist-info/{name}")]
        return archive.read(found).decode()


def product() -> Iterator[str]:
    """Where each of the product's files is to be installed."""
    for package, installed in (("chef_push_jobs", "chef_push_jobs"), ("components", "chef_push_jobs/components")):
        for file in (CLONE / package).rglob("*"):
            if file.is_file() and not set(file.parts) & set(NOT_INSTALLED):
                yield f"{installed}/{file.relative_to(CLONE / package)}"


def test_every_file_of_the_product_is_in_it_below_one_name(built: Path) -> None:
    with zipfile.ZipFile(built) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert found == set(product())
    assert "chef_push_jobs/py.typed" in found
    assert metadata(built, "top_level.txt").split() == ["chef_push_jobs"]


def test_the_version_is_the_same_wherever_it_is_told(built: Path) -> None:
    plugin = yaml.safe_load((CLONE / "provider" / "PulumiPlugin.yaml").read_text())
    told = message_from_string(metadata(built, "METADATA"))
    assert {told["Version"], plugin["version"], schema()["version"]} == {__version__}
    assert told["Name"] == plugin["name"] == schema()["name"]


def test_its_ranges_allow_exactly_the_packages_that_are_tested(built: Path) -> None:
    told = message_from_string(metadata(built, "METADATA")).get_all("Requires-Dist") or []
    ranges = {canonicalize_name(one.name): one.specifier for one in map(Requirement, told)}
    tested = [Requirement(line) for line in (CLONE / "requirements.txt").read_text().splitlines()]
    exact = {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one in tested}
    assert ranges.keys() == exact.keys()
    for name, specifier in ranges.items():
        assert specifier.contains(exact[name]), f"{name} {exact[name]} is not {specifier}"
        assert {part.operator for part in specifier} == {">=", "<"}, f"{name}: a range"


def test_its_build_needs_what_the_tests_build_it_with() -> None:
    project = tomllib.loads((CLONE / "pyproject.toml").read_text())
    assert set(project["build-system"]["requires"]) <= set((CLONE / "requirements-dev.txt").read_text().splitlines())


def test_the_command_works_where_there_is_no_clone_and_another_folder_components(built: Path, tmp_path: Path) -> None:
    programs = wheel.install(built, tmp_path / ".venv")
    wheel.program(tmp_path, "example-aws")

    def output_of(*arguments: str) -> str:
        done = subprocess.run(
            [programs / "chef-push-jobs", *arguments],
            cwd=tmp_path,
            env=wheel.ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert output_of("--version") == f"chef-push-jobs {__version__}\n"
    assert "topology: ha  [stack file]" in output_of("check", "--stack", "s")
    assert output_of("plan", "--stack", "s").startswith("Plan of stack s: ha, 4 servers, 40 tasks\n")
    files = ["--events", str(EVENTS / "mended.jsonl"), "--history", str(EVENTS / "history.json")]
    assert "<title>s: rollout of 20" in output_of("report", "--stack", "s", *files, "-o", "-")
    output_of("docs")
    assert json.loads((tmp_path / "schema.json").read_text())["title"] == "A stack of mine"
    script = "import components, chef_push_jobs as ours; print(components.__file__, ours.__file__)"
    places = subprocess.run(
        [programs / "python", "-c", script],
        cwd=tmp_path,
        env=wheel.ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(place.startswith(str(tmp_path)) for place in places.stdout.split())
