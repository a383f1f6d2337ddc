"""Positions of everything in a picture, in pixels: boxes in rows and lanes, and the routes of the links. Pure.

Positions are computed directly, without search. A link goes from its task into the channel beside the lane, down on a
track there, and enters its target from the channel beside that lane. If there are lanes between the two, it crosses
them in the gap above the target's row, where there is no box. Lines that share a track have the same source or target.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chef_push_jobs.cli.plan.folding import Link
from chef_push_jobs.cli.plan.picture import Picture
from chef_push_jobs.runbook.plan import TaskId

BOX_WIDTH, BOX_HEIGHT, PORT, TRACK, MARGIN, GAP = 172, 30, 9, 9, 16, 16
Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """The upper left corner and the height; all boxes are BOX_WIDTH wide."""

    x: float
    y: float
    height: float


@dataclass(frozen=True)
class Layout:
    """`rows` are (top, height) by step, `lanes` the boxes' left edges by lane.

    `ways` correspond to the picture's links.
    """

    width: float
    height: float
    rows: Mapping[str, tuple[float, float]]
    lanes: Mapping[str, float]
    boxes: Mapping[TaskId, Box]
    ways: Sequence[Sequence[Point]]


@dataclass(frozen=True)
class Route:
    """A link between (lane, row) numbers. Channel n is left of lane n; a link straight down needs no channel (-1)."""

    link: Link
    at: tuple[int, int]
    to: tuple[int, int]
    out: int = -1
    into: int = -1

    @property
    def start(self) -> tuple[TaskId, bool]:
        """Where it starts: (task, whether on its right side)."""
        return self.link.source, self.out == self.at[0] + 1

    @property
    def end(self) -> tuple[TaskId, bool]:
        return self.link.target, self.into == self.to[0] + 1


Side = tuple[TaskId, bool]
Ends = Mapping[Side, Sequence[Link | None]]
Tracks = Mapping[tuple[int, TaskId], int]


def arrange(
    picture: Picture, left: float, top: float, texts: Mapping[str, float], above: Mapping[str, float]
) -> Layout:
    """`texts` is the height that each step's row needs for text, `above` the space before it for a heading."""
    routes = [_route(picture, link) for link in picture.links]
    tracks, crossings, ends = _tracks(routes), _crossings(routes), _ends(routes)
    widths = [
        2 * MARGIN + TRACK * max((track for (at, _), track in tracks.items() if at == channel), default=0)
        for channel in range(len(picture.lanes) + 1)
    ]
    channels = [left + sum(widths[:n]) + n * BOX_WIDTH for n in range(len(widths))]
    lanes = {lane.name: channels[n] + widths[n] for n, lane in enumerate(picture.lanes)}
    boxes: dict[TaskId, Box] = {}
    rows: dict[str, tuple[float, float]] = {}
    for number, row in enumerate(picture.rows):
        keys = [key for lane in lanes if (key := row.at(lane)) in picture.tasks]
        gap = GAP + PORT * sum(at == number for at, _ in crossings)
        most = max(len(ends.get((key, right), ())) for key in keys for right in (True, False))
        height = max(BOX_HEIGHT, PORT * (most + 1))
        top += above.get(row.name, 0)
        rows[row.name] = top, max(gap + height, texts[row.name])
        boxes |= {key: Box(lanes[key.server], top + gap, height) for key in keys}
        top += rows[row.name][1]
    grid = Grid(boxes, ends, channels, tracks, [rows[row.name][0] for row in picture.rows], crossings)
    return Layout(channels[-1] + widths[-1], top, rows, lanes, boxes, [grid.way(route) for route in routes])


@dataclass(frozen=True)
class Grid:
    """Where links can go: `channels` are left edges, `tops` are the rows'."""

    boxes: Mapping[TaskId, Box]
    ends: Ends
    channels: Sequence[float]
    tracks: Tracks
    tops: Sequence[float]
    crossings: Tracks

    def way(self, route: Route) -> list[Point]:
        source, target = route.link.source, route.link.target
        if route.out < 0:
            above, below, middle = self.boxes[source], self.boxes[target], BOX_WIDTH / 2
            return [(above.x + middle, above.y + above.height), (below.x + middle, below.y)]
        start, end = self._port(route.start, None), self._port(route.end, route.link)
        down = self._track(route.out, source)
        if route.out == route.into:
            return [start, (down, start[1]), (down, end[1]), end]
        across = self.tops[route.to[1]] + GAP / 2 + PORT * self.crossings[route.to[1], source]
        last = self._track(route.into, target)
        return [start, (down, start[1]), (down, across), (last, across), (last, end[1]), end]

    def _track(self, channel: int, owner: TaskId) -> float:
        return self.channels[channel] + MARGIN + TRACK * self.tracks[channel, owner]

    def _port(self, side: Side, link: Link | None) -> Point:
        box, there = self.boxes[side[0]], self.ends[side]
        return box.x + BOX_WIDTH * side[1], box.y + box.height * (there.index(link) + 1) / (len(there) + 1)


def _route(picture: Picture, link: Link) -> Route:
    lanes = [lane.name for lane in picture.lanes]
    rows = [row.name for row in picture.rows]
    at, to = ((lanes.index(key.server), rows.index(key.log_name)) for key in (link.source, link.target))
    lane = at[0]
    if lane != to[0]:
        right = lane < to[0]
        return Route(link, at, to, lane + right, to[0] + (not right))
    if any(row.at(link.source.server) in picture.tasks for row in picture.rows[at[1] + 1 : to[1]]):
        side = lane + 1 if lane else 0
        return Route(link, at, to, side, side)
    return Route(link, at, to)


def _tracks(routes: Sequence[Route]) -> dict[tuple[int, TaskId], int]:
    """A track for each channel and task, from its first row to its last; no two links share a track."""
    spans: dict[tuple[int, TaskId], list[int]] = defaultdict(list)
    for route in routes:
        if route.out >= 0:
            spans[route.out, route.link.source] += [route.at[1], route.to[1]]
        if route.out != route.into:
            spans[route.into, route.link.target].append(route.to[1])
    found: dict[tuple[int, TaskId], int] = {}
    ends: dict[int, list[int]] = defaultdict(list)
    for (channel, owner), span in sorted(spans.items(), key=lambda item: (min(item[1]), max(item[1]), item[0])):
        there = ends[channel]
        track = next((n for n, end in enumerate(there) if end < min(span)), len(there))
        there[track : track + 1] = [max(span)]
        found[channel, owner] = track
    return found


def _crossings(routes: Sequence[Route]) -> dict[tuple[int, TaskId], int]:
    """By row and task, the line's number in the gap above the row."""
    long = dict.fromkeys((route.to[1], route.link.source) for route in routes if route.out != route.into)
    count: Counter[int] = Counter()
    found = {}
    for row, source in long:
        found[row, source] = count[row]
        count[row] += 1
    return found


def _ends(routes: Sequence[Route]) -> dict[tuple[TaskId, bool], list[Link | None]]:
    """By side of a box, from the top: the links that enter there, then (None) the line of all that leave there."""
    found: dict[tuple[TaskId, bool], list[Link | None]] = defaultdict(list)
    beside = [route for route in routes if route.out >= 0]
    for route in beside:
        found[route.end].append(route.link)
    for start in dict.fromkeys(route.start for route in beside):
        found[start].append(None)
    return dict(found)
