"""What an operator and a reviewer see: up with its table, the comment and the record, on one cluster.

The tests go on from one another, in their order: each leaves the cluster well.
"""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chef_push_jobs.engine import history
from chef_push_jobs.engine.progress import TaskState
from sandbox.paths import CLONE
from tests.e2e.conftest import Stack, stack

LIMIT = 300  # seconds
CTL = "/opt/opscode-push-jobs-server/bin/opscode-push-jobs-server-ctl"
LOCK = "/var/lib/chef-rollout/lock"


@pytest.fixture(scope="module")
def cluster(root: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack("sandbox", tmp_path_factory.mktemp("seen")) as made:
        yield made


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


def inside(*argv: str) -> list[str]:
    """Where the operator works."""
    return [sys.executable, "-m", "sandbox", "run", "--", *argv]


def up(cluster: Stack, keep: Path) -> list[str]:
    options = ["--yes", "--stack", cluster.name, "--config-file", str(cluster.settings), "--events", str(keep)]
    return inside(sys.executable, "-m", "chef_push_jobs", "up", *options)


def run(cluster: Stack, argv: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, cwd=CLONE, env=cluster.environment(), capture_output=True, text=True, check=False, timeout=LIMIT
    )


def in_terminal(cluster: Stack, argv: list[str]) -> tuple[int, str]:
    """Exit status, and all that was written to the screen."""
    ours, theirs = pty.openpty()
    environment = {**cluster.environment(), "TERM": "xterm", "COLUMNS": "200", "LINES": "50"}
    process = subprocess.Popen(argv, cwd=CLONE, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:
        pass  # how Linux says that the other end is closed
    os.close(ours)
    return process.wait(LIMIT), shown.decode(errors="replace")


def test_the_first_rollout_is_a_table_in_a_terminal(cluster: Stack, kept: Path) -> None:
    status, shown = in_terminal(cluster, up(cluster, kept / "1.jsonl"))
    assert status == 0, shown[-3000:]
    for part in ("server", "push-jobs", "restart", "backend-0", "frontend-1", "✓"):
        assert part in shown
    assert re.search(r"test: \d+ examples: .*; 0 failures", shown)
    assert re.search(r"▸ \d+s", shown), "what runs is shown while it does"
    found = history.load(kept / "1.jsonl")
    assert found.result == "succeeded"
    assert {task.state for task in found.tasks.values()} == {TaskState.DONE}
    assert (kept / "1.jsonl").stat().st_mode & 0o077 == 0, "a record is its owner's"


def test_the_review_of_what_is_not_changed_says_so_by_the_step_of_the_workflow(
    cluster: Stack, policy_pack: Path, tmp_path: Path
) -> None:
    file = tmp_path / "review" / "sandbox.md"
    done = run(cluster, inside(".ci/review", cluster.name, str(file)))
    assert done.returncode == 0, done.stderr
    assert "### Stack `sandbox`: nothing changes\n" in file.read_text()


def test_a_preview_that_cannot_be_made_is_the_comment_and_fails_the_step(cluster: Stack, tmp_path: Path) -> None:
    file = tmp_path / "never-made.md"
    done = run(cluster, inside(".ci/review", "never-made", str(file)))
    assert done.returncode == 1
    assert "### Stack `never-made`: the preview failed\n" in file.read_text()


def test_an_image_that_there_is_none_of_is_told_by_its_setting_and_without_a_traceback(
    cluster: Stack, tmp_path: Path
) -> None:
    settings = tmp_path / "Pulumi.wrong.yaml"
    settings.write_text(cluster.settings.read_text().replace("sandbox-ubuntu-chef-ha", "no-such-image-*"))
    done = run(cluster, inside("pulumi", "preview", "--stack", cluster.name, "--config-file", str(settings)))
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert said.count("machines.image.name: 'no-such-image-*' of self") >= 1
    assert "Traceback" not in said and "unhandled error" not in said
    review = inside(sys.executable, "-m", "chef_push_jobs", "review", "--stack", cluster.name)
    told = run(cluster, [*review, "--config-file", str(settings)])
    assert (told.returncode, told.stderr) == (1, "")
    assert told.stdout.count("machines.image.name: 'no-such-image-*' of self") == 1
    assert "Traceback" not in told.stdout


def test_a_review_makes_the_preview_itself(cluster: Stack) -> None:
    cluster.change(pushJobs={**cluster.setting("pushJobs"), "settings": {"heartbeat_interval": 2000}})
    options = ["--stack", cluster.name, "--config-file", str(cluster.settings)]
    done = run(cluster, inside(sys.executable, "-m", "chef_push_jobs", "review", *options))
    assert done.returncode == 0, done.stderr
    example = (CLONE / "docs" / "examples" / "review-settings-changed.md").read_text()
    assert done.stdout == example, "what is previewed now is what was recorded"


def test_a_failure_is_told_whole_with_exit_status_1(cluster: Stack, kept: Path) -> None:
    """Of the change that was reviewed."""
    cluster.output("frontend-1", f"chmod a-x {CTL}")
    done = run(cluster, up(cluster, kept / "2.jsonl"))
    assert done.returncode == 1
    assert re.search(r"frontend-1  push-jobs reconfigure failed after \d+\.\d s", done.stdout)
    block = history.load(kept / "2.jsonl").tasks["push-jobs-reconfigure-frontend-1"].error
    assert "what next: fix what the log names" in block
    assert block in done.stdout
    cluster.output("frontend-1", f"chmod a+x {CTL}")


def test_an_interrupt_reaches_the_engine_once_and_what_runs_is_let_to_end(cluster: Stack, kept: Path) -> None:
    """Another task holds the server, until the engine was told to stop."""
    holder = cluster.lab.hosts.command("frontend-1", ["flock", LOCK, "sleep", "600"])
    holding = subprocess.Popen(holder, stdout=subprocess.DEVNULL)
    process = subprocess.Popen(
        up(cluster, kept / "3.jsonl"), cwd=CLONE, env=cluster.environment(), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    shown = []
    for line in process.stdout:
        shown.append(line)
        if "frontend-1  push-jobs reconfigure begins" in line:
            process.send_signal(signal.SIGINT)
        if line.startswith("stopping: "):
            process.send_signal(signal.SIGINT)
            cluster.output("frontend-1", "pkill -x sleep")
    assert process.wait(LIMIT) != 0
    holding.wait(LIMIT)
    assert sum(line.startswith("stopping: ") for line in shown) == 1, "".join(shown)
    assert not any("chef-reconfigure begins" in line for line in shown), "nothing new begins"
    again = run(cluster, up(cluster, kept / "4.jsonl"))
    assert again.returncode == 0, again.stdout
    assert history.load(kept / "4.jsonl").outputs["test"].endswith("0 failures"), "it went on from there"


def test_the_record_is_made_of_the_events_and_of_pulumis_own_history(
    cluster: Stack, kept: Path, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    report = [sys.executable, "-m", "chef_push_jobs", "report", "--stack", cluster.name]
    done = run(cluster, inside(*report, "--events", str(kept / "2.jsonl"), "-o", str(page)))
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    for part in (
        "pushJobs.settings.heartbeat_interval",
        "push-jobs-reconfigure failed on frontend-1",
        "The rollouts before",
    ):
        assert part in text
