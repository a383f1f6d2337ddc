"""The picture of a plan: its links are the plan's edges, whatever the topology and however it is drawn."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import repair
from components.plan import document, mermaid
from components.plan.picture import Picture, draw
from components.runbook import Key, plan
from components.settings import Settings
from components.topology import Topology
from tests.unit.clusters import settings, topologies

# From a task to another, by the names of their resources; whether it waits for it, and runs again with it.
Edges = set[tuple[str, str, bool, bool]]
KINDS = {"-->": (True, False), "==>": (True, True), "-.->": (False, True)}


def of(cluster: Topology) -> Settings:
    counts = {"backends": str(len(cluster.backends)), "frontends": str(len(cluster.frontends))}
    return settings(topology=str(cluster.kind), **counts)


def edges(cluster: Settings) -> Edges:
    """As the plan has them, by the rules of `rollout.py`: one `connect` for both runbooks, Chef server's first."""
    found: Edges = set()
    last: dict[str, str] = {}
    for runbook, steps in repair.RUNBOOKS:
        first = dict(last)
        for task in plan(steps, cluster.topology):
            name = name_of(runbook, task.key)
            for key in {*task.after, *task.reruns_with}:
                found.add((name_of(runbook, key), name, key in task.after, key in task.reruns_with))
            if task.step.script is not None:
                if task.server.name in first:
                    found.add((first.pop(task.server.name), name, True, False))
                last[task.server.name] = name
    return found


def name_of(runbook: str, key: Key) -> str:
    return str(key) if key.step == "connect" else f"{runbook}-{key}"


def drawn(picture: Picture) -> Edges:
    return {(str(one.source), str(one.target), one.waits, one.reruns) for one in picture.unfolded()}


def spread(links: Iterable[tuple[Key, Key, bool, bool]], lanes: Mapping[str, tuple[str, ...]]) -> Edges:
    """Unfolds what was read back from a drawing, by the drawing's own lanes."""
    found: Edges = set()
    for source, target, waits, reruns in links:
        for one in lanes[source.server]:
            for other in [one] if source.server == target.server else lanes[target.server]:
                found.add((f"{source.step}-{one}", f"{target.step}-{other}", waits, reruns))
    return found


def from_json(told: str) -> Edges:
    read = json.loads(told)
    lanes = {lane["name"]: tuple(lane["servers"]) for lane in read["lanes"]}
    ends = [(Key(*link["from"].values()), Key(*link["to"].values())) for link in read["links"]]
    return spread([(*end, link["after"], link["again"]) for end, link in zip(ends, read["links"], strict=True)], lanes)


def from_mermaid(told: str) -> Edges:
    def key(word: str) -> Key:
        step, server = word.replace("_", "-").split("-at-")
        return Key(step, server)

    lanes = {name: tuple(servers.split()) for name, servers in re.findall(r"%% lane (\S+): (.+)", told)}
    arrows = re.findall(r"^  (\w+) (\S+?)\|[\d,]+\| (\w+)$", told, re.MULTILINE)
    assert len(arrows) == sum("|" in line for line in told.splitlines()), "each line with an arrow is understood"
    return spread([(key(source), key(target), *KINDS[arrow]) for source, arrow, target in arrows], lanes)


@given(topologies(most=7))
def test_the_links_of_a_picture_are_the_edges_of_the_plan(cluster: Topology) -> None:
    assert drawn(draw("s", of(cluster))) == edges(of(cluster))


@pytest.mark.parametrize(("render", "read"), [(document.render, from_json), (mermaid.render, from_mermaid)])
@given(cluster=topologies(most=7), data=st.data())
def test_what_is_read_back_from_a_drawing_is_the_plan(
    render: type[str], read: type[Edges], cluster: Topology, data: st.DataObject
) -> None:
    changed = data.draw(st.none() | st.sets(st.sampled_from(repair.tasks(cluster)), max_size=5))
    assert read(render(draw("s", of(cluster), changed))) == edges(of(cluster))
