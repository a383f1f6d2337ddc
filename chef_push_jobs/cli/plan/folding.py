"""Lanes: servers that do the same and wait for the same share one. A link between lanes stands for all pairs. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product

from chef_push_jobs.runbook.plan import TaskId


@dataclass(frozen=True)
class Lane:
    """Servers that do the same. `servers` are in the plan's order; `title` is for people, `name` the first server"""

    servers: tuple[str, ...]
    title: str

    @property
    def name(self) -> str:
        return self.servers[0]


@dataclass(frozen=True)
class Link:
    """A link from one task to one that waits for it or runs again with it. The server in a key is a lane's name."""

    source: TaskId
    target: TaskId
    waits: bool
    reruns: bool
    reasons: tuple[str, ...]

    @property
    def kind(self) -> str:
        return "both" if self.waits and self.reruns else "waits" if self.waits else "reruns"


def unfold(links: Iterable[Link], lanes: Mapping[str, tuple[str, ...]]) -> Iterator[Link]:
    """The links between servers.

    Servers in the same lane have no links to each other, so such a link stays on each server.
    """
    for link in links:
        at, to = lanes[link.source.server], lanes[link.target.server]
        pairs = zip(at, at, strict=True) if at == to else product(at, to)
        for one, other in pairs:
            yield replace(link, source=link.source._replace(server=one), target=link.target._replace(server=other))


def lanes_of(
    servers: list[str], tasks: Iterable[TaskId], links: Iterable[Link], bright: Collection[TaskId]
) -> tuple[Lane, ...]:
    """Two servers share a lane if they are interchangeable in every task and link."""
    seen: dict[str, list[object]] = {server: [] for server in servers}
    for key in tasks:
        seen[key.server].append((key.log_name, key in bright))
    for link in links:
        for server in {link.source.server, link.target.server}:
            seen[server].append(
                [_as_seen_from(server, key) for key in (link.source, link.target)] + [link.kind, *link.reasons]
            )
    groups: dict[str, list[str]] = {}
    for server in servers:
        groups.setdefault(repr(sorted(map(repr, seen[server]))), []).append(server)
    return tuple(Lane(tuple(group), _title(group, servers)) for group in groups.values())


def _as_seen_from(server: str, key: TaskId) -> tuple[str, str | None]:
    return key.log_name, None if key.server == server else key.server


def _title(group: list[str], servers: list[str]) -> str:
    """Three or more consecutive servers are named by the first and the last."""
    runs: list[list[str]] = []
    for server in group:
        if runs and servers.index(server) == servers.index(runs[-1][-1]) + 1:
            runs[-1].append(server)
        else:
            runs.append([server])
    parts = [f"{run[0]} … {run[-1]}" if len(run) > 2 else ", ".join(run) for run in runs]
    if len(parts) > 3:
        parts = [parts[0], "…", parts[-1]]
    return ", ".join(parts) + (f" ({len(group)} servers)" if len(group) > 2 else "")
