"""The stand-in for push jobs: what becomes of a node and of a job when a node says something, or nothing."""

from __future__ import annotations

import time
from typing import Any

import pytest

from sandbox.packages.host import push_jobs_messages, push_jobs_state
from sandbox.packages.host.push_jobs_state import Job, PushJobs, Ref

ORG = "acme"


class Wire:
    """What was sent to nodes, and the state that sends it."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.kept: list[str] = []
        self.state = PushJobs(self._send, lambda job: self.kept.append(job.status), threshold=0.6, decay=4)

    def _send(self, ref: Ref, address: bytes, document: dict[str, Any]) -> None:
        self.sent.append((ref[1], document["type"]))

    def says(self, node: str, kind: str, job: str | None = None, incarnation: str = "1") -> None:
        message = {"type": kind, "job_id": job, "incarnation_id": incarnation}
        self.state.received((ORG, node), b"address of " + node.encode(), message)

    def available(self, *nodes: str) -> None:
        for node in nodes:
            self.says(node, "heartbeat")
            self.says(node, "aborted")
        self.sent.clear()

    def start(self, *nodes: str, quorum: int | None = None, timeout: int = 60) -> Job:
        wanted = len(nodes) if quorum is None else quorum
        return self.state.start(Job("j", ORG, "true", dict.fromkeys(nodes, "new"), wanted, timeout, {}))


def test_a_new_node_is_asked_to_abort_at_once_and_available_when_it_has() -> None:
    wire = Wire()
    wire.says("a", "heartbeat")
    assert wire.sent == [("a", "abort")], "by which it knows that it is heard"
    assert not wire.state.nodes[ORG, "a"].available
    wire.says("a", "aborted")
    assert wire.state.nodes[ORG, "a"].available


def test_a_node_that_is_started_anew_begins_anew() -> None:
    wire = Wire()
    wire.available("a")
    wire.says("a", "heartbeat", incarnation="2")
    assert wire.sent == [("a", "abort")]
    assert not wire.state.nodes[ORG, "a"].available


def test_silence_for_some_heartbeats_takes_a_node_down_and_one_missed_does_not() -> None:
    wire = Wire()
    wire.available("a")
    wire.state.interval()
    wire.state.interval()
    assert (ORG, "a") in wire.state.nodes
    for _ in range(2):
        wire.state.interval()
    assert not wire.state.nodes


def test_a_job_runs_on_all_nodes_that_are_ready() -> None:
    wire = Wire()
    wire.available("a", "b")
    job = wire.start("a", "b")
    assert wire.sent == [("a", "commit"), ("b", "commit")]
    wire.says("a", "ack_commit", "j")
    assert job.status == "voting"
    wire.says("b", "ack_commit", "j")
    assert wire.sent[2:] == [("a", "run"), ("b", "run")]
    for node in ("a", "b"):
        wire.says(node, "ack_run", "j")
        wire.says(node, "succeeded", "j")
    assert (job.status, job.by_status()) == ("complete", {"succeeded": ["a", "b"]})
    assert wire.kept[-1] == "complete"


@pytest.mark.parametrize(
    ("quorum", "status", "nodes"),
    [
        (2, "quorum_failed", {"was_ready": ["a"], "unavailable": ["gone"]}),
        (1, "complete", {"succeeded": ["a"], "unavailable": ["gone"]}),
    ],
)
def test_a_quorum_decides_whether_a_job_runs_without_some(
    quorum: int, status: str, nodes: dict[str, list[str]]
) -> None:
    wire = Wire()
    wire.available("a")
    job = wire.start("a", "gone", quorum=quorum)
    for kind in ("ack_commit", "ack_run", "succeeded"):
        wire.says("a", kind, "j")
    assert (job.status, job.by_status()) == (status, nodes)


@pytest.mark.parametrize(
    ("said", "ends"),
    [
        (("nack_commit",), "nacked"),
        (("ack_commit", "nack_run"), "failed"),
        (("ack_commit", "ack_run", "failed"), "failed"),
        (("ack_commit", "succeeded"), "crashed"),
        (("ack_commit", "ack_run", "aborted"), "crashed"),
    ],
)
def test_how_a_nodes_part_in_a_job_ends(said: tuple[str, ...], ends: str) -> None:
    wire = Wire()
    wire.available("a")
    job = wire.start("a")
    for kind in said:
        wire.says("a", kind, "j")
    assert job.nodes == {"a": ends}
    assert job.status in push_jobs_state.OVER


def test_a_node_that_goes_away_takes_its_part_with_it() -> None:
    wire = Wire()
    wire.available("a")
    job = wire.start("a")
    wire.says("a", "ack_commit", "j")
    for _ in range(4):
        wire.state.interval()
    assert (job.status, job.nodes) == ("complete", {"a": "crashed"})


def test_a_job_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire()
    wire.available("a")
    job = wire.start("a", timeout=5)
    wire.says("a", "ack_commit", "j")
    now = job.deadline + 1
    monkeypatch.setattr(time, "monotonic", lambda: now)
    wire.state.tick()
    assert (job.status, job.nodes) == ("timed_out", {"a": "timed_out"})
    assert wire.sent[-1] == ("a", "abort")


def test_a_busy_node_is_unavailable_to_the_next_job() -> None:
    wire = Wire()
    wire.available("a")
    wire.start("a")
    second = wire.state.start(Job("k", ORG, "true", {"a": "new"}, 1, 60, {}))
    assert (second.status, second.nodes) == ("quorum_failed", {"a": "unavailable"})


def test_a_message_is_read_only_with_the_sessions_key() -> None:
    header, body = push_jobs_messages.signed_by_session({"type": "heartbeat"}, b"key")
    found = push_jobs_messages.read(header, body, key=b"key")
    assert found and found["type"] == "heartbeat"
    assert push_jobs_messages.read(header, body, key=b"another") is None
    assert push_jobs_messages.read(header, body.replace(b"heartbeat", b"succeeded"), key=b"key") is None
    assert push_jobs_messages.read(b"Version:2.0", body, key=b"key") is None
