"""The policy pack in the real engine: every row of the table of tests/policies in one program, and what a run sees."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from policy.rules import POLICIES
from sandbox.operator import plugins
from tests.contract.conftest import REPOSITORY
from tests.contract.test_language_host import Project
from tests.policies.parts import SETTINGS, Of, Secret
from tests.policies.table import ROWS

# Resources by their names on the wire, so that the plugin checks them and no class of the SDK does.
PROGRAM = """
import json
from pathlib import Path

import pulumi

made = {}


def given(value):
    if isinstance(value, list):
        return [given(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "$secret" in value:
        return pulumi.Output.secret(value["$secret"])
    if "$of" in value:
        output = getattr(made[value["$of"]], value["output"])
        return output if value["index"] is None else output[value["index"]]
    return {key: given(each) for key, each in value.items()}


for each in json.loads((Path(__file__).parent / "rows.json").read_text()):
    props = {**dict.fromkeys(each["outputs"]), **{key: given(value) for key, value in each["props"].items()}}
    options = pulumi.ResourceOptions(version="7.51.1")
    made[each["name"]] = pulumi.CustomResource(each["type"], each["name"], props, options)
"""
# What other resources use of one; None in a program, so that the plugin says it.
OUTPUTS = ("arn", "name", "defaultSecurityGroupId", "primaryNetworkInterfaceId", "latestVersion")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Settings of a stack as ours, and a plugin that makes any resource out of nothing."""
    made = Project(tmp_path)
    plugin = tmp_path / "pulumi-resource-aws"
    plugin.write_text(f'#!/bin/sh\nPYTHONPATH={REPOSITORY} exec {sys.executable} -P -m tests.contract.any_aws "$@"\n')
    plugin.chmod(0o755)
    aws = plugins.AWS
    place = tmp_path / "home" / "plugins" / aws.folder / aws.file
    place.unlink()
    place.symlink_to(plugin)
    made.environment |= {"PULUMI_EXPERIMENTAL": "true", "PULUMI_SKIP_CHECKPOINTS": "true"}  # nothing to be kept
    for name, value in {"aws:region": "us-east-1", **SETTINGS}.items():
        assert made("config", "set", "--path", name, str(value)).returncode == 0
    return made


def rows() -> list[dict[str, Any]]:
    """Every resource, its name after its row's number."""
    return [
        {
            "type": made.type,
            "name": f"{number}-{made.name}",
            "props": {name: wire(value, number) for name, value in made.props.items()},
            "outputs": [name for name in OUTPUTS if uses(row.resources, made.name, name)],
        }
        for number, row in enumerate(ROWS)
        for made in row.resources
    ]


def wire(value: Any, number: int) -> Any:
    if isinstance(value, Of):
        return {"$of": f"{number}-{value.name}", "output": value.output, "index": value.index}
    if isinstance(value, Secret):
        return {"$secret": value.value}
    if isinstance(value, Mapping):
        return {key: wire(each, number) for key, each in value.items()}
    return [wire(each, number) for each in value] if isinstance(value, list) else value


def uses(value: Any, name: str, output: str) -> bool:
    """Whether the output of a resource is somewhere in there."""
    if isinstance(value, Of):
        return value == Of(name, output)
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return any(uses(getattr(each, "props", each), name, output) for each in inner)


def refused(output: str, level: str) -> dict[int, set[str]]:
    """The policies that each row breaks, as the engine shows them."""
    found: dict[int, set[str]] = {}
    for policy, number in re.findall(rf"\[{level}\]\s+(\S+)\s+\(\S+: (\d+)-", output):
        found.setdefault(int(number), set()).add(policy)
    return found


EXPECTED = {number: set(row.refused) for number, row in enumerate(ROWS) if row.refused}


def write_rows(project: Project) -> None:
    project.write(PROGRAM)
    (project.directory / "program" / "rows.json").write_text(json.dumps(rows()))


def by_words(found: dict[int, set[str]]) -> dict[str, list[str]]:
    return {str(ROWS[number]): sorted(policies) for number, policies in found.items()}


def test_every_row_is_refused_where_it_is_and_nothing_else(project: Project, policy_pack: Path) -> None:
    write_rows(project)
    result = project("preview", "--policy-pack", str(policy_pack))
    assert result.returncode != 0, "a mandatory policy stops it"
    assert by_words(refused(result.stdout, "mandatory")) == by_words(EXPECTED)
    assert "can't run policy" not in result.stdout, "what is not known yet stops no policy"
    assert result.stdout.count("Why: ") == result.stdout.count("Do:  ") >= len(EXPECTED)


UNKNOWN_AT_FIRST = """
import pulumi
import pulumi_aws as aws

tags = {"Name": "x", "team": "chef"}
vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16", tags=tags)
group = aws.ec2.SecurityGroup("group", vpc_id=vpc.id, description="servers", tags=tags)
for port in (11000, 10003):
    aws.vpc.SecurityGroupIngressRule(
        f"rule-{port}", security_group_id=group.id, ip_protocol="tcp", from_port=port, to_port=port,
        cidr_ipv4=vpc.id.apply(lambda id: "0.0.0.0/0"), description="nodes", tags=tags,
    )
"""


def test_what_a_preview_does_not_know_is_stopped_by_the_run_before_it_is_made(
    project: Project, policy_pack: Path
) -> None:
    project.write(UNKNOWN_AT_FIRST)
    preview = project("preview", "--policy-pack", str(policy_pack))
    assert preview.returncode == 0, preview.stdout
    run = project("up", "--yes", "--skip-preview", "--policy-pack", str(policy_pack))
    assert run.returncode != 0
    # The first that is found ends the run, whichever it is.
    assert re.search(r"rule-(11000|10003) lets 0\.0\.0\.0/0 in on port \1", run.stdout)
    state = project("stack", "export").stdout
    assert "::group" in state
    assert "::rule-" not in state


def test_as_advice_they_stop_nothing_and_see_in_a_run_what_they_saw_before(project: Project, policy_pack: Path) -> None:
    write_rows(project)
    file = project.directory / "policies.json"
    file.write_text(json.dumps({policy.name: {"enforcementLevel": "advisory"} for policy in POLICIES}))
    result = project(
        "up", "--yes", "--skip-preview", "--policy-pack", str(policy_pack), "--policy-pack-config", str(file)
    )
    assert result.returncode == 0, result.stdout
    assert by_words(refused(result.stdout, "advisory")) == by_words(EXPECTED)
