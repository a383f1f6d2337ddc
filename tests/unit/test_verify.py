"""When the test runs the suite and when the status is enough; what the status tells."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from chef_push_jobs import scripts
from chef_push_jobs.scripts import Script
from tests.unit.clusters import stack
from tests.unit.test_waiting import CLOCK, PASSES, run

ALIVE = """case "$*" in
  */pushy/_status*) echo '{"status":"it'"'"'s alive","node_fsm_count":2,"job_processes":[]}' ;;
  *) echo '{"status":"pong"}' ;;
esac"""
TOOLS = {
    **CLOCK,
    "curl": ALIVE,
    "hostname": "echo one.chef.test",
    "dpkg-query": "printf 'opscode-push-jobs-server\\t%s\\n' \"$(cat version)\"",
    "ss": "echo head; echo 'LISTEN'",
    "opscode-push-jobs-server-ctl": "echo run >> suites; echo '91 examples, 0 failures'",
}
WELL = "the service runs, ports 10000 10002 listen, https://one.chef.test/pushy/_status answers, 2 clients online"


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """Where push jobs of this version is installed."""
    (tmp_path / "version").write_text("2.2.8-1\n")
    (tmp_path / "var/lib/chef-rollout").mkdir(parents=True)
    return tmp_path


def verify(
    folder: Path,
    mode: str = "suite",
    asked: str = "",
    *,
    runs: bool = True,
    tools: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    script = Script("test", scripts.test(10000, 10002, mode, asked).values)
    (folder / "sv").write_text(f'#!/bin/sh\necho "{"run: x: (pid 1)" if runs else "down: x:"} 1s"\n')
    (folder / "sv").chmod(0o755)
    return run(script, folder, {**TOOLS, **(tools or {})}, {"/opt/opscode/embedded/bin/sv": f"{folder}/sv"})


def suites(folder: Path) -> int:
    file = folder / "suites"
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_the_suite_runs_once_for_a_package_and_when_it_is_asked_for(server: Path) -> None:
    told = []
    for version, asked in (("2.2", ""), ("2.2", ""), ("2.2", "again"), ("2.2", "again"), ("3.0", "again")):
        (server / "version").write_text(f"{version}\n")
        done = verify(server, asked=asked)
        assert done.returncode == 0, done.stdout + done.stderr
        told.append((suites(server), done.stdout.splitlines()[-1].endswith("0 failures")))
    assert told == [(1, True), (1, True), (2, True), (2, True), (3, True)]


def test_a_suite_that_failed_runs_again(server: Path) -> None:
    failing = {"opscode-push-jobs-server-ctl": "echo run >> suites; echo '91 examples, 2 failures'; exit 1"}
    assert verify(server, tools=failing).returncode == 1
    assert verify(server).returncode == 0
    assert suites(server) == 2


def test_the_status_runs_no_suite_and_counts_clients(server: Path) -> None:
    done = verify(server, "status")
    assert done.returncode == 0
    assert done.stdout == f"status: {WELL}; 0 failures\n"
    assert suites(server) == 0


@pytest.mark.parametrize(
    ("runs", "tools", "what"),
    [
        (False, {}, "opscode-pushy-server does not run"),
        (True, {"ss": "echo head"}, "nothing listens on port 10000"),
        (True, {"curl": "echo '{}'"}, "https://one.chef.test/pushy/_status does not answer as push jobs: {}"),
        (
            True,
            {"curl": f'case "$*" in */pushy/*) echo 502; {PASSES.format(10)}; exit 22 ;; esac'},
            "https://one.chef.test/pushy/_status does not respond to this backend within 300 s: 502",
        ),
    ],
)
def test_what_is_not_well_is_told_with_what_to_do(server: Path, runs: bool, tools: dict[str, str], what: str) -> None:
    done = verify(server, "status", runs=runs, tools=tools)
    assert done.returncode == 1
    first, rule, do = done.stdout.splitlines()
    assert (first, rule[:6], do[:6]) == (what, "Rule: ", "Do:   ")


def test_the_stack_says_how_and_reverify_asks() -> None:
    plan = stack(pushJobs__verify="status", reverify="2026-11")
    (first, _) = [task for task in plan.of("push-jobs") if task.step.name == "test"]
    script = first.script(plan.context)
    assert isinstance(script, Script)
    assert (script.values["mode"], script.values["asked"]) == ("status", "2026-11")
