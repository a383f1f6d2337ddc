"""The record of a rollout: what the page says, where its bars are, and how it looks in a browser without a network."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from chef_push_jobs.cli.app import main
from chef_push_jobs.cli.report import critical_path
from chef_push_jobs.cli.report.page import page, seconds
from chef_push_jobs.cli.report.record import Record, record
from chef_push_jobs.cli.report.timeline import LETTER, WIDTH, timeline
from chef_push_jobs.engine import history
from chef_push_jobs.engine.progress import RolloutProgress, TaskProgress, TaskState
from chef_push_jobs.engine.stack_history import differences, of, parse_history
from tests.browser import brightness, chromium, screenshot
from tests.examples import EXAMPLES
from tests.unit.test_events import TESTED

EVENTS = Path(__file__).parent / "files" / "events"
UPDATES = parse_history((EVENTS / "history.json").read_text())


def recorded(name: str) -> RolloutProgress:
    return history.load(EVENTS / f"{name}.jsonl")


def told(name: str) -> Record:
    names = ["first", "failed", "mended"]
    return record("sandbox", recorded(name), [recorded(one) for one in names[: names.index(name)]], UPDATES)


# What it says


def test_the_critical_path_leads_from_a_machine_to_the_test_over_tasks_that_waited_for_each_other() -> None:
    found = recorded("first")
    assert found.plan
    names = critical_path.path(found.tasks, found.plan)
    assert (found.tasks[names[0]].step, names[-1]) == ("machine", "push-jobs-test-again-backend-0")
    for one, other in pairwise(names):
        ended = found.tasks[one].ended
        assert ended is not None
        assert ended <= found.tasks[other].started
        task = found.plan.find(other)
        rivals = (
            [found.tasks[str(name)].ended or 0 for name in task.depends_on if str(name) in found.tasks] if task else []
        )
        assert ended >= max(rivals, default=0), f"{other} waited for another than {one}"


def test_the_critical_path_of_a_later_rollout_leads_over_what_did_not_run() -> None:
    path = told("mended").path
    assert [(step, server) for step, server, _ in path][:2] == [
        ("push-jobs reconfigure", "frontend-1"),
        ("push-jobs chef-reconfigure", "backend-0"),
    ]


def test_the_critical_path_leads_over_several_tasks_that_did_not_run() -> None:
    """New credentials: `copy` waits for `share`, which waits for `rotate`, and did not run."""
    plan = recorded("first").plan
    assert plan
    ran = [
        ("push-jobs-rotate-backend-0", 10, 12),
        ("push-jobs-copy-backend-1", 12, 15),
    ]
    tasks = {name: TaskProgress(name, "", "", start, TaskState.DONE, end) for name, start, end in ran}
    assert critical_path.path(tasks, plan) == ("push-jobs-rotate-backend-0", "push-jobs-copy-backend-1")


def test_what_changed_is_what_the_settings_are_and_were() -> None:
    assert told("failed").settings == (("pushJobs.settings.heartbeat_interval", "not set", "2000"),)
    assert told("mended").settings == ()
    assert told("first").settings is None, "there is nothing before it to compare with"


def test_durations_stand_beside_those_of_the_rollouts_before() -> None:
    before = {duration.step: duration for duration in told("first").durations}
    now = {duration.step: duration for duration in told("mended").durations}
    assert before["push-jobs test"].usual is None
    assert now["push-jobs test"].usual == pytest.approx(before["push-jobs test"].seconds)


def test_ports_are_verified_by_the_rollout_that_restarted_the_service() -> None:
    mended = told("mended")
    assert mended.ports == (
        (10000, "heartbeat", "clients"),
        (10003, "commands", "clients"),
        (10002, "API", "frontends"),
    )
    assert mended.verified == (
        "restart-pushy passed on backend-0, backend-1: where the service runs, it was seen listening on them."
    )
    assert told("failed").verified == "This rollout ended before it checked them."


@pytest.mark.parametrize(
    ("name", "test"),
    [("first", TESTED), ("failed", "not run")],
)
def test_the_result_of_the_test_is_told_or_why_there_is_none(name: str, test: str) -> None:
    assert told(name).test == test


def test_what_else_was_changed_in_the_cloud_is_counted() -> None:
    found = told("first").cloud
    assert "created 2 Subnet" in found
    assert any(re.fullmatch(r"created \d+ SecurityGroupIngressRule", one) for one in found)
    assert told("mended").cloud == ()


def test_versions_are_those_of_the_packages_of_pulumi_and_of_the_program() -> None:
    found = dict(told("mended").versions)
    assert found["push jobs server"] == "opscode-push-jobs-server_1.1.6-1_amd64.deb"
    assert found["Pulumi"].startswith("v3.")
    assert re.fullmatch(r"[0-9a-f]{12}", found["program, commit"])


def test_a_secret_setting_is_not_shown() -> None:
    update_with_one = (
        '[{"kind": "update", "startTime": "2026-11-24T21:56:44.000Z", "config": {"p:ssh": {"secret": true}}}]'
    )
    [update] = parse_history(update_with_one)
    assert update.config == {"ssh": "(secret)"}


def test_servers_stand_in_the_order_in_which_people_count() -> None:
    tasks = {
        name: TaskProgress(name, name, "connect", 1.0, TaskState.DONE, 2.0)
        for name in ("frontend-10", "frontend-2", "frontend-1")
    }
    found = record("s", RolloutProgress(started=1.0, ended=2.0, result="succeeded", tasks=tasks))
    assert found.durations[0].servers == "frontend-1, frontend-2, frontend-10"
    assert [lane.name for lane in found.timeline.lanes] == ["frontend-1", "frontend-2", "frontend-10"]


def test_the_update_of_a_rollout_is_the_one_that_began_with_it() -> None:
    now, before = of(UPDATES, recorded("failed").started)
    assert now is not None
    assert before is not None
    assert (now.result, before.result) == ("failed", "succeeded")
    assert of(UPDATES, 1.0) == (None, None)
    assert list(differences(now.config, now.config)) == []


# Where it is


def test_no_bar_covers_another_or_its_label_and_none_is_outside() -> None:
    for name in ("first", "failed", "mended"):
        drawn = timeline(recorded(name), (), ["backend-0", "backend-1", "frontend-0", "frontend-1"])
        for lane in drawn.lanes:
            rows: dict[float, list[tuple[float, float]]] = {}
            for bar in lane.bars:
                label = len(bar.label) * LETTER
                ends = (
                    (bar.x, bar.label_x + label) if bar.anchor == "start" else (bar.label_x - label, bar.x + bar.width)
                )
                assert 0 <= ends[0] < ends[1] <= WIDTH
                rows.setdefault(bar.y, []).append(ends)
            for row in rows.values():
                row.sort()
                assert all(one[1] <= other[0] for one, other in pairwise(row))


@pytest.mark.parametrize(("value", "text"), [(0.42, "0.4 s"), (54.4, "54 s"), (200.0, "3 min 20 s")])
def test_a_time_is_told_as_a_person_would(value: float, text: str) -> None:
    assert seconds(value) == text


# How it looks


class Page(HTMLParser):
    """What a page asks others for, and its visible text."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.asked += [str(value) for name, value in attributes if name in ("src", "href", "data", "action")]
        if tag in ("script", "link", "iframe", "img"):
            self.asked.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_needs_nothing_but_itself() -> None:
    html = page(told("failed"))
    found = Page()
    found.feed(html)
    assert found.asked == []
    assert "url(" not in html
    assert "@import" not in html


def test_text_from_servers_cannot_become_part_of_the_page() -> None:
    found = told("failed")
    hostile = Record(**{**vars(found), "failures": ("<script>alert(1)</script>",)})
    html = page(hostile)
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_a_browser_without_a_network_shows_it_all(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(page(told("failed")))
    shown = chromium(file, "--dump-dom")
    assert shown.count('<rect class="bar') == len(recorded("failed").tasks)
    assert "push-jobs-reconfigure failed on frontend-1.chef.test" in shown


def test_it_is_light_by_day_and_dark_by_night(tmp_path: Path) -> None:
    light, dark = tmp_path / "light.png", tmp_path / "dark.png"
    screenshot(EXAMPLES / "report.html", light, dark=False)
    screenshot(EXAMPLES / "report.html", dark, dark=True)
    for image, brighter in ((light, True), (dark, False)):
        shown = brightness(image)
        assert (sum(shown) / len(shown) > 128) == brighter, f"{image.stem} is not what it says"
        assert max(shown) - min(shown) > 150, "text stands out from the page"


# The command


def test_the_command_writes_the_page_from_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "report.html"
    files = ["--events", str(EVENTS / "mended.jsonl"), "--history", str(EVENTS / "history.json")]
    assert main(["report", "--stack", "never-kept", *files, "-o", str(output)]) == 0
    assert "<title>never-kept: rollout of 20" in output.read_text()
