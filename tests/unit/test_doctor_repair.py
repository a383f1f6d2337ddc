"""The setting `repair`: which tasks it can name, and what follows from them."""

from __future__ import annotations

from typing import Any

import pytest

from chef_push_jobs.config.settings import SettingsError
from chef_push_jobs.runbook.plan import identify
from tests.unit.clusters import EXISTING, stack
from tests.unit.test_doctor import look, the_stack

HA = stack()
PACKAGE = {"url": "https://packages.test/chef-server-core_12.17.5-1_amd64.deb", "sha256": "3b" * 32}


def adjustable() -> list[str]:
    return [str(task) for task in HA.tasks.values() if task.step.adjustable]


def test_a_repair_names_any_task_of_the_stack_that_runs_a_script() -> None:
    repaired = stack(repair=dict.fromkeys(adjustable(), "1a")).settings
    assert repaired.repair("connect-frontend-1") == "1a"
    assert len(repaired.config.repair) == 38


def test_a_repair_that_was_not_rolled_out_is_one_to_do_and_one_that_is_taken_out_is_none() -> None:
    """A stack's last `pulumi up` had a repair of `install` and none of `share`."""
    share, install = "push-jobs-share-backend-0", "push-jobs-install-backend-0"
    told = [finding.text for finding in look(stack=the_stack(repair={share: "1a"})).findings]
    assert told == [f"the settings changed since the last pulumi up, which has not run {share} yet"]
    after = the_stack()
    for one in after.resources:
        if one["urn"].endswith(f"::{install}"):
            one["inputs"]["triggers"][0] = "1a"
    assert look(stack=after).findings == ()


@pytest.mark.parametrize(
    ("task", "remedy"),
    [
        ("push-jobs-copy-backend-0", "push-jobs-copy-backend-1"),
        ("copy-frontend-0", "chef-copy-frontend-0"),
        ("push-jobs-copy-frontend-9", "push-jobs-copy-frontend-1"),
        ("xyzzy", "remove it, or see `pulumi preview` for the tasks"),
    ],
)
def test_a_task_that_is_none_is_refused_with_those_that_are_like_it(task: str, remedy: str) -> None:
    with pytest.raises(SettingsError) as refused:
        stack(repair={task: "1a"})
    (problem,) = refused.value.problems
    assert (problem.setting, problem.rule) == (f"repair.{task}", "this stack has no such task")
    assert remedy in problem.remedy
    assert problem.remedy.startswith("remove it"), "it may be of a server that has left the stack"


@pytest.mark.parametrize(
    ("settings", "task"),
    [
        (EXISTING, "chef-install-backend-0"),
        (EXISTING, "uninstall-backend-0"),
        (EXISTING, "firewall-backend-0"),
        ({**EXISTING, "pushJobs": {"package": {"file": "p_1_amd64.deb"}}}, "push-jobs-upload-backend-0"),
        ({}, "firewall-backend-0"),
    ],
)
def test_a_task_that_this_stack_does_not_run_is_refused(settings: dict[str, Any], task: str) -> None:
    with pytest.raises(SettingsError) as refused:
        stack(**settings, repair={task: "1a"})
    assert f"repair.{task}" in [problem.setting for problem in refused.value.problems]


def test_servers_that_exist_run_chef_servers_tasks_where_the_stack_gives_its_package() -> None:
    given = stack(**EXISTING, chefServer__package=PACKAGE, repair={"chef-install-backend-0": "1a"})
    assert given.settings.repair("chef-install-backend-0") == "1a"


def test_a_repair_of_no_task_is_told_beside_the_other_problems() -> None:
    with pytest.raises(SettingsError) as refused:
        stack(repair={"xyzzy": "1a"}, clientCidrs=["0.0.0.0/0"])
    assert [problem.setting for problem in refused.value.problems] == ["clientCidrs", "repair.xyzzy"]
    with pytest.raises(SettingsError) as refused:
        stack(**EXISTING, repair={"chef-install-backend-0": "1a"}, vpcCidr="10.0.0.0/8", timeLimits={"instal": 0})
    assert [problem.setting for problem in refused.value.problems] == [
        "timeLimits.instal",
        "vpcCidr",
        "vpcCidr",
        "timeLimits.instal",
        "repair.chef-install-backend-0",
    ]


def test_a_nonce_is_a_word() -> None:
    with pytest.raises(SettingsError):
        stack(repair={"connect-frontend-1": "$(id)"})


def following(name: str) -> set[str]:
    return {str(task) for task in HA.following([identify(name)])}


def test_what_follows_from_a_copy_is_its_reconfigure_and_the_test() -> None:
    assert following("push-jobs-copy-frontend-0") == {
        "push-jobs-reconfigure-frontend-0",
        "push-jobs-test-backend-0",
        "push-jobs-test-backend-1",
        "push-jobs-test-again-backend-0",
    }


def test_everything_of_a_server_follows_from_its_connect() -> None:
    found = following("connect-frontend-0")
    own = {task for task in adjustable() if task.endswith("-frontend-0")}
    assert own - found == {"connect-frontend-0"}
    assert not {task for task in found if task.endswith("-frontend-1")}
