"""The page's content as data: a rollout, compared with earlier ones and with Pulumi's own history. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from chef_push_jobs.cli.report import critical_path
from chef_push_jobs.cli.report.timeline import Timeline, timeline
from chef_push_jobs.cli.review.warnings import FILE
from chef_push_jobs.cli.server_names import counted, listed
from chef_push_jobs.cli.up.table import blocks
from chef_push_jobs.engine.history import LAST
from chef_push_jobs.engine.progress import RolloutProgress, TaskProgress, TaskState
from chef_push_jobs.engine.stack_history import Update, differences, of

RESTART, TEST, FIREWALL = "push-jobs restart-pushy", "push-jobs test", "firewall"
SHORT = 12  # characters of a commit id
PORTS = {
    "server_heartbeat_port": ("heartbeat", "clients"),
    "command_port": ("commands", "clients"),
    "api_port": ("API", "frontends"),
}


@dataclass(frozen=True)
class Duration:
    """A step's duration in seconds: its slowest server here, and the median of its slowest in the rollouts before."""

    step: str
    servers: str
    seconds: float
    usual: float | None

    @property
    def change(self) -> str:
        if self.usual is None:
            return ""
        return f"{self.seconds - self.usual:+.1f} s"


@dataclass(frozen=True)
class Record:
    """`path` are (step, server, seconds) of the critical path. Pairs are (what, how much or which)."""

    stack: str
    result: str
    when: str
    seconds: float
    tasks: int
    servers: int
    failures: tuple[str, ...]
    timeline: Timeline
    path: tuple[tuple[str, str, float], ...]
    durations: tuple[Duration, ...]
    settings: tuple[tuple[str, str, str], ...] | None
    cloud: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]
    ports: tuple[tuple[int, str, str], ...]
    verified: str
    test: str
    earlier: tuple[tuple[str, str, float, str], ...]


def record(
    stack: str, rollout: RolloutProgress, before: Sequence[RolloutProgress] = (), updates: Sequence[Update] = ()
) -> Record:
    """`before` are the recorded rollouts, oldest first; `updates` are newest first."""
    plan = rollout.plan
    names = critical_path.path(rollout.tasks, plan) if plan else ()
    now, previous = of(updates, rollout.started)
    return Record(
        stack,
        rollout.result or "unfinished",
        _time(rollout.started),
        rollout.seconds(rollout.started or 0),
        len(rollout.tasks),
        len({task.server for task in rollout.tasks.values()}),
        tuple(blocks(rollout)),
        timeline(rollout, names, [server.name for server in plan.topology.servers] if plan else []),
        tuple((rollout.tasks[n].step, rollout.tasks[n].server, _took(rollout.tasks[n])) for n in names),
        tuple(_durations(rollout, before[-LAST:])),
        tuple(differences(now.config, previous.config)) if now and previous else None,
        tuple(_cloud(rollout)),
        tuple(_versions(rollout, now)),
        tuple(_ports(rollout)),
        _verified(rollout),
        _test(rollout),
        tuple((_time(one.started), one.result, one.seconds, one.message) for one in _earlier(updates, now)),
    )


def _time(at: float | None) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if at else "unknown"


def _durations(rollout: RolloutProgress, before: Sequence[RolloutProgress]) -> Iterator[Duration]:
    earlier = [_slowest(one) for one in before]
    for step, (seconds, servers) in _slowest(rollout).items():
        usual = [found[step][0] for found in earlier if step in found]
        yield Duration(step, listed(servers), seconds, median(usual) if usual else None)


def _took(task: TaskProgress) -> float:
    """Seconds; None if the task was cut off."""
    return task.seconds(task.started)


def _slowest(rollout: RolloutProgress) -> Mapping[str, tuple[float, list[str]]]:
    """By step: the seconds of its slowest server, and the servers; only tasks that were done."""
    found: dict[str, tuple[float, list[str]]] = {}
    for task in rollout.tasks.values():
        if task.state is TaskState.DONE:
            seconds, servers = found.get(task.step, (0.0, []))
            found[task.step] = (max(seconds, _took(task)), counted([*servers, task.server]))
    return found


def _cloud(rollout: RolloutProgress) -> Iterator[str]:
    """Phrases such as `created 26 SecurityGroupIngressRule`."""
    for what, count in sorted(rollout.others.items()):
        verb, kind = what.split(" ")
        yield f"{verb.removesuffix('e')}ed {count} {kind}"


def _versions(rollout: RolloutProgress, now: Update | None) -> Iterator[tuple[str, str]]:
    for key, text in sorted(rollout.config.items()):
        for name in FILE.findall(text):
            package = {"chefServer": "Chef server", "pushJobs": "push jobs server"}.get(key.split(":")[-1], key)
            yield package, name
    environment = now.environment if now else {}
    names = {"pulumi.version": "Pulumi", "git.head": "program, commit"}
    yield from ((names[name], environment[name][:SHORT]) for name in names if environment.get(name))


def _ports(rollout: RolloutProgress) -> Iterator[tuple[int, str, str]]:
    found = rollout.outputs.get("ports") or {}
    for key, (what, who) in PORTS.items():
        if key in found:
            yield int(found[key]), what, who


def _verified(rollout: RolloutProgress) -> str:
    """Whether this rollout itself checked the ports."""
    found = {
        step: counted(
            task.server for task in rollout.tasks.values() if task.step == step and task.state is TaskState.DONE
        )
        for step in (RESTART, FIREWALL)
    }
    restarted = (
        f"restart-pushy passed on {listed(found[RESTART])}: where the service runs, it was seen listening on them."
    )
    sentences = [restarted] if found[RESTART] else []
    sentences += [f"The firewall was checked on {listed(found[FIREWALL])}."] if found[FIREWALL] else []
    unseen = "had no reason to check them again" if rollout.result == "succeeded" else "ended before it checked them"
    return " ".join(sentences) or f"This rollout {unseen}."


def _test(rollout: RolloutProgress) -> str:
    states = {task.state for task in rollout.tasks.values() if task.step == TEST}
    if states == {TaskState.DONE}:
        return str(rollout.outputs.get("test", "passed"))
    if TaskState.FAILED in states:
        return "failed"
    if rollout.result == "succeeded":
        return f"not run again; the last one: {rollout.outputs.get('test', 'unknown')}"
    return "not run"


def _earlier(updates: Sequence[Update], now: Update | None) -> Sequence[Update]:
    older = [one for one in updates if now is None or one.started < now.started]
    return older[:LAST]
