"""docs/aws.md says what the program needs and makes on AWS: it must not lag behind."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from chef_push_jobs.engine.aws_advice import ADVICE

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "aws.md").read_text()
POLICY = json.loads(re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)[0])
PLUGIN = sorted((ROOT / "sandbox" / "plugins" / "aws").glob("*.py"))
# A client of the stand-in: its method calls are the actions.
CALLED = re.compile(r"""(?:API\.|client\(")(ec2|elbv2|iam|route53|sts)(?:"\))?\.([a-z_]+)\(""")
DESCRIBED = re.compile(r'described\(\s*"([a-z_]+)"')
PAGED = re.compile(r"""(?:API\.|client\(")(ec2|elbv2|iam|route53|sts)(?:"\))?\.get_paginator\(\s*"([a-z_]+)""")
NO_ACTIONS = {"get_paginator", "get_waiter"}  # methods of every client
SERVICES = {"elbv2": "elasticloadbalancing"}


def permitted(action: str) -> bool:
    """Whether some statement of the document's policy allows it, on whatever resource."""
    allowed = [each for statement in POLICY["Statement"] for each in statement["Action"]]
    return any(fnmatchcase(action, pattern) for pattern in allowed)


def actions(text: str) -> Iterator[str]:
    calls = [*CALLED.findall(text), *PAGED.findall(text), *(("ec2", method) for method in DESCRIBED.findall(text))]
    for service, method in calls:
        if method not in NO_ACTIONS:
            yield f"{SERVICES.get(service, service)}:{''.join(word.title() for word in method.split('_'))}"


def resources() -> set[str]:
    """The types of AWS resources that the program makes or looks up, as it names them: ec2.Vpc."""
    found = set()
    for path in (ROOT / "components").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and (name := ast.unparse(node.func)).startswith("aws."):
                found.add(name.removeprefix("aws."))
    return {name for name in found if name.count(".") == 1 and not name.endswith("Args")}


@pytest.mark.parametrize("module", PLUGIN, ids=lambda path: path.stem)
def test_every_action_that_the_resources_call_is_permitted(module: Path) -> None:
    missing = {action for action in actions(module.read_text()) if not permitted(action)}
    assert missing == set(), "the policy in docs/aws.md lacks these"


def test_the_actions_are_found_in_the_source() -> None:
    found = {action for module in PLUGIN for action in actions(module.read_text())}
    assert {"ec2:CreateVpc", "ec2:DescribeSubnets", "ec2:RunInstances"} <= found


def test_nothing_but_the_projects_own_services_is_permitted_as_a_whole() -> None:
    wide = [each for statement in POLICY["Statement"] for each in statement["Action"] if each.endswith(":*")]
    assert wide == [] and not permitted("iam:CreateUser") and not permitted("ec2:CreateSnapshot")


def test_the_policy_fits_into_one_managed_policy() -> None:
    """IAM counts no white space; 6,144 characters are the limit."""
    assert len(json.dumps(POLICY, separators=(",", ":"))) <= 6144


def test_every_resource_of_the_program_is_listed() -> None:
    listed = set(re.findall(r"^\| `([a-z0-9]+\.[A-Za-z_]+)`", TEXT, re.MULTILINE))
    looked_up = {name for name in resources() if ".get_" in name}
    assert resources() - looked_up <= listed, f"docs/aws.md lacks {resources() - looked_up - listed}"


@pytest.mark.parametrize("code", ADVICE)
def test_every_refusal_is_listed_with_its_advice(code: str) -> None:
    advice = ADVICE[code]
    assert f"| `{code}` | {advice[0].upper()}{advice[1:]}. |" in TEXT
