"""The picture of a plan: its links are the plan's edges, whatever the topology and however it is drawn."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from xml.etree import ElementTree

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from chef_push_jobs.cli.plan import document, mermaid, svg, text
from chef_push_jobs.cli.plan.picture import Picture, Runbooks, draw
from chef_push_jobs.config.settings import Settings
from chef_push_jobs.model.topology import Topology
from chef_push_jobs.runbook import repair
from chef_push_jobs.runbook.steps import (
    Edge,
    Key,
    Scope,
    Step,
    backends,
    everywhere,
    others,
    plan,
    primary,
    primary_if_shared,
    same,
)
from tests.unit.clusters import settings, topologies

# From a task to another, by the names of their resources; whether it waits for it, and runs again with it.
Edges = set[tuple[str, str, bool, bool]]
KINDS = {"-->": (True, False), "==>": (True, True), "-.->": (False, True)}


def of(cluster: Topology) -> Settings:
    counts = {"backends": str(len(cluster.backends)), "frontends": str(len(cluster.frontends))}
    return settings(topology=str(cluster.kind), **counts)


def edges(cluster: Settings, runbooks: Runbooks = repair.RUNBOOKS) -> Edges:
    """As the plan has them, by the rules of `rollout.py`: one `connect` for both runbooks, Chef server's first."""
    found: Edges = set()
    last: dict[str, str] = {}
    for runbook, steps in runbooks:
        first = dict(last)
        for task in plan(steps, cluster.topology):
            name = name_of(runbook, task.key)
            for key in {*task.depends_on, *task.triggered_by}:
                found.add((name_of(runbook, key), name, key in task.depends_on, key in task.triggered_by))
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


def from_svg(told: str) -> Edges:
    space = "{http://www.w3.org/2000/svg}"
    root = ElementTree.fromstring(told)  # noqa: S314 - it was written here
    groups = {group.get("id", ""): group for group in root.iter(f"{space}g")}
    lanes = {
        name.removeprefix("lane:"): tuple(group.get("data-servers", "").split())
        for name, group in groups.items()
        if name.startswith("lane:")
    }
    links = []
    for name, group in groups.items():
        if name.startswith("link:"):
            source, target = (Key(*end.split("@")) for end in name.removeprefix("link:").split(">"))
            assert {f"task:{source.step}@{source.server}", f"task:{target.step}@{target.server}"} <= set(groups)
            kinds = next(group.iter(f"{space}path")).get("class", "").split()
            links.append((source, target, "waits" in kinds, "reruns" in kinds))
    return spread(links, lanes)


SERVERS = (everywhere, backends, others, primary, primary_if_shared)


@st.composite
def tables(draw: st.DrawFn) -> tuple[Step, ...]:
    """Runbooks that nobody wrote: any servers, any edges to earlier steps, some one server at a time."""
    steps = [Step("connect", on=everywhere)]
    for number in range(draw(st.integers(1, 5))):
        earlier = st.sampled_from([step.name for step in steps])
        only = st.none() | st.sampled_from(SERVERS)
        edge = st.builds(Edge, earlier, st.sampled_from(Scope), st.sampled_from(["why", "because"]), only)
        edges = st.lists(edge, max_size=3).map(tuple)
        after, again = draw(edges), draw(edges)
        script = draw(st.sampled_from([None, lambda cluster, server: ""]))
        on, slowly = draw(st.sampled_from(SERVERS)), draw(st.booleans())
        steps.append(Step(f"s{number}", on, script, depends_on=after, triggered_by=again, one_at_a_time=slowly))
    return tuple(steps)


@given(topologies(most=4), tables(), tables())
def test_whatever_the_runbooks_the_links_are_the_edges(
    cluster: Topology, first: tuple[Step, ...], second: tuple[Step, ...]
) -> None:
    runbooks = [("chef", first), ("push-jobs", second)]
    try:
        wanted = edges(of(cluster), runbooks)
    except ValueError:
        reject()  # many-to-many: it is no runbook
    picture = draw("s", of(cluster), None, runbooks)
    assert drawn(picture) == wanted
    assert from_svg(svg.render(picture)) == wanted


@given(topologies(most=7))
def test_the_links_of_a_picture_are_the_edges_of_the_plan(cluster: Topology) -> None:
    assert drawn(draw("s", of(cluster))) == edges(of(cluster))


@pytest.mark.parametrize(
    ("render", "read"), [(document.render, from_json), (mermaid.render, from_mermaid), (svg.render, from_svg)]
)
@given(cluster=topologies(most=7), data=st.data())
def test_what_is_read_back_from_a_drawing_is_the_plan(
    render: Callable[[Picture], str], read: Callable[[str], Edges], cluster: Topology, data: st.DataObject
) -> None:
    changed = data.draw(st.none() | st.sets(st.sampled_from(repair.tasks(cluster)), max_size=5))
    assert read(render(draw("s", of(cluster), changed))) == edges(of(cluster))


@given(topologies(most=7))
def test_every_reason_stands_in_the_text_which_is_no_wider_than_a_terminal(cluster: Topology) -> None:
    picture = draw("s", of(cluster))
    told = text.render(picture)
    flat = re.sub(r"[\s│●○]+", " ", told)
    assert all(reason in flat for link in picture.links for reason in link.reasons)
    assert max(len(line) for line in told.splitlines()) <= text.COLUMNS


def test_twenty_frontends_are_one_lane() -> None:
    picture = draw("s", settings(frontends="20"))
    assert [lane.title for lane in picture.lanes] == [
        "backend-0",
        "backend-1",
        "frontend-0 … frontend-19 (20 servers)",
    ]
    assert len(picture.links) == len(draw("s", settings(frontends="2")).links), "the picture is no larger"
    assert drawn(picture) == edges(settings(frontends="20"))


def test_a_lane_whose_tasks_run_in_the_preview_is_no_lane_with_one_whose_do_not() -> None:
    picture = draw("s", settings(frontends="5"), {"push-jobs-install-frontend-2"})
    assert [lane.title for lane in picture.lanes][2:] == [
        "frontend-0, frontend-1, frontend-3, frontend-4 (4 servers)",
        "frontend-2",
    ]
    assert picture.changed == frozenset({Key("push-jobs-install", "frontend-2")})


def test_servers_that_wait_for_other_reasons_are_no_lane() -> None:
    steps = (
        Step("connect", on=everywhere),
        Step("a", on=everywhere, depends_on=(same("connect", "why"), same("connect", "because", only=primary))),
    )
    picture = draw("s", settings(frontends="1"), None, [("push-jobs", steps)])
    assert [lane.title for lane in picture.lanes] == ["backend-0", "backend-1, frontend-0"]
    a = Step("a", on=everywhere, depends_on=(same("connect", "why"),), triggered_by=steps[1].depends_on[1:])
    steps = (steps[0], a)
    picture = draw("s", settings(frontends="1"), None, [("push-jobs", steps)])
    assert [lane.title for lane in picture.lanes] == ["backend-0", "backend-1, frontend-0"]


def test_servers_that_exist_already_have_the_push_jobs_runbook_alone() -> None:
    address = {"backend": "10.0.0.4", "frontend": "10.0.0.5"}
    servers = [{"name": f"a-{r}", "fqdn": f"{r}.test", "role": r, "address": ip} for r, ip in address.items()]
    picture = draw(
        "s", settings(topology="tier", servers=servers, domain=None, backends=None, frontends=None, ssh__keyName=None)
    )
    assert {row.runbook for row in picture.rows} == {"", "push-jobs"}
    assert picture.links
