"""The engine's events, recorded from real rollouts (tests/recordings.py), and the rollout that they make."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from chef_push_jobs import scripts
from chef_push_jobs.cli.app import main
from chef_push_jobs.cli.report.timeline import LINES, _marks
from chef_push_jobs.cli.up.screen import Screen
from chef_push_jobs.cli.up.summary import summary
from chef_push_jobs.cli.up.table import blocks, cloud, columns, headline, heard, hidden, left, lines, narrowed, table
from chef_push_jobs.engine import history
from chef_push_jobs.engine.event_log import Began, Done, Ended, Failed, Said, Started, event_of, kept, read_events
from chef_push_jobs.engine.progress import RolloutProgress, TaskProgress, TaskState, after, rollout
from chef_push_jobs.runbook.steps import Action

EVENTS = Path(__file__).parent / "files" / "events"
TESTED = (
    "92 examples: 91 passed, 1 expects the packaged ports 10000 and 10002, where this stack has 10000 and 10003; "
    "0 failures"
)
COMMAND = "command:remote:Command"
URN = f"urn:pulumi:s::chef-push-jobs::chef-push-jobs:index:RolloutProgress${COMMAND}::"


def recorded(name: str) -> RolloutProgress:
    return history.load(EVENTS / f"{name}.jsonl")


def engine_event(kind: str, name: str, op: str, **inputs: str) -> dict[str, Any]:
    metadata = {"op": op, "urn": URN + name, "type": COMMAND, "new": {"inputs": inputs, "outputs": {}}}
    return {"sequence": 1, "timestamp": 100, kind: {"metadata": metadata}}


def made(*events: dict[str, Any]) -> RolloutProgress:
    return rollout(event for raw in events if (event := event_of(raw)))


# The log


def test_what_is_kept_has_no_script_no_connection_and_no_settings_of_the_provider() -> None:
    raw = engine_event("resourcePreEvent", "connect-backend-0", "update", stdin="script", connection="c", update="u")
    assert kept(raw, 100.25) == {
        "timestamp": 100,
        "received": 100.25,
        "resourcePreEvent": {
            "metadata": {
                "op": "update",
                "urn": URN + "connect-backend-0",
                "type": COMMAND,
                "new": {"inputs": {"update": "u"}, "outputs": {}},
            }
        },
    }
    config = {"aws:secretKey": "hidden", "chef-push-jobs:topology": "ha"}
    prelude = kept({"timestamp": 1, "preludeEvent": {"config": config}}, 1.0)
    assert prelude is not None
    assert prelude["preludeEvent"] == {"config": {"chef-push-jobs:topology": "ha"}}


def test_nobody_reads_what_debugging_says() -> None:
    raw = {"timestamp": 1, "diagnosticEvent": {"severity": "debug", "message": "registering resource"}}
    assert kept(raw, 1.0) is None
    assert event_of(raw) is None


def test_a_log_as_it_is_kept_reads_as_the_engine_wrote_it_but_for_the_time() -> None:
    lines = (EVENTS / "first.jsonl").read_text().splitlines()
    events = list(read_events(lines))
    again = list(read_events(json.dumps(kept(json.loads(line), 0.0)) for line in lines))
    assert events == again
    assert isinstance(events[-1], Ended)
    assert any(isinstance(event, Began) for event in events)


def test_the_time_is_when_an_event_came_where_that_is_known() -> None:
    raw = engine_event("resourcePreEvent", "connect-backend-0", "create")
    for more, at in (({}, 100.0), ({"received": 100.75}, 100.75)):
        event = event_of({**raw, **more})
        assert event is not None
        assert event.at == at


def test_what_is_no_event_log_is_refused() -> None:
    with pytest.raises(ValueError, match="it is not an event log of Pulumi"):
        list(read_events(['{"steps": []}']))


# The rollout


def test_the_first_rollout_did_every_task_once_and_in_the_order_of_the_plan() -> None:
    found = recorded("first")
    assert (found.result, found.failed, found.running, found.errors) == ("succeeded", (), (), ())
    assert found.plan
    planned = {task.id for task in found.plan.tasks.values() if task.action is not Action.RULES}
    assert set(map(str, planned)) <= set(found.tasks)
    for task in planned:
        for other in planned & found.plan.tasks[task].waits_for:
            ended = found.tasks[str(other)].ended
            assert ended is not None
            assert ended <= found.tasks[str(task)].started, f"{task} began before {other} had ended"


def test_a_failure_is_told_whole_and_stops_only_what_waits_for_it() -> None:
    found = recorded("failed")
    assert found.result == "failed"
    assert [task.name for task in found.failed] == ["push-jobs-reconfigure-frontend-1"]
    [block] = blocks(found)
    for part in ("failed on frontend-1.chef.test: exit status 127", "Permission denied", "what next: "):
        assert part in block
    assert found.tasks["push-jobs-reconfigure-backend-1"].state is TaskState.DONE
    assert "push-jobs-chef-reconfigure-backend-0" not in found.tasks


def test_the_rollout_after_a_failure_goes_on_from_there() -> None:
    found = recorded("mended")
    assert found.result == "succeeded"
    assert "push-jobs-reconfigure-frontend-1" in found.tasks
    assert "push-jobs-configure-backend-0" not in found.tasks
    assert found.outputs["test"].startswith("status: the service runs"), "the suite has passed with this package"


def test_an_update_that_does_nothing_on_a_server_is_no_task() -> None:
    idle = engine_event("resourcePreEvent", "chef-install-backend-0", "update", update=scripts.NOTHING)
    acts = engine_event("resourcePreEvent", "connect-backend-0", "update", update="sh -s")
    assert list(made(idle, acts).tasks) == ["connect-backend-0"]


def test_a_removal_is_a_task_only_where_something_is_done_for_it() -> None:
    gone = engine_event("resourcePreEvent", "push-jobs-install-frontend-1", "delete")
    uninstalled = engine_event("resourcePreEvent", "uninstall-frontend-1", "delete", delete="task uninstall 900 0")
    assert list(made(gone, uninstalled).tasks) == ["uninstall-frontend-1"]


@pytest.mark.parametrize("name", ["", "connect-backend-0"])
def test_a_message_without_words_is_nothing(name: str) -> None:
    before = RolloutProgress(
        started=1.0, tasks={"connect-backend-0": TaskProgress("connect-backend-0", "backend-0", "connect", 1.0)}
    )
    assert after(before, Said(2.0, name, "info", "")) == replace(before, at=2.0)


def test_what_still_ran_when_the_engine_ended_has_failed() -> None:
    start = engine_event("resourcePreEvent", "push-jobs-install-backend-0", "create")
    end = {"timestamp": 130, "summaryEvent": {"resourceChanges": {}}}
    found = made(start, end)
    assert (found.result, found.seconds(0)) == ("failed", 30.0)
    assert list(blocks(found)) == ["push-jobs install on backend-0 did not finish: Pulumi was told to stop"]


def test_a_command_that_is_no_task_of_ours_is_left_out() -> None:
    assert list(made(engine_event("resourcePreEvent", "backup-database", "create")).tasks) == []


# The table


def test_servers_stand_in_the_order_in_which_people_count() -> None:
    names = [f"connect-frontend-{number}" for number in (10, 2, 1)]
    found = made(*(engine_event("resourcePreEvent", name, "create") for name in names))
    assert list(table(found, {}, 0).rows) == ["frontend-1", "frontend-2", "frontend-10"]


def test_a_step_that_has_no_column_yet_is_still_shown() -> None:
    task = TaskProgress("push-jobs-new-backend-0", "backend-0", "push-jobs new", 1.0)
    assert table(RolloutProgress(tasks={task.name: task}), {}, 2.0).columns == (("", "other"),)


def test_every_step_of_the_runbooks_has_a_column() -> None:
    assert [(runbook, title) for runbook, title in dict.fromkeys(columns().values())] == [
        ("", "machine"),
        ("", "connect"),
        ("", "credentials"),
        ("", "firewall"),
        ("chef", "install"),
        ("chef", "configure"),
        ("chef", "share, copy"),
        ("chef", "reconfigure"),
        ("push-jobs", "install"),
        ("push-jobs", "configure"),
        ("push-jobs", "rotate"),
        ("push-jobs", "share, copy"),
        ("push-jobs", "reconfigure"),
        ("push-jobs", "chef reconfigure"),
        ("push-jobs", "restart"),
        ("push-jobs", "test"),
        ("", "uninstall"),
    ]


def test_the_table_has_a_row_a_server_and_a_column_a_step() -> None:
    found = recorded("first")
    shown = table(found, {}, 0)
    assert list(shown.rows) == ["backend-0", "backend-1", "frontend-0", "frontend-1"]
    assert ("push-jobs", "restart") in shown.columns
    restart = shown.columns.index(("push-jobs", "restart"))
    assert [cell is not None for cell in (row[restart] for row in shown.rows.values())] == [True, True, False, False]


def test_a_task_that_runs_shows_how_long_it_does_and_usually_takes() -> None:
    start = engine_event("resourcePreEvent", "push-jobs-install-backend-0", "create")
    said = {
        "timestamp": 101,
        "diagnosticEvent": {
            "urn": URN + "push-jobs-install-backend-0",
            "severity": "info#err",
            "message": "one\ntwo\n",
        },
    }
    found = made(start, said)
    for usual, text in (({}, "▸ 3s"), ({"push-jobs-install-backend-0": 7.4}, "▸ 3s of 7")):
        [[cell]] = table(found, usual, 103.2).rows.values()
        assert str(cell) == text
    assert list(heard(found)) == ["backend-0 push-jobs install: two"]
    assert headline(found, 54.2, 112.0) == "12 s, 0 of 1 done, 1 running, the last rollout took 54 s"


def test_a_package_that_was_sent_is_not_installed_yet() -> None:
    name = "push-jobs-upload-backend-0"
    events = [engine_event(kind, name, "create") for kind in ("resourcePreEvent", "resOutputsEvent")]
    [[cell]] = table(made(*events), {}, 103.2).rows.values()
    assert str(cell) == "↑ 0s"


def at(name: str, fraction: float) -> RolloutProgress:
    """A rollout when so much of its events had come."""
    with (EVENTS / f"{name}.jsonl").open() as log:
        events = list(read_events(log))
    return rollout(events[: round(len(events) * fraction)])


def test_from_the_first_second_the_table_says_what_is_being_made() -> None:
    assert cloud(RolloutProgress(), 0.0) == "Pulumi starts"
    began = rollout([Began(100.0, {})])
    assert cloud(began, 101.0) == "the program reads the settings, and looks up in AWS what they name"
    making = after(began, Started(102.0, "network-nat", "aws:ec2/natGateway:NatGateway", "create"))
    assert cloud(making, 145.0) == "network and the rest of the cloud: under way: NatGateway network-nat 43s"
    for number in range(6):
        making = after(making, Started(103.0, f"in-{number}", "aws:ec2/subnet:Subnet", "create"))
    done = after(making, Done(104.0, "in-0", "aws:ec2/subnet:Subnet", "create", {}))
    assert cloud(done, 145.0).startswith("network and the rest of the cloud: 1 done; under way: NatGateway network-nat")
    assert cloud(done, 145.0).endswith("Subnet in-3 42s, 2 more")
    failed = after(making, Failed(104.0, "network-nat", "aws:ec2/natGateway:NatGateway", "create"))
    assert "network-nat" not in cloud(failed, 145.0)
    assert cloud(at("first", 1), 0) == "network and the rest of the cloud: 50 done"


def test_without_a_screen_the_cloud_is_told_of_where_it_takes_long() -> None:
    began = rollout([Began(100.0, {})])
    making = after(began, Started(102.0, "network-nat", "aws:ec2/natGateway:NatGateway", "create"))
    done = after(making, Done(145.0, "network-nat", "aws:ec2/natGateway:NatGateway", "create", {}))
    assert list(lines(began, making)) == ["   2.0 s  cloud  NatGateway network-nat begins, and more"]
    assert list(lines(making, done)) == ["  45.0 s  cloud  NatGateway network-nat ended after 43.0 s"]


def test_how_much_is_done_is_told_of_how_much_there_is() -> None:
    shares = [(len(found.settled), len(found.planned)) for found in (at("first", one / 10) for one in range(1, 11))]
    assert shares == sorted(shares)
    assert {whole for _, whole in shares} == {50}
    assert shares[-1] == (50, 50)


def test_what_has_nothing_to_do_counts_as_done() -> None:
    began = made(
        *(json.loads(line) for line in (EVENTS / "first.jsonl").read_text().splitlines()[:3] if "prelude" in line)
    )
    same = engine_event("resOutputsEvent", "push-jobs-install-backend-0", "same")
    reduced = kept(same, 1.0)
    assert reduced is not None
    event = event_of(reduced)
    assert event is not None
    found = after(began, event)
    assert found.settled == {"push-jobs-install-backend-0"}
    assert table(found, {}, 0).rows == {}, "nothing ran"
    assert kept(engine_event("resourcePreEvent", "push-jobs-install-backend-0", "same"), 1.0) is None
    idle = [engine_event(kind, "chef-install-backend-0", "update", update=scripts.NOTHING) for kind in BOTH]
    assert made(*idle).unchanged == {"chef-install-backend-0"}


BOTH = ("resourcePreEvent", "resOutputsEvent")


def test_the_time_that_is_left_is_told_by_what_tasks_took_before() -> None:
    whole = at("first", 1)
    usual = history.usual([whole])
    total = whole.seconds(0)
    for tenth in range(5, 10):
        found = at("first", tenth / 10)
        told = left(found, usual, found.at)
        assert told is not None
        assert told == pytest.approx(total - found.seconds(found.at), abs=total / 4), tenth
    assert left(at("first", 0.5), {}, 0) is None, "nothing tells"
    middle = at("first", 0.5)
    assert re.search(r"50 done, \d+ running, at most some \d+ s left$", headline(middle, 54.0, middle.at, usual))
    assert "left" not in headline(whole, None, 0, usual)


def test_a_server_that_is_new_is_thought_to_take_as_long_as_another() -> None:
    usual = {name: seconds for name, seconds in history.usual([at("first", 1)]).items() if "frontend-1" not in name}
    found = at("first", 0.5)
    assert left(found, usual, found.at) == pytest.approx(
        left(found, history.usual([at("first", 1)]), found.at), rel=0.3
    )


def test_what_a_narrow_terminal_leaves_out_is_named() -> None:
    whole = table(at("first", 0.8), {}, 0)
    assert hidden(whole, whole) == ""
    shown = narrowed(whole, 60)
    told = hidden(whole, shown)
    assert told.startswith("too narrow to show: machine, connect, ")
    assert "chef install" in told


def test_the_screen_has_a_legend_and_the_end_says_where_everything_is() -> None:
    console = Console(file=io.StringIO(), record=True, width=60, force_terminal=True)
    screen = Screen("sandbox", console, {}, None, at("first", 0.8))
    console.print(screen.render())
    shown = console.export_text()
    assert "✓ done   ↑ package sent" in shown and "too narrow to show: machine" in shown
    screen.rollout = at("first", 1)
    screen.finish("")
    told = console.export_text()
    for part in (
        "backend-0   10.0.0.4   backend-0.chef.test\n",
        "entry: https://chef.test\n",
        "address of the backends: 10.0.15.254\n",
        "ports of push jobs: heartbeat 10000, commands 10003, API 10002\n",
        "test: 92 examples: 91 passed, ",
        "50 of 50 done",
    ):
        assert part in told.replace("\n\n", "\n"), part


def test_a_failed_rollout_does_not_tell_what_an_earlier_one_tested() -> None:
    console = Console(file=io.StringIO(), record=True, width=200)
    found = replace(at("failed", 1), outputs=at("first", 1).outputs)
    Screen("sandbox", console, {}, None, found).finish("")
    told = console.export_text()
    assert "examples" not in told and "\ntest: " not in told
    assert "ports of push jobs" in told


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ({}, []),
        ({"servers": [], "bastion": None, "entry": {"loadBalancer": None, "apiFqdn": "a"}}, ["entry: https://a"]),
        (
            {
                "bastion": {"host": "192.0.2.1", "user": "ubuntu", "port": 22},
                "entry": {"loadBalancer": "b", "apiFqdn": "a"},
            },
            ["bastion: ubuntu@192.0.2.1, port 22", "entry: https://a, load balancer b"],
        ),
        ({"servers": {"b-10": {"address": "2", "fqdn": "y"}, "b-2": {}}}, ["b-2   ?  ?", "b-10  2  y"]),
    ],
)
def test_the_end_tells_what_outputs_there_are(outputs: Any, expected: list[str]) -> None:
    assert list(summary(outputs)) == expected


@pytest.mark.parametrize("width", [200, 100, 80, 40])
def test_a_narrow_table_shows_what_is_left_to_see(width: int) -> None:
    with (EVENTS / "first.jsonl").open() as log:
        events = list(read_events(log))
    begins = next(number for number, event in enumerate(events) if "restart-pushy-backend-0" in str(event))
    shown = narrowed(table(rollout(events[: begins + 1]), {}, events[begins].at), width)
    assert ("push-jobs", "restart") in shown.columns, "it runs now"
    assert (len(shown.columns) == 13) == (width == 200)
    grid = [["server", *(title for _, title in shown.columns)]]
    grid += [[server, *(str(cell or "") for cell in row)] for server, row in shown.rows.items()]
    assert sum(max(map(len, column)) + 2 for column in zip(*grid, strict=True)) - 2 <= width


def test_without_a_screen_each_thing_that_happens_is_a_line() -> None:
    told: list[str] = []
    state = RolloutProgress()
    with (EVENTS / "failed.jsonl").open() as log:
        for event in read_events(log):
            before, state = state, after(state, event)
            told += lines(before, state)
    assert sum(line.endswith(" begins") for line in told) == len(state.tasks)
    assert any(re.fullmatch(r" +\d+\.\d s  frontend-1  push-jobs reconfigure failed after \d+\.\d s", t) for t in told)


def test_nothing_is_done_without_a_question_where_nobody_can_be_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["up", "--stack", "production"]) == 2
    assert capsys.readouterr().err == "error: this needs a terminal to ask for confirmation; use --yes instead\n"


# The rollouts before


def test_only_the_last_rollouts_before_that_did_something_are_compared_with(tmp_path: Path) -> None:
    folder = history.folder(tmp_path, "production")
    folder.mkdir(parents=True)
    log = [json.loads(line) for line in (EVENTS / "mended.jsonl").read_text().splitlines()]
    for number in range(history.LAST + 3):
        lines = [json.dumps({**event, "received": number * 1000 + place}) for place, event in enumerate(log)]
        (folder / f"2026112{number}T000000Z.jsonl").write_text("\n".join([*lines, '{"cut off']))
    (folder / "20261129T000000Z.jsonl").write_text("")
    found = history.last(tmp_path, "production", before=(history.LAST + 2) * 1000)
    assert [one.started is not None and one.started // 1000 for one in found] == [2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "damage",
    [
        b'{"timestamp": 1, "summaryEvent": [1]}\n',
        b'{"timestamp": 1, "resourcePreEvent": {"metadata": {}}}\n',
        b'{"timestamp": 1e300, "preludeEvent": {"config": {}}}\n',
        b'{"timestamp": NaN, "preludeEvent": {"config": {}}}\n',
        b"[]\n",
        b"no event\n",
        b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
    ],
)
def test_a_damaged_file_is_named_and_passed_over(tmp_path: Path, damage: bytes) -> None:
    folder = history.folder(tmp_path, "production")
    folder.mkdir(parents=True)
    whole = folder / "20261121T000000Z.jsonl"
    whole.write_bytes((EVENTS / "mended.jsonl").read_bytes())
    damaged, refused = folder / "20261122T000000Z.jsonl", folder / "20261123T000000Z.jsonl"
    damaged.write_bytes(whole.read_bytes() + damage)
    refused.write_text("")
    told: list[str] = []
    assert history.newest(tmp_path, "production", told.append) == whole
    assert len(history.last(tmp_path, "production", passed_over=told.append)) == 1
    assert len(told) == 2
    assert all(one.startswith(f"{damaged} is damaged and was skipped: ") and "\n" not in one for one in told)


def test_a_rollout_that_took_years_has_few_marks() -> None:
    assert len(list(_marks(1e10, 1e-8))) <= LINES + 1


def test_what_a_task_usually_takes_is_the_median_of_what_it_took() -> None:
    def one(seconds: int) -> RolloutProgress:
        name = "push-jobs-install-backend-0"
        done = engine_event("resOutputsEvent", name, "create") | {"timestamp": 100 + seconds}
        return made(engine_event("resourcePreEvent", name, "create"), done)

    assert history.usual([one(2), one(30), one(4)]) == {"push-jobs-install-backend-0": 4.0}
    assert history.usual([made(engine_event("resourcePreEvent", "connect-backend-0", "create"))]) == {}
