"""A picture of a plan as SVG: a column per lane, a row per step with its reasons, links with tooltips. Pure.

It is one file without scripts, fonts or references, on white. Ids: `lane:LANE` with `data-servers`, `task:STEP@LANE`,
`link:STEP@LANE>STEP@LANE`, whose line has the classes `waits` and `reruns`. Written by Python's own XML library: the
plan defines all positions, so no layout program is needed, and the same plan gives the same bytes everywhere.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from chef_push_jobs.cli.plan.layout import BOX_WIDTH, Layout, Point, arrange
from chef_push_jobs.cli.plan.picture import Picture, Row
from chef_push_jobs.cli.plan.text import phrase, summary
from chef_push_jobs.runbook.plan import TaskId

TEXT_WIDTH, CHARACTERS, LINE, EDGE, HEAD, BAND = 500, 84, 15, 20, 104, 30
TITLES = {"chef": "Chef server", "push-jobs": "Push jobs"}
# One for each row in turn, dark enough for thin lines on white.
COLOURS = ("#0969da", "#bc4c00", "#1a7f37", "#8250df", "#bf3989", "#57606a", "#9a6700", "#0a7ea4")
FAINT = "#d8dee4"
STYLE = """
text { font-family: Helvetica, Arial, 'DejaVu Sans', sans-serif; font-size: 11.5px; fill: #1f2328 }
.title { font-size: 18px; font-weight: bold } .name { font-size: 13px; font-weight: bold }
.why { fill: #57606a; font-size: 11px } .centre { text-anchor: middle }
.lane { fill: #f6f8fa } .band { fill: #eaeef2 } .rule { stroke: #eaeef2 }
.box { fill: #ffffff; stroke: #57606a; stroke-width: 1.3 }
.changed .box { fill: #fff3d6; stroke: #9a6700; stroke-width: 2 }
.same .box { stroke: #d0d7de } .same text { fill: #8c959f }
.link { fill: none; stroke-width: 1.3 } .waits.reruns { stroke-width: 2 }
.link:not(.waits) { stroke-dasharray: 4 3 }
.link:hover { stroke-width: 4 }
"""


def render(picture: Picture) -> str:
    whys = {row.name: [line for one in row.reasons for line in _wrap(phrase(one))] for row in picture.rows}
    texts = {step: 30.0 + LINE * len(lines) for step, lines in whys.items()}
    above = {row.name: float(BAND) for row in _first_rows(picture)}
    layout = arrange(picture, EDGE + TEXT_WIDTH, HEAD, texts, above)
    width, height = layout.width + EDGE, layout.height + 56
    size = {"width": _n(width), "height": _n(height), "viewBox": f"0 0 {_n(width)} {_n(height)}"}
    root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", **size})
    SubElement(root, "title").text = f"Plan of stack {picture.stack}"
    SubElement(root, "style").text = STYLE
    SubElement(root, "rect", {"width": "100%", "height": "100%", "fill": "#ffffff"})
    _lanes(root, picture, layout)
    for row in picture.rows:
        _row(root, row, whys[row.name], layout)
    for row in _first_rows(picture):
        _band(root, row, layout)
    for bright in (False, True):
        for number, row in enumerate(picture.rows):
            _links(root, picture, layout, row, COLOURS[number % len(COLOURS)] if bright else FAINT)
    for key in sorted(picture.tasks, key=lambda key: (key.log_name, key.server)):
        _task(root, picture, layout, key)
    _head(root, picture, layout)
    indent(root, " ")
    return tostring(root, encoding="unicode") + "\n"


def _first_rows(picture: Picture) -> list[Row]:
    """The rows with which a runbook begins."""
    return [next(row for row in picture.rows if row.runbook == name) for name in _runbooks(picture)]


def _runbooks(picture: Picture) -> list[str]:
    return list(dict.fromkeys(row.runbook for row in picture.rows if row.runbook))


def _text(parent: Element, x: float, y: float, text: str, kind: str = "") -> None:
    SubElement(parent, "text", {"x": _n(x), "y": _n(y), **({"class": kind} if kind else {})}).text = text


def _head(root: Element, picture: Picture, layout: Layout) -> None:
    _text(root, EDGE, 34, f"Plan of stack {picture.stack}", "title")
    _text(root, EDGE, 58, summary(picture))
    _text(root, EDGE, 58 + LINE, "[n] line of the runbook; a line's reason shows when pointed at", "why")
    y = layout.height + 30
    for x, kind, label in (
        (EDGE, "waits reruns", "waits for it, and runs again with it"),
        (EDGE + 290, "waits", "waits for it"),
        (EDGE + 430, "reruns", "runs again with it"),
    ):
        SubElement(root, "path", {"class": f"link {kind}", "stroke": "#57606a", "d": f"M{x},{y} h36"})
        _text(root, x + 44, y + 4, label)


def _lanes(root: Element, picture: Picture, layout: Layout) -> None:
    for lane in picture.lanes:
        x = layout.lanes[lane.name]
        group = SubElement(root, "g", {"id": f"lane:{lane.name}", "data-servers": " ".join(lane.servers)})
        place = {"x": _n(x - 8), "y": "44", "width": _n(BOX_WIDTH + 16), "height": _n(layout.height - 34), "rx": "6"}
        SubElement(group, "rect", {"class": "lane", **place})
        lines = textwrap.wrap(lane.title, 26, break_on_hyphens=False)
        for number, line in enumerate(lines):
            _text(group, x + BOX_WIDTH / 2, 66 + LINE * number, line, "name centre")


def _row(root: Element, row: Row, whys: Sequence[str], layout: Layout) -> None:
    top, height = layout.rows[row.name]
    number = f"  [{row.number}]" if row.number else ""
    place = {"x1": _n(EDGE), "x2": _n(layout.width), "y1": _n(top + height), "y2": _n(top + height)}
    SubElement(root, "line", {"class": "rule", **place})
    _text(root, EDGE, top + 22, row.step + number, "name")
    for at, line in enumerate(whys):
        _text(root, EDGE + 12, top + 38 + LINE * at, line, "why")


def _band(root: Element, row: Row, layout: Layout) -> None:
    y = layout.rows[row.name][0] - BAND
    place = {"x": _n(EDGE), "y": _n(y + 3), "width": _n(TEXT_WIDTH - 10), "height": _n(BAND - 6), "rx": "4"}
    SubElement(root, "rect", {"class": "band", **place})
    _text(root, EDGE + 10, y + 19, TITLES.get(row.runbook, row.runbook), "name")


def _links(root: Element, picture: Picture, layout: Layout, row: Row, colour: str) -> None:
    """The links from a row's tasks: bright ones, or, if the colour is FAINT, the others."""
    for link, way in zip(picture.links, layout.ways, strict=True):
        if link.source.log_name != row.name or picture.is_bright(link.source, link.target) == (colour == FAINT):
            continue
        kind = " ".join(["link", *(["waits"] if link.waits else []), *(["reruns"] if link.reruns else [])])
        group = SubElement(root, "g", {"id": f"link:{_at(link.source)}>{_at(link.target)}"})
        SubElement(group, "title").text = f"{_at(link.target)} after {_at(link.source)}: {'; '.join(link.reasons)}"
        SubElement(group, "path", {"class": kind, "stroke": colour, "d": _curve(way)})
        SubElement(group, "path", {"fill": colour, "d": _arrowhead(way)})


def _task(root: Element, picture: Picture, layout: Layout, key: TaskId) -> None:
    box = layout.boxes[key]
    row = next(row for row in picture.rows if row.name == key.log_name)
    state = "plain" if picture.changed is None else "changed" if key in picture.changed else "same"
    group = SubElement(root, "g", {"id": f"task:{_at(key)}", "class": state})
    place = {"x": _n(box.x), "y": _n(box.y), "width": _n(BOX_WIDTH), "height": _n(box.height), "rx": "5"}
    SubElement(group, "rect", {"class": "box", **place})
    number = f" [{row.number}]" if row.number else ""
    _text(group, box.x + BOX_WIDTH / 2, box.y + box.height / 2 + 4, row.step + number, "centre")


def _at(key: TaskId) -> str:
    return f"{key.log_name}@{key.server}"


def _curve(way: Sequence[Point], radius: float = 5) -> str:
    """A path with rounded corners."""
    drawn = [f"M{_n(way[0][0])},{_n(way[0][1])}"]
    for before, corner, after in zip(way, way[1:], way[2:], strict=False):
        near, far = _towards(corner, before, radius), _towards(corner, after, radius)
        drawn.append(f"L{_n(near[0])},{_n(near[1])} Q{_n(corner[0])},{_n(corner[1])} {_n(far[0])},{_n(far[1])}")
    drawn.append(f"L{_n(way[-1][0])},{_n(way[-1][1])}")
    return " ".join(drawn)


def _towards(point: Point, other: Point, distance: float) -> Point:
    length = abs(other[0] - point[0]) + abs(other[1] - point[1])  # all segments are horizontal or vertical
    part = min(distance, length / 2) / length if length else 0
    return point[0] + (other[0] - point[0]) * part, point[1] + (other[1] - point[1]) * part


def _arrowhead(way: Sequence[Point]) -> str:
    (x, _), (tip_x, tip_y) = way[-2], way[-1]
    if x == tip_x:
        return f"M{_n(tip_x)},{_n(tip_y)} l-4,-7 h8 z"
    back = -7 if tip_x > x else 7
    return f"M{_n(tip_x)},{_n(tip_y)} l{back},-4 v8 z"


def _wrap(text: str) -> list[str]:
    return textwrap.wrap(text, CHARACTERS, subsequent_indent="   ", break_on_hyphens=False)


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
