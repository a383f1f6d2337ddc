"""The tool that compares two states: each kind of difference is found, and nothing else is one."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.compare_states import differences, main

URN = "urn:pulumi:{stack}::chef-push-jobs::"
COMPONENT, COMMAND = "chef-push-jobs:index:Rollout", "command:remote:Command"


def resource(kind: str, name: str, parent: str = "", **more: Any) -> dict[str, Any]:
    return {"urn": f"{URN}{kind}::{name}", "type": kind.rsplit("$", 1)[-1], "parent": parent and URN + parent, **more}


def exported(stack: str = "s") -> dict[str, Any]:
    connect = f"{URN}{COMPONENT}${COMMAND}::connect-a"
    root = "pulumi:pulumi:Stack"
    found = [
        resource(root, "chef-push-jobs-{stack}"),
        resource(COMPONENT, "push-jobs", f"{root}::chef-push-jobs-{{stack}}"),
        resource(f"{COMPONENT}${COMMAND}", "connect-a", f"{COMPONENT}::push-jobs", id="x1", inputs={"stdin": "one"}),
        resource(
            f"{COMPONENT}${COMMAND}",
            "install-a",
            f"{COMPONENT}::push-jobs",
            dependencies=[connect],
            propertyDependencies={"triggers": [connect], "create": [], "stdin": None},
        ),
    ]
    state = {"deployment": {"resources": found}}
    made: dict[str, Any] = json.loads(json.dumps(state).replace("{stack}", stack))
    return made


def changed(edit: Callable[[list[dict[str, Any]]], object]) -> list[str]:
    new = deepcopy(exported())
    edit(new["deployment"]["resources"])
    return list(differences(exported(), new))


def test_another_stack_another_id_another_script_and_another_order_of_edges_are_no_difference() -> None:
    new = exported("other")
    first = new["deployment"]["resources"][2]
    first |= {"id": "x2", "inputs": {"stdin": "two"}}
    new["deployment"]["resources"].append({**first, "delete": True})
    del new["deployment"]["resources"][3]["propertyDependencies"]["create"]
    assert list(differences(exported(), new)) == []


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        (lambda all: all.pop(), ["gone: {rollout}${command} install-a"]),
        (lambda all: all.append({**all[1], "urn": all[1]["urn"] + "-2"}), ["new: {rollout} push-jobs-2"]),
        (
            lambda all: all[3].update(parent=""),
            ["{rollout}${command} install-a: its parent was {rollout} push-jobs, and is "],
        ),
        (
            lambda all: all[3].update(dependencies=[]),
            ["{rollout}${command} install-a: it no longer depends on {rollout}${command} connect-a"],
        ),
        (
            lambda all: all[3]["dependencies"].append(all[1]["urn"]),
            ["{rollout}${command} install-a: it now depends on {rollout} push-jobs"],
        ),
        (
            lambda all: all[3].update(propertyDependencies={}),
            ["{rollout}${command} install-a: its property triggers no longer depends on {rollout}${command} connect-a"],
        ),
    ],
)
def test_each_difference_is_a_line(edit: Callable[[list[dict[str, Any]]], object], found: list[str]) -> None:
    assert changed(edit) == [line.format(rollout=COMPONENT, command=COMMAND) for line in found]


def test_the_command_ends_with_0_where_they_are_the_same_1_where_not_and_2_without_two_states(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other, none = (tmp_path / name for name in ("one.json", "other.json", "none.json"))
    one.write_text(json.dumps(exported()))
    fewer = exported()
    fewer["deployment"]["resources"].pop()
    other.write_text(json.dumps(fewer))
    none.write_text("[]")
    assert main([str(one), str(one)]) == 0
    assert capsys.readouterr().out == "the same: 4 resources, their parents and edges\n"
    assert main([str(one), str(other)]) == 1
    assert "gone: " in capsys.readouterr().out
    assert [main([str(one), str(none)]), main([str(one)])] == [2, 2]
