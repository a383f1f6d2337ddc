from __future__ import annotations

import pytest

from chef_push_jobs.model.topology import Kind, Role, Server, Topology, numbered, problems, topology

DOMAIN = "chef.test"


def test_the_primary_is_the_first_backend_and_the_others_are_everyone_else() -> None:
    cluster = topology(Kind.HA, numbered(2, 2, DOMAIN))
    assert cluster.primary.name == "backend-0"
    assert [server.name for server in cluster.others] == ["backend-1", "frontend-0", "frontend-1"]


@pytest.mark.parametrize(
    ("kind", "backends", "frontends", "runs_on"),
    [
        (Kind.STANDALONE, 1, 0, ["backend-0"]),
        (Kind.TIER, 1, 2, ["backend-0"]),
        (Kind.HA, 2, 1, ["backend-0", "backend-1"]),
    ],
)
def test_push_jobs_runs_on_the_backends_only(kind: Kind, backends: int, frontends: int, runs_on: list[str]) -> None:
    cluster = topology(kind, numbered(backends, frontends, DOMAIN))
    assert [server.name for server in cluster.push_jobs_servers] == runs_on


@pytest.mark.parametrize(
    ("kind", "backends", "frontends"),
    [
        (Kind.HA, 1, 2),
        (Kind.HA, 3, 2),
        (Kind.HA, 2, 0),
        (Kind.TIER, 1, 0),
        (Kind.TIER, 2, 1),
        (Kind.TIER, 0, 1),
        (Kind.STANDALONE, 2, 0),
        (Kind.STANDALONE, 1, 1),
        (Kind.STANDALONE, 0, 0),
    ],
)
def test_a_wrong_number_of_servers_is_refused(kind: Kind, backends: int, frontends: int) -> None:
    servers = numbered(backends, frontends, DOMAIN)
    (problem,) = problems(kind, servers)
    assert f"{backends} backend(s) and {frontends} frontend(s)" in problem.given
    with pytest.raises(ValueError, match="backend"):
        topology(kind, servers)


def test_the_remedy_names_the_topology_that_the_servers_are() -> None:
    (problem,) = problems(Kind.HA, numbered(1, 2, DOMAIN))
    assert problem.remedy == "set topology to tier, or change the servers"


@pytest.mark.parametrize("name", ["", "Backend", "0backend", "back_end", "backend-", "a" * 33, "a b", "a;b", "a$(id)"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    assert [p.setting for p in problems(None, [Server(name, "a.test", Role.BACKEND)])] == ["servers"]


@pytest.mark.parametrize(
    "fqdn",
    ["", "backend", "Backend.chef.test", "a..b", "-a.test", "a-.test", "a_b.test", "a.test;id", f"{'a' * 64}.test"],
)
def test_an_fqdn_that_is_none_is_refused(fqdn: str) -> None:
    assert [p.setting for p in problems(None, [Server("a", fqdn, Role.BACKEND)])] == ["servers"]


def test_names_and_fqdns_are_given_once() -> None:
    twins = [Server("a", "a.test", Role.BACKEND), Server("a", "a.test", Role.FRONTEND)]
    assert [p.given for p in problems(Kind.TIER, twins)] == [
        "name 'a' is given 2 times",
        "fqdn 'a.test' is given 2 times",
    ]


def test_a_topology_is_a_value() -> None:
    servers = numbered(1, 0, DOMAIN)
    assert topology(Kind.STANDALONE, servers) == Topology(Kind.STANDALONE, servers)
