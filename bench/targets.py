"""The targets of the benchmark, and how each figure is computed from the results. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.results import Results

# What is measured, by `rollouts.py`, `renewals.py` and `changes.py`.
ROLLOUT, ENVIRONMENT, RENEWAL = "rollout", "environment", "destroyed and made again"
CHANGES = ("upgrade", "rotation", "frontend added")
OURS, IDEAL = "pulumi up", "ideal"
ANSIBLE = ("ansible linear", "ansible free")
TOOLS = (*ANSIBLE, "pyinfra", "terraform")
FRONTEND = "connections to a frontend"
STORED, UNCOMPRESSED = "state bytes, as stored", "state bytes, before compression"

Figure = Callable[[Results], float | None]


@dataclass(frozen=True)
class Target:
    """`found` computes the figure (None if it was not measured); the target is `limit` or less."""

    figure: str
    limit: float
    found: Figure


def best(results: Results, whos: Sequence[str], servers: int, durations: str, what: str = ROLLOUT) -> float | None:
    """The shortest of several contenders' medians."""
    found = [results.median(what, who, servers, durations) for who in whos]
    return min((wall for wall in found if wall is not None), default=None)


def ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None


def against(whos: Sequence[str], servers: int, durations: str, what: str = ROLLOUT) -> Figure:
    return lambda r: ratio(best(r, [OURS], servers, durations, what), best(r, whos, servers, durations, what))


def environment(whos: Sequence[str], servers: int) -> Figure:
    return against(whos, servers, "people", ENVIRONMENT)


def a_task(figure: str) -> Figure:
    """The largest quotient of `figure` and the number of tasks, over all sizes."""

    def found(results: Results) -> float | None:
        each = [
            ratio(*(results.median("rollout", OURS, servers, "none", name) for name in (figure, "tasks")))
            for servers in (4, 20, 60)
        ]
        return max((share for share in each if share is not None), default=None)

    return found


def a_server(what: str, who: str, many: int, few: int) -> Figure:
    """Seconds per server at `many` servers, divided by those at `few`."""

    def found(results: Results) -> float | None:
        each = ratio(results.median(what, who, many), results.median(what, who, few))
        return None if each is None else each * few / many

    return found


TARGETS = (
    Target(
        "rollout / best of Ansible, pyinfra, Terraform; mixed durations, 20 servers", 0.9, against(TOOLS, 20, "mixed")
    ),
    Target("rollout / ideal; steps of 5 s, 4 servers", 1.1, against([IDEAL], 4, "5s")),
    Target("rollout / ideal; mixed durations, 20 servers", 1.2, against([IDEAL], 20, "mixed")),
    Target("rollout / Ansible; no durations; 4 servers", 0.4, against(ANSIBLE, 4, "none")),
    Target("rollout / Ansible; no durations; 60 servers", 0.4, against(ANSIBLE, 60, "none")),
    Target("rollout / Terraform; no durations; 60 servers", 1.0, against(["terraform"], 60, "none")),
    Target("seconds per server at 60 / at 20, no durations", 1.3, a_server("rollout", OURS, 60, 20)),
    Target(
        "no-op preview, 60 servers / Ansible `--check` of the same",
        0.1,
        lambda r: ratio(r.median("no-op preview", OURS, 60), r.median("check", ANSIBLE[0], 60)),
    ),
    Target("state bytes per task, as stored", 2500, a_task(STORED)),
    Target("state bytes per task, before compression", 2500, a_task(UNCOMPRESSED)),
    Target(
        "connections from the operator to a frontend in a first push jobs rollout",
        4,
        lambda r: r.median("rollout", OURS, 4, "none", FRONTEND),
    ),
    Target("connections in a no-op `up`", 0, lambda r: r.median("no-op up", OURS, 4, "none", "connections")),
    Target("planning in the program, 1,000 servers, s", 1.0, lambda r: r.median("planning", "program", 1000)),
    Target("destroyed and made again / ideal; sandbox, 4 servers", 1.3, against([IDEAL], 4, "none", RENEWAL)),
    *(
        Target(
            f"whole new environment / ideal; people's durations, {servers} servers",
            limit,
            environment([IDEAL], servers),
        )
        for servers, limit in ((4, 1.03), (20, 1.06))
    ),
    *(
        Target(
            f"whole new environment / best of Ansible, Terraform; people's durations, {servers} servers",
            0.9,
            environment([*ANSIBLE, "terraform"], servers),
        )
        for servers in (4, 20)
    ),
    Target(
        "preview: seconds per server at 1,000 / at 100", 1.3, a_server("first preview", "pulumi preview", 1000, 100)
    ),
)
