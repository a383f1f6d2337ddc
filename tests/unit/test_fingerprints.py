"""What a task's fingerprint is made from: what it does, and not where packages and servers are reached."""

from __future__ import annotations

from typing import Any

import pytest

from chef_push_jobs.config.settings import Settings
from chef_push_jobs.runbook import push_jobs
from chef_push_jobs.runbook.plan import plan
from chef_push_jobs.runbook.script_context import ServerIdentity
from chef_push_jobs.runbook.steps import Action
from tests.unit.clusters import PUSH_JOBS, SHA256, settings

STEPS = {step.name: step for step in push_jobs.STEPS}

HOST, COPY, OTHER = (f"ssh-ed25519 AAAA{letter * 64}" for letter in "HCO")


def texts(of: Settings) -> dict[str, str]:
    """What the fingerprints of all tasks are made from, by name."""
    planned = plan(of)
    return {
        str(task): task.step.meaning(planned.context, task.server)
        for task in planned.tasks.values()
        if task.id.runbook and task.action is Action.COMMAND
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"pushJobs": {"package": {"url": f"https://mirror.test/elsewhere/{PUSH_JOBS}", "sha256": SHA256}}},
        {"ssh": {"keyName": "operators", "port": 2222}},
    ],
)
def test_the_same_package_and_servers_in_another_place_are_no_reason_to_act(changes: dict[str, Any]) -> None:
    assert texts(settings(**changes)) == texts(settings())


def test_another_package_is_another_installation_and_nothing_else_by_itself() -> None:
    before = texts(settings())
    other = {"url": f"https://packages.test/{PUSH_JOBS}", "sha256": "4c" * 32}
    after = texts(settings(pushJobs={"package": other}))
    assert {name for name in before if before[name] != after[name]} == {
        f"push-jobs-install-{server}" for server in ("backend-0", "backend-1", "frontend-0", "frontend-1")
    }


def test_push_jobs_follows_what_it_reads_of_chef_servers_settings() -> None:
    """The address that moves; and the name of a lone server, which is nothing to push jobs on a cluster."""
    nonce = STEPS["reconfigure-primary"].rerun_token
    failing_over = {"topology": "ha", "highAvailability": {"provider": "aws", "vip": "10.0.3.200"}}
    assert nonce(settings(**failing_over)) == "10.0.3.200"
    lone = {"topology": "standalone", "backends": "1", "frontends": "0"}
    assert nonce(settings(**lone, chefServer={"apiFqdn": "one.test"})) == "one.test"
    assert nonce(settings(topology="tier", backends="1", chefServer={"apiFqdn": "one.test"})) == ""


@pytest.mark.parametrize("greeting", ["", "Welcome to backend-0\n\n", "last login: yesterday\n"])
def test_keys_are_found_behind_the_greeting_of_a_login_shell(greeting: str) -> None:
    printed = f"{greeting}{HOST} root@x\n{COPY} chef-rollout\n"
    for kept in (printed, f"{greeting}{COPY} chef-rollout\n"):  # an older version's, and this one's
        assert ServerIdentity.parse("10.0.0.4", HOST, kept) == ServerIdentity("10.0.0.4", HOST, COPY)


@pytest.mark.parametrize(
    "printed",
    [
        "",
        "Welcome\n",
        f"{HOST}\n",
        f"{OTHER}\n{COPY}\n",
        f"{COPY}\n{COPY}\n",
        f"{HOST}\nssh-dss {'A' * 68}\n",
        f"{HOST}\nssh-rsa {'A' * 9999}\n",
        f"{HOST}\n{COPY}; rm -rf \x1b\n",
    ],
)
def test_without_one_copy_key_there_are_no_facts(printed: str) -> None:
    with pytest.raises(ValueError, match="keys were printed instead of one"):
        ServerIdentity.parse("10.0.0.4", HOST, printed)
