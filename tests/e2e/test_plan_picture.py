"""The plan that is drawn without the engine is the one that the engine had; and what editors need stays in the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chef_push_jobs.cli.plan.picture import draw
from chef_push_jobs.config import stack_files
from chef_push_jobs.runbook.stack import load_stack
from sandbox.paths import CLONE
from tests.e2e.conftest import PROJECT, Stack
from tests.e2e.observed import COMMAND, HOST_KEY

RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
FIREWALL = "firewall"
FIRST = ("connect-", HOST_KEY)


def engine_waits(resources: list[dict[str, Any]]) -> dict[str, set[str]]:
    """By task, the tasks that the state says it depends on; a firewall rule counts as the firewall step."""
    kinds = {one["urn"]: one["type"] for one in resources}
    found = {}
    for one in resources:
        if one["type"] == COMMAND and one["inputs"].get("stdin"):
            urns = one.get("dependencies", [])
            names = {urn.rsplit("::", 1)[1] for urn in urns if kinds[urn] == COMMAND}
            found[one["urn"].rsplit("::", 1)[1]] = names | ({FIREWALL} if RULE in map(kinds.get, urns) else set())
    return found


def test_the_picture_has_the_edges_that_the_engine_had(ha: Stack) -> None:
    plan = load_stack(stack_files.read_configuration("sandbox", CLONE), CLONE)
    drawn: dict[str, set[str]] = {}
    for link in draw("sandbox", plan).unfolded():
        source = FIREWALL if link.source.step == FIREWALL else str(link.source)
        drawn.setdefault(str(link.target), set()).add(source)
    engine = engine_waits(ha.state()["deployment"]["resources"])
    assert set(drawn) == {task for task in engine if not task.startswith(FIRST)}
    for task, sources in drawn.items():
        missing, more = sources - engine[task], engine[task] - sources
        assert not missing, f"{task} is drawn to wait for {missing}, the engine did not"
        # A server's address and keys come from these, whether or not they are a reason to wait.
        assert all(name.startswith(FIRST) for name in more), f"{task} waited for {more}, which is not drawn"


def test_setting_a_value_with_the_cli_keeps_the_line_that_editors_find_the_schema_by(ha: Stack, tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.sandbox.yaml"
    file.write_text((CLONE / "stacks" / "Pulumi.sandbox.yaml").read_text())
    ha.pulumi("config", "set", "--path", f"{PROJECT}:tags.team", "web", "--config-file", str(file))
    content = file.read_text()
    assert "team: web" in content
    assert content.startswith("# yaml-language-server: $schema=schema.json\n")
