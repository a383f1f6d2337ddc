"""Reading previews that a real engine made of the ha stack (python -m tests.recordings), and some that are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chef_push_jobs.engine.preview import Op, Preview, PreviewError, parse_preview

FILES = Path(__file__).parent / "files" / "previews"


def recorded(name: str) -> Preview:
    return parse_preview((FILES / f"{name}.json").read_text())


def test_a_new_frontend_runs_its_own_tasks_and_those_that_follow() -> None:
    preview = recorded("frontend-added")
    own = {"connect", "chef-install", "chef-copy", "chef-reconfigure"}
    own |= {"push-jobs-install", "push-jobs-copy", "push-jobs-reconfigure"}
    primary = {"chef-configure", "chef-reconfigure-primary", "chef-share", "push-jobs-share", "push-jobs-test"}
    assert preview.running == {
        *(f"{task}-frontend-2" for task in own),
        *(f"{task}-backend-0" for task in primary),
        "chef-copy-backend-1",
        "chef-reconfigure-backend-1",
        "push-jobs-test-backend-1",
        "push-jobs-test-again-backend-0",
    }
    created = {change.name for change in preview.different if change.op is Op.CREATE}
    assert {"frontend-2", "chef-upload-frontend-2"} <= created
    assert (preview.warnings, preview.errors) == ((), ())


def test_the_reason_of_a_replacement_is_the_trigger_that_changed() -> None:
    (share,) = [one for one in recorded("frontend-added").changes if one.name == "push-jobs-share-backend-0"]
    assert share.op is Op.REPLACE
    assert share.changed == ("create", "stdin", "triggers[1]", "triggers[8]")
    assert share.forcing == ("triggers[1]", "triggers[8]"), "another text alone would be no reason to run it"
    assert share.triggers == (1, 8)


def test_a_replacement_for_its_machines_sake_has_other_triggers_though_the_engine_names_none() -> None:
    (connect,) = [one for one in recorded("primary-replaced").changes if one.name == "connect-backend-0"]
    assert (connect.op, connect.changed, connect.triggers) == (Op.REPLACE, (), (1,))


def test_what_leaves_the_stack_runs_nothing() -> None:
    preview = recorded("frontend-removed")
    gone = {change.name for change in preview.changes if change.op is Op.DELETE}
    assert {"frontend-1", "connect-frontend-1", "push-jobs-reconfigure-frontend-1"} <= gone
    assert not gone & preview.running
    assert all(not change.after for change in preview.changes if change.name in gone)


def test_an_update_of_a_task_runs_nothing_and_one_of_a_command_without_update_runs() -> None:
    preview = parse_preview((FILES.parent / "time-limits-changed.json").read_text())
    assert {change.op for change in preview.different} == {Op.UPDATE}
    assert preview.running == frozenset()
    step = {"op": "update", "urn": "urn:pulumi:s::p::command:remote:Command::connect-a"}
    states = {"oldState": {"inputs": {"create": "old"}}, "newState": {"inputs": {"create": "new"}}}
    assert parse_preview(json.dumps({"steps": [{**step, **states}], "changeSummary": {}})).running == {"connect-a"}


def test_the_three_steps_of_a_replacement_are_one_change() -> None:
    urn = "urn:pulumi:s::p::a:index:A$command:remote:Command::install-a"
    old, new = {"inputs": {"create": "x", "triggers": ["1"]}}, {"inputs": {"create": "x", "triggers": ["2"]}}
    steps = [
        {"op": "create-replacement", "urn": urn, "oldState": old, "newState": new},
        {"op": "replace", "urn": urn, "detailedDiff": {"triggers[0]": {"kind": "update-replace"}}},
        {"op": "delete-replaced", "urn": urn, "oldState": old},
    ]
    for order in (steps, steps[::-1]):
        (change,) = parse_preview(json.dumps({"steps": order, "changeSummary": {}})).changes
        assert (change.op, change.type, change.name) == (Op.REPLACE, "command:remote:Command", "install-a")
        assert (change.changed, change.forcing, change.triggers) == (("triggers[0]",), ("triggers[0]",), (0,))
        assert change.runs


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Previewing update (sandbox)",
        "[]",
        '{"steps": []}',
        '{"steps": [{"op": "explode", "urn": "urn:pulumi:s::p::t::n"}], "changeSummary": {}}',
    ],
)
def test_what_is_no_preview_is_refused(text: str) -> None:
    with pytest.raises(PreviewError):
        parse_preview(text)


def test_errors_and_warnings_of_the_preview_are_told() -> None:
    messages = [{"message": "aws: no credentials\n", "severity": "error"}, {"message": "old", "severity": "warning"}]
    found = parse_preview(json.dumps({"diagnostics": messages, "changeSummary": None}))
    assert (found.errors, found.warnings) == (("aws: no credentials",), ("old",))
