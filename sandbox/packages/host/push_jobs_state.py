"""The nodes that push jobs knows and the jobs that they run: what happens when a node says something, or nothing. Pure.

What is to be sent goes through `send`, what is to be kept through `keep`. Source: opscode-pushy-server,
pushy_node_state.erl, pushy_node_stats.erl, pushy_job_state.erl.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

VOTING_SECONDS = 60.0
REHAB_SECONDS = 1.0
ENDED = frozenset({"succeeded", "failed", "unavailable", "nacked", "timed_out", "crashed", "was_ready", "aborted"})
OVER = frozenset({"complete", "quorum_failed", "timed_out", "crashed", "aborted"})

Ref = tuple[str, str]  # organization and node


@dataclass
class Node:
    address: bytes
    incarnation: str
    available: bool = False
    rate: float = 1.0  # of heartbeats, as a moving average of those expected
    beats: int = 1
    aborted: float = 0.0  # when it was last asked to abort


@dataclass
class Job:
    id: str
    org: str
    command: str
    nodes: dict[str, str]  # status by name
    quorum: int
    run_timeout: int
    options: dict[str, Any]
    status: str = "voting"
    created: float = field(default_factory=time.time)
    updated: float = field(default_factory=time.time)
    deadline: float = 0.0
    output: dict[str, dict[str, str]] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "command": self.command,
            "status": self.status,
            "run_timeout": self.run_timeout,
            "created_at": _date(self.created),
            "updated_at": _date(self.updated),
            **self.options,
        }

    def by_status(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, status in self.nodes.items():
            found.setdefault(status, []).append(name)
        return found

    def of(self, *statuses: str) -> list[str]:
        return [name for name, status in self.nodes.items() if status in statuses]


def _date(seconds: float) -> str:
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(seconds))


class PushJobs:
    def __init__(
        self,
        send: Callable[[Ref, bytes, dict[str, Any]], None],
        keep: Callable[[Job], None],
        *,
        threshold: float,
        decay: float,
    ) -> None:
        self.send, self.keep, self.threshold, self.decay = send, keep, threshold, decay
        self.nodes: dict[Ref, Node] = {}
        self.jobs: dict[str, Job] = {}

    # Nodes

    def received(self, ref: Ref, address: bytes, message: dict[str, Any]) -> None:
        """A node has said something, with a signature that is right."""
        node = self.nodes.get(ref)
        incarnation = str(message.get("incarnation_id", ""))
        if node and node.incarnation != incarnation:
            self._down(ref)
            node = None
        if node is None:
            node = self.nodes[ref] = Node(address, incarnation)
            self._rehab(ref)
        elif node.address != address:
            node.address = address
            self.send(ref, address, {"type": "ack"})
        kind, job = message.get("type"), self.jobs.get(str(message.get("job_id")))
        if kind == "heartbeat":
            node.beats += 1
            if message.get("job_id") and job is None:
                self._rehab(ref)
        elif kind == "aborted":
            node.available, node.aborted = True, 0.0
            if job:
                self._voice(job, ref, "aborted", message)
        elif job:
            self._voice(job, ref, str(kind), message)
        else:
            self._rehab(ref)

    def _rehab(self, ref: Ref) -> None:
        node = self.nodes.get(ref)
        if node:
            node.available, node.aborted = False, time.monotonic()
            self.send(ref, node.address, {"type": "abort"})

    def _down(self, ref: Ref) -> None:
        self.nodes.pop(ref, None)
        for job in list(self.jobs.values()):
            if job.org == ref[0] and job.nodes.get(ref[1]) not in (None, *ENDED):
                self._voice(job, ref, "down", {})

    def interval(self) -> None:
        """A heartbeat's time is over: who was silent for long is down."""
        for ref, node in list(self.nodes.items()):
            node.rate += (min(node.beats, 1) - node.rate) / self.decay
            node.beats = 0
            if node.rate < self.threshold:
                self._down(ref)

    def tick(self) -> None:
        """What happens by the clock."""
        now = time.monotonic()
        for ref, node in list(self.nodes.items()):
            if node.aborted and now - node.aborted > REHAB_SECONDS:
                self._rehab(ref)
        for job in list(self.jobs.values()):
            if now > job.deadline:
                self._late(job)

    # Jobs

    def start(self, job: Job) -> Job:
        org, options = job.org, job.options
        job.deadline = time.monotonic() + VOTING_SECONDS
        self.jobs[job.id] = job
        for name in job.nodes:
            node = self.nodes.get((org, name))
            if node and node.available and not self._busy((org, name), job):
                self.send(
                    (org, name), node.address, {"type": "commit", "job_id": job.id, "command": job.command, **options}
                )
            else:
                job.nodes[name] = "unavailable"
        self._voted(job)
        self.keep(job)
        return job

    def _busy(self, ref: Ref, but: Job) -> bool:
        return any(
            job is not but and job.org == ref[0] and job.nodes.get(ref[1]) not in (None, *ENDED)
            for job in self.jobs.values()
        )

    def _voice(self, job: Job, ref: Ref, kind: str, message: dict[str, Any]) -> None:
        name, was = ref[1], job.nodes.get(ref[1])
        if was is None or was in ENDED:
            return
        if kind in ("succeeded", "failed"):
            job.output[name] = {stream: str(message.get(stream) or "") for stream in ("stdout", "stderr")}
        new = _NEXT.get((job.status, was, kind))
        if new is None:
            new = "unavailable" if job.status == "voting" else "crashed"
            if kind != "down":
                self._rehab(ref)
        job.nodes[name] = new
        self._voted(job) if job.status == "voting" else self._ran(job)
        self.keep(job)

    def _voted(self, job: Job) -> None:
        if job.of("new"):
            return
        ready = job.of("ready")
        if len(ready) < job.quorum:
            for name in ready:
                job.nodes[name] = "was_ready"
                self._rehab((job.org, name))
            self._over(job, "quorum_failed")
            return
        job.status, job.deadline = "running", time.monotonic() + job.run_timeout
        job.updated = time.time()
        for name in ready:
            ref = (job.org, name)
            self.send(ref, self.nodes[ref].address, {"type": "run", "job_id": job.id})
        self._ran(job)

    def _ran(self, job: Job) -> None:
        if not job.of("ready", "running"):
            self._over(job, "complete")

    def _late(self, job: Job) -> None:
        if job.status == "voting":
            for name in job.of("new"):
                job.nodes[name] = "unavailable"
                self._rehab((job.org, name))
            self._voted(job)
        elif job.status == "running":
            for name in job.of("ready", "running"):
                job.nodes[name] = "timed_out"
                self._rehab((job.org, name))
            self._over(job, "timed_out")
        self.keep(job)

    def _over(self, job: Job, status: str) -> None:
        job.status, job.updated, job.deadline = status, time.time(), float("inf")
        self.jobs.pop(job.id, None)


# Of a job's status, what the node was, and what it says: what it is then. All else ends its part.
_NEXT = {
    ("voting", "new", "ack_commit"): "ready",
    ("voting", "ready", "ack_commit"): "ready",
    ("voting", "new", "nack_commit"): "nacked",
    ("running", "ready", "ack_run"): "running",
    ("running", "running", "ack_run"): "running",
    ("running", "ready", "nack_run"): "failed",
    ("running", "running", "nack_run"): "failed",
    ("running", "running", "succeeded"): "succeeded",
    ("running", "running", "failed"): "failed",
}
