"""What a server that is taken over says before anything is changed, of credentials that the copy would replace."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from chef_push_jobs import scripts
from chef_push_jobs.runbook.plan import StackPlan, TaskId
from chef_push_jobs.runbook.script_context import ServerIdentity
from tests.unit.clusters import EXISTING, stack

OTHERS, NONE, UNKNOWN = "0" * 32, "none", ""
COPY_KEY = f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{'A' * 43}"
SV = "#!/bin/sh\necho 'run: opscode-pushy-server: (pid {pid}) 5s'\n"


class Server:
    """A folder that stands for its disk; push jobs `runs` there or not."""

    def __init__(self, disk: Path, *, key: str, runs: bool) -> None:
        self.disk = disk
        for name in ("etc/opscode-push-jobs-server", "etc/opscode", "var/lib/chef-rollout", "bin"):
            (disk / name).mkdir(parents=True)
        (disk / "var/lib/chef-rollout/owner").write_text("project/stack/backend-1")
        if key:
            (disk / "etc/opscode-push-jobs-server/pushy_priv.pem").write_text(key)
        if runs:
            (disk / "bin/sv").write_text(SV.format(pid=os.getpid()))
            (disk / "bin/sv").chmod(0o755)

    def run(self, script: scripts.Script) -> tuple[int, str]:
        text = script.text
        for path in ("=/etc/opscode", "=/var/lib/chef-rollout", " /var/lib/chef-rollout"):
            text = text.replace(path, f"{path[0]}{self.disk}{path[1:]}")
        text = text.replace("/opt/opscode/embedded/bin/sv", f"{self.disk}/bin/sv")
        done = subprocess.run(["sh"], input=text, text=True, capture_output=True, check=False)
        assert not done.stderr
        return done.returncode, done.stdout

    def told(self) -> str:
        """The digest, as the primary of a stack would tell it."""
        status, printed = self.run(scripts.Script("note-running-service", {"reaches_database": "no"}))
        assert status == 0
        return ServerIdentity.parse("10.0.0.4", "", f"{printed}{COPY_KEY}\n").credentials

    def compare(self, theirs: str) -> tuple[int, str]:
        return self.run(scripts.compare_credentials("backend-1", "backend-0", theirs))


@pytest.mark.parametrize(
    ("key", "runs", "theirs", "refused"),
    [
        ("mine", True, OTHERS, "set HERE; push jobs runs here, and this server is master"),
        ("mine", True, NONE, "set HERE; push jobs runs here, and this server is master"),
        ("mine", False, NONE, "set HERE; push jobs does not run here now"),
        ("mine", False, OTHERS, None),  # what a frontend made for itself, say
        ("mine", True, UNKNOWN, None),
        ("", True, OTHERS, None),
        ("", False, NONE, None),
    ],
)
def test_credentials_that_are_at_work_or_the_only_ones_are_not_replaced_by_others(
    tmp_path: Path, key: str, runs: bool, theirs: str, refused: str | None
) -> None:
    server = Server(tmp_path, key=key, runs=runs)
    here = server.told()
    assert (here == NONE) == (key == "")
    status, said = server.compare(theirs)
    assert (status != 0) == bool(refused), said
    if refused:
        assert f"backend-1 has push jobs credentials that would be lost: {refused.replace('HERE', here)}" in said
        assert (
            f"backend-0, the first of the stack's servers, has {'none' if theirs == NONE else f'set {theirs}'}" in said
        )
        (allowed,) = [line for line in said.splitlines() if "| sudo tee" in line]
        assert server.run(scripts.Script("note-running-service", {"reaches_database": "no"}))[0] == 0, (
            "nothing was changed"
        )
        command = allowed.strip().replace("sudo ", "").partition("   #")[0]
        subprocess.run(["sh", "-c", command], check=True, capture_output=True)
        assert server.compare(theirs)[0] == 0, "what it says to do lets them be replaced"


def test_what_this_rollout_gave_may_be_replaced_after_a_rotation_that_did_not_get_to_its_end(tmp_path: Path) -> None:
    server = Server(tmp_path, key="the cluster's", runs=True)
    assert server.compare(server.told())[0] == 0
    status, said = server.compare(OTHERS)
    assert status == 0
    assert "were written by this rollout" in said


def test_nothing_is_installed_anywhere_before_all_servers_that_are_taken_over_have_compared() -> None:
    def waits_for(plan: StackPlan, server: str) -> set[str]:
        return {str(task) for task in plan.tasks[TaskId("push-jobs", "install", server)].waits_for}

    plan = stack(**EXISTING)
    for server in ("backend-0", "frontend-0"):
        assert "compare-credentials-frontend-0" in waits_for(plan, server)
    assert not [task for task in stack().tasks if task.step == "compare-credentials"], (
        "machines that are made have none"
    )
