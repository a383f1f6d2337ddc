"""The model of walks: which steps are possible, which walk a seed is, and how one that fails is shortened."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.walks import model
from tests.walks.model import STEPS, TOPOLOGIES, Choice, Cluster, generate, replay, shrink, take

kinds = st.sampled_from(TOPOLOGIES)
seeds = st.integers(0, 10**6)


@given(kinds, seeds)
def test_a_seed_is_one_walk_of_steps_that_are_possible_in_turn(kind: str, seed: int) -> None:
    walk = generate(kind, seed)
    assert walk == generate(kind, seed)
    assert len(walk) == model.LENGTH
    assert tuple(choice for choice, _ in replay(kind, walk)) == walk


@given(kinds, seeds)
def test_a_walk_is_read_as_it_is_written(kind: str, seed: int) -> None:
    walk = generate(kind, seed)
    assert tuple(Choice.parse(str(choice)) for choice in walk) == walk


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense:more",
        "frontends",
        "frontends:more!thunder@0.1",
        "frontends:more!engine@0.1!thunder@0.1",
        "frontends:more@0.1",
    ],
)
def test_what_is_no_step_is_refused(text: str) -> None:
    try:
        choice = Choice.parse(text)
    except ValueError as error:
        assert "is no step of a walk" in str(error)
    else:
        assert take(Cluster("ha"), choice) is None


@given(kinds, seeds)
def test_every_state_of_a_walk_is_one_that_the_program_takes(kind: str, seed: int) -> None:
    for _, cluster in replay(kind, generate(kind, seed)):
        assert cluster.frontends in model.FRONTENDS
        assert cluster.master in cluster.backends
        assert len(set(model.PORTS[cluster.ports])) == 3


@pytest.mark.parametrize("kind", TOPOLOGIES)
def test_every_step_and_every_drift_that_is_for_a_topology_comes_up(kind: str) -> None:
    walks = [generate(kind, seed) for seed in range(300)]
    seen = Counter(choice.step for walk in walks for choice in walk)
    not_for = {"ha": set(), "tier": {"failover"}, "existing": {"ports", "replace", "networks", "protect"}}
    assert set(STEPS) - set(seen) == not_for[kind]
    drifts = {choice.what.split("@")[0] for walk in walks for choice in walk if choice.step == "drift"}
    never = {"ha": set(), "tier": {"started", "keepalived"}, "existing": {"rule-revoked", "rule-added"}}
    assert set(model.DRIFTS) - drifts == never[kind]
    assert {hit.fault for walk in walks for choice in walk for hit in choice.hits} == set(model.FAULTS)
    assert {len(choice.hits) for walk in walks for choice in walk} == {0, 1, 2}


POSSIBLE: dict[str, tuple[Cluster, dict[str, set[str]]]] = {
    "a protected server is neither removed nor replaced": (
        Cluster("ha", frontends=2, protect=True),
        {"frontends": {"more"}, "replace": set()},
    ),
    "a new primary of a cluster that fails over needs hands": (
        Cluster("ha"),
        {"replace": {"backend-1", "frontend-0"}},
    ),
    "nor is a master replaced": (Cluster("ha", master="backend-1"), {"replace": {"frontend-0"}}),
    "a tier's may be": (Cluster("tier"), {"replace": {"backend-0", "frontend-0"}, "failover": set()}),
    "there is no way back from a package": (Cluster("tier", package="2.2.8"), {"upgrade": set()}),
    "the last frontend stays": (Cluster("tier"), {"frontends": {"more"}}),
    "what exists is not the stack's to shut": (
        Cluster("existing"),
        {"ports": set(), "networks": set(), "protect": set(), "replace": set()},
    ),
}


@pytest.mark.parametrize("name", POSSIBLE)
def test_what_is_possible_follows_from_the_model(name: str) -> None:
    cluster, expected = POSSIBLE[name]
    assert {step: {move.what for move in STEPS[step].moves(cluster)} for step in expected} == expected


def test_a_failover_and_the_next_one_is_its_return() -> None:
    walk = [Choice("failover", "stop"), Choice("failover", "power")]
    assert [cluster.master for _, cluster in replay("ha", walk)] == ["backend-1", "backend-0"]


def test_every_rotation_has_a_text_of_its_own() -> None:
    texts = [cluster.rotation for _, cluster in replay("tier", [Choice("rotate", "new")] * 3)]
    assert len(set(texts)) == 3


def test_what_depends_on_a_step_that_is_left_out_is_left_out() -> None:
    walk = [Choice("frontends", "more"), Choice("replace", "frontend-1"), Choice("reverify", "again")]
    assert [str(choice) for choice, _ in replay("tier", walk[1:])] == ["reverify:again"]


def test_a_walk_that_fails_shrinks_to_what_makes_it_fail() -> None:
    walk = generate("ha", 5)
    guilty = walk[3]
    bare = replace(guilty, hits=())
    found = shrink("ha", walk, lambda left: any(replace(choice, hits=()) == bare for choice in left))
    assert bare in found
    assert len(found) <= 2, "itself, and at most what makes it possible"
    assert not any(choice.hits for choice in found)


def test_the_settings_of_a_model_are_those_of_the_stack_file() -> None:
    cluster = Cluster("ha", frontends=2, ports="others", interval="1000", rotation="x", protect=True)
    assert cluster.settings == {
        "pushJobs": {
            "package": {"file": ".sandbox/packages/opscode-push-jobs-server_1.1.6-1_amd64.deb"},
            "heartbeatPort": "11000",
            "commandPort": "11003",
            "apiPort": "11002",
            "settings": {"heartbeat_interval": "1000"},
            "rotateCredentials": "x",
        },
        "reverify": None,
        "clientCidrs": ["10.1.0.0/24"],
        "frontends": "2",
        "protect": "true",
    }
    assert Cluster("existing").settings.keys() == {"pushJobs", "reverify", "clientCidrs"}
