"""The picture of a plan: its links are the plan's edges, whatever the topology and however it is drawn."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple
from xml.etree import ElementTree

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from chef_push_jobs.cli.plan import document, mermaid, svg, text
from chef_push_jobs.cli.plan.picture import Picture, draw
from chef_push_jobs.model.topology import Topology
from chef_push_jobs.runbook.plan import StackPlan, TaskId, plan
from chef_push_jobs.runbook.steps import (
    Action,
    Edge,
    Runbook,
    Scope,
    Step,
    backends,
    everywhere,
    others,
    primary,
    primary_if_shared,
    same,
)
from tests.unit.clusters import EXISTING, of, settings, stack, topologies

# From a task to another, by the names of their resources; whether it waits for it, and runs again with it.
Edges = set[tuple[str, str, bool, bool]]
KINDS = {"-->": (True, False), "==>": (True, True), "-.->": (False, True)}


def edges(plan: StackPlan) -> Edges:
    """As the plan has them, but for uploads and departures, which are not drawn."""
    hidden = {task.id for task in plan.tasks.values() if task.action in (Action.UPLOAD, Action.DEPARTURE)}
    return {
        (str(one), str(task), one in task.depends_on, one in task.triggered_by)
        for task in plan.tasks.values()
        for one in task.waits_for
        if not {one, task.id} & hidden
    }


class Key(NamedTuple):
    """A task as a drawing names it."""

    step: str
    server: str


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
    steps: list[Step] = []
    for number in range(draw(st.integers(1, 5))):
        earlier = st.sampled_from(["connect", *(step.name for step in steps)])
        only = st.none() | st.sampled_from(SERVERS)
        edge = st.builds(Edge, earlier, st.sampled_from(Scope), st.sampled_from(["why", "because"]), only)
        edges = st.lists(edge, max_size=3).map(tuple)
        after, again = draw(edges), draw(edges)
        action = draw(st.sampled_from([Action.COMMAND, Action.RULES]))
        on, slowly = draw(st.sampled_from(SERVERS)), draw(st.booleans())
        steps.append(Step(f"s{number}", on, action=action, depends_on=after, triggered_by=again, one_at_a_time=slowly))
    return tuple(steps)


@given(topologies(most=4), tables(), tables())
def test_whatever_the_runbooks_the_links_are_the_edges(
    cluster: Topology, first: tuple[Step, ...], second: tuple[Step, ...]
) -> None:
    try:
        made = plan(of(cluster).settings, [Runbook("chef", first), Runbook("push-jobs", second)])
    except ValueError:
        reject()  # many-to-many: it is no runbook
    picture = draw("s", made)
    assert drawn(picture) == edges(made)
    assert from_svg(svg.render(picture)) == edges(made)


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
    changed = data.draw(st.none() | st.sets(st.sampled_from(list(of(cluster).tasks)), max_size=5))
    assert read(render(draw("s", of(cluster), changed))) == edges(of(cluster))


@given(topologies(most=7))
def test_every_reason_stands_in_the_text_which_is_no_wider_than_a_terminal(cluster: Topology) -> None:
    picture = draw("s", of(cluster))
    told = text.render(picture)
    flat = re.sub(r"[\s│●○]+", " ", told)
    assert all(reason in flat for link in picture.links for reason in link.reasons)
    assert max(len(line) for line in told.splitlines()) <= text.COLUMNS


def test_twenty_frontends_are_one_lane() -> None:
    picture = draw("s", stack(frontends="20"))
    assert [lane.title for lane in picture.lanes] == [
        "backend-0",
        "backend-1",
        "frontend-0 … frontend-19 (20 servers)",
    ]
    assert len(picture.links) == len(draw("s", stack(frontends="2")).links), "the picture is no larger"
    assert drawn(picture) == edges(stack(frontends="20"))


def test_a_lane_whose_tasks_run_in_the_preview_is_no_lane_with_one_whose_do_not() -> None:
    install = TaskId("push-jobs", "install", "frontend-2")
    picture = draw("s", stack(frontends="5"), {install})
    assert [lane.title for lane in picture.lanes][2:] == [
        "frontend-0, frontend-1, frontend-3, frontend-4 (4 servers)",
        "frontend-2",
    ]
    assert picture.changed == frozenset([install])


def test_servers_that_wait_for_other_reasons_are_no_lane() -> None:
    why, because = same("connect", "why"), same("connect", "because", only=primary)
    for step in (
        Step("a", on=everywhere, depends_on=(why, because)),
        Step("a", on=everywhere, depends_on=(why,), triggered_by=(because,)),
    ):
        picture = draw("s", plan(settings(frontends="1"), [Runbook("push-jobs", [step])]))
        assert [lane.title for lane in picture.lanes] == ["backend-0", "backend-1, frontend-0"]


def test_servers_that_exist_already_have_the_push_jobs_runbook_alone() -> None:
    picture = draw("s", stack(**EXISTING))
    assert {row.runbook for row in picture.rows} == {"", "push-jobs"}
    assert picture.links
