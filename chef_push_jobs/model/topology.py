"""The servers of a cluster, the role of each, and where push jobs runs. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from chef_push_jobs.model.problems import Problem

NAME = re.compile(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?")
LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
FQDN = re.compile(rf"(?=.{{4,253}}\Z){LABEL}(\.{LABEL})+")


class Kind(StrEnum):
    """The topologies that Chef server knows (docs/chef.md, What a core knows)."""

    STANDALONE = "standalone"
    TIER = "tier"
    HA = "ha"


class Role(StrEnum):
    """A server's role. A standalone server counts as a backend: push jobs runs on it."""

    BACKEND = "backend"
    FRONTEND = "frontend"


@dataclass(frozen=True)
class Server:
    """One machine: `name` in resources, tags and logs; Chef server finds its role by `fqdn`."""

    name: str
    fqdn: str
    role: Role


@dataclass(frozen=True)
class Topology:
    """A valid set of servers; the primary is the first backend. Build it with `topology`."""

    kind: Kind
    servers: tuple[Server, ...]

    @cached_property
    def backends(self) -> tuple[Server, ...]:
        return tuple(server for server in self.servers if server.role is Role.BACKEND)

    @cached_property
    def frontends(self) -> tuple[Server, ...]:
        return tuple(server for server in self.servers if server.role is Role.FRONTEND)

    @property
    def primary(self) -> Server:
        return self.backends[0]

    @property
    def others(self) -> tuple[Server, ...]:
        """Every server except the primary, backends first."""
        return (*self.backends[1:], *self.frontends)

    @property
    def push_jobs_servers(self) -> tuple[Server, ...]:
        """The servers that run push jobs: the backends, or the standalone server."""
        return self.backends


# kind: (backends, fewest frontends, most frontends)
SIZES: dict[Kind, tuple[int, int, int | None]] = {
    Kind.STANDALONE: (1, 0, 0),
    Kind.TIER: (1, 1, None),
    Kind.HA: (2, 1, None),
}
SHAPES = {
    Kind.STANDALONE: "one backend and no frontend",
    Kind.TIER: "one backend and at least one frontend",
    Kind.HA: "two backends and at least one frontend",
}


def numbered(backends: int, frontends: int, domain: str) -> tuple[Server, ...]:
    """`backend-0`, `backend-1`, `frontend-0`, … in `domain`."""
    roles = ((Role.BACKEND, backends), (Role.FRONTEND, frontends))
    names = [(f"{role}-{number}", role) for role, count in roles for number in range(count)]
    return tuple(Server(name, f"{name}.{domain}", role) for name, role in names)


def problems(kind: Kind | None, servers: Sequence[Server]) -> list[Problem]:
    """Every reason why `servers` are not a topology of `kind`; empty if they are one."""
    found = [problem for server in servers for problem in _naming(server)]
    found += [
        Problem("servers", f"{what} '{value}' is given {count} times", f"each server needs its own {what}", "rename")
        for what, values in (("name", (s.name for s in servers)), ("fqdn", (s.fqdn for s in servers)))
        for value, count in Counter(values).items()
        if count > 1
    ]
    if kind is not None:
        found += _size(kind, servers)
    return found


def _size(kind: Kind, servers: Iterable[Server]) -> list[Problem]:
    count = Counter(server.role for server in servers)
    backends, least, most = SIZES[kind]
    frontends = count[Role.FRONTEND]
    if count[Role.BACKEND] == backends and least <= frontends and (most is None or frontends <= most):
        return []
    given = f"{count[Role.BACKEND]} backend(s) and {frontends} frontend(s) with topology {kind}"
    fits = [other for other in Kind if not _misfit(other, count[Role.BACKEND], frontends)]
    remedy = f"set topology to {fits[0]}, or change the servers" if fits else "change the number of servers"
    return [Problem("topology", given, f"{kind} has {SHAPES[kind]}", remedy)]


def _misfit(kind: Kind, backends: int, frontends: int) -> bool:
    wanted, least, most = SIZES[kind]
    return backends != wanted or frontends < least or (most is not None and frontends > most)


def _naming(server: Server) -> list[Problem]:
    found = []
    if not NAME.fullmatch(server.name):
        rule = (
            "a name has 1 to 32 lower-case letters, digits and hyphens, starts with a letter and does not end with "
            "a hyphen"
        )
        found.append(Problem("servers", f"name '{server.name}'", rule, "choose a name such as backend-0"))
    if not FQDN.fullmatch(server.fqdn):
        rule = "an FQDN has at least two dot-separated labels of lower-case letters, digits and hyphens"
        lower = server.fqdn.lower()
        better = lower if FQDN.fullmatch(lower) else "chef-backend-0.example.com"
        found.append(Problem("servers", f"fqdn '{server.fqdn}'", rule, f"write it as, for example, {better}"))
    return found


def topology(kind: Kind, servers: Sequence[Server]) -> Topology:
    """The checked topology. Raises ValueError with every problem found."""
    if found := problems(kind, servers):
        raise ValueError("; ".join(str(problem) for problem in found))
    return Topology(kind, tuple(servers))
