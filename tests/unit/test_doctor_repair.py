"""The setting `repair`: which tasks it can name, what follows from them, and that it changes the fingerprint of one."""

from __future__ import annotations

import pytest

from chef_push_jobs.config.settings import SettingsError, load
from chef_push_jobs.model.topology import Kind, numbered, topology
from chef_push_jobs.runbook import repair
from tests.unit.clusters import ROOT, raw

HA = topology(Kind.HA, numbered(2, 2, "chef.test"))


def test_a_repair_names_any_task_of_the_stack() -> None:
    every = dict.fromkeys(repair.tasks(HA), "1a")
    assert load(raw({"repair": every}), ROOT, repair.tasks).repair("connect-frontend-1") == ("1a",)


def test_a_task_without_repair_has_no_trigger_so_that_the_setting_itself_runs_nothing() -> None:
    assert load(raw({}), ROOT, repair.tasks).repair("connect-frontend-1") == ()


@pytest.mark.parametrize(
    ("task", "remedy"),
    [
        ("push-jobs-copy-backend-0", "push-jobs-copy-backend-1"),
        ("copy-frontend-0", "chef-copy-frontend-0"),
        ("push-jobs-copy-frontend-9", "push-jobs-copy-frontend-1"),
        ("xyzzy", "take it out, or see `pulumi preview` for the tasks"),
    ],
)
def test_a_task_that_is_none_is_refused_with_those_that_are_like_it(task: str, remedy: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(raw({"repair": {task: "1a"}}), ROOT, repair.tasks)
    (problem,) = refused.value.problems
    assert (problem.setting, problem.rule) == (f"repair.{task}", "there is no such task in this stack")
    assert remedy in problem.remedy


def test_a_repair_of_no_task_is_told_beside_the_other_problems() -> None:
    with pytest.raises(SettingsError) as refused:
        load(raw({"repair": {"xyzzy": "1a"}, "clientCidrs": ["0.0.0.0/0"]}), ROOT, repair.tasks)
    assert [problem.setting for problem in refused.value.problems] == ["clientCidrs", "repair.xyzzy"]


def test_a_nonce_is_a_word() -> None:
    with pytest.raises(SettingsError):
        load(raw({"repair": {"connect-frontend-1": "$(id)"}}), ROOT, repair.tasks)


def test_what_follows_from_a_copy_is_its_reconfigure_and_the_test() -> None:
    assert repair.following(frozenset({"push-jobs-copy-frontend-0"}), HA) == {
        "push-jobs-reconfigure-frontend-0",
        "push-jobs-test-backend-0",
        "push-jobs-test-backend-1",
    }


def test_everything_of_a_server_follows_from_its_connect() -> None:
    following = repair.following(frozenset({"connect-frontend-0"}), HA)
    own = {task for task in repair.tasks(HA) if task.endswith("-frontend-0")}
    assert own - following == {"connect-frontend-0"}
    assert not {task for task in following if task.endswith("-frontend-1")}
