"""A picture of a highly available cluster as SVG: servers, who connects to whom by which ports, and the eight steps.

Pure. Ports and steps are taken from their tables. One file without scripts, fonts or references, for light and dark
pages.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from chef_push_jobs.config.stack_config import PushJobs, Ssh
from chef_push_jobs.model.flows import API, COMMANDS, HEARTBEAT, SSH, VRRP, Cluster, Flow, Needs, Peer, flows
from chef_push_jobs.model.topology import Kind, Server, Topology, numbered, topology
from chef_push_jobs.runbook import push_jobs

WIDTH, HEIGHT = 980, 500
STYLE = """
text { font-family: Helvetica, Arial, 'DejaVu Sans', sans-serif; font-size: 13px; fill: #1f2328 }
.name { font-weight: bold } .small { font-size: 11.5px; fill: #57606a } .centre { text-anchor: middle }
.page { fill: #ffffff } .zone { fill: #f6f8fa } .box { fill: #ffffff; stroke: #57606a; stroke-width: 1.3 }
.line { fill: none; stroke: #57606a; stroke-width: 1.3 }
.jobs .line { stroke: #0969da; stroke-width: 2.6 } .jobs text { fill: #0969da; font-weight: bold }
@media (prefers-color-scheme: dark) {
 text { fill: #e6edf3 } .small { fill: #9198a1 } .page { fill: #0d1117 } .zone { fill: #161b22 }
 .box { fill: #0d1117; stroke: #9198a1 } .line { stroke: #9198a1 }
 .jobs .line { stroke: #4493f8 } .jobs text { fill: #4493f8 }
}
"""
HAS = frozenset({Needs.MADE_BALANCER, Needs.NO_BASTION, Needs.DATA_VOLUME})
DEFAULTS = {
    HEARTBEAT: PushJobs.model_fields["heartbeat_port"].default,
    COMMANDS: PushJobs.model_fields["command_port"].default,
    API: PushJobs.model_fields["api_port"].default,
    SSH: Ssh.model_fields["port"].default,
}
# x, y, width, height, name, what it is
BOXES = (
    (20, 60, 150, 64, "clients", "run push jobs"),
    (20, 226, 150, 64, "operator", "runs Pulumi"),
    (265, 60, 150, 64, "load balancer", "chefServer.apiFqdn"),
    (505, 46, 150, 40, "frontend-0", ""),
    (505, 100, 150, 40, "frontend-1", ""),
    (785, 46, 160, 64, "backend-0", "primary, first master"),
    (785, 156, 160, 64, "backend-1", "standby"),
)


@dataclass(frozen=True)
class Arrow:
    """`at` is where its label stands; its ports are those of the flows from `source` to `target`."""

    paths: tuple[str, ...]
    source: Peer
    target: Peer
    at: tuple[float, float]
    label: str = "{}"
    kind: str = "other"


ARROWS = (
    Arrow(("M170,80 H265",), Peer.CLIENTS, Peer.ENTRY, (217, 74)),
    Arrow(("M415,92 H460 V66 H505", "M415,92 H460 V120 H505"), Peer.BALANCER, Peer.ANSWERING, (458, 60)),
    Arrow(("M655,66 H785", "M655,120 H720 V66 H785"), Peer.FRONTENDS, Peer.BACKENDS, (720, 36)),
    Arrow(
        ("M170,108 H215 V188 H785", "M740,188 V92 H785"),
        Peer.CLIENTS,
        Peer.BACKENDS,
        (470, 181),
        "push jobs: {}, on backends only",
        "jobs",
    ),
    Arrow(("M815,110 V156", "M815,156 V110"), Peer.BACKENDS, Peer.BACKENDS, (880, 138)),
    Arrow(("M170,258 H600 V236",), Peer.OPERATORS, Peer.SERVERS, (390, 251), "SSH {}, to every server"),
)


def render() -> str:
    size = {"width": str(WIDTH), "height": str(HEIGHT), "viewBox": f"0 0 {WIDTH} {HEIGHT}"}
    root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", **size})
    SubElement(root, "title").text = "A highly available Chef server cluster, and the steps that roll out push jobs"
    SubElement(root, "style").text = STYLE
    marker = SubElement(
        SubElement(root, "defs"),
        "marker",
        {"id": "head", "refX": "9", "refY": "5", "markerWidth": "10", "markerHeight": "10", "orient": "auto"},
    )
    marker.set("markerUnits", "userSpaceOnUse")
    SubElement(marker, "path", {"d": "M0,0 L10,5 L0,10 z", "fill": "context-stroke"})
    SubElement(root, "rect", {"class": "page", "width": "100%", "height": "100%"})
    _rect(root, "zone", (245, 16, 720, 220))
    every = list(flows(Cluster(Kind.HA, None, None, HAS)))
    for arrow in ARROWS:
        _arrow(root, arrow, every)
    for x, y, width, height, name, what in BOXES:
        _rect(root, "box", (x, y, width, height))
        _text(root, x + width / 2, y + height / 2 + (-3 if what else 5), name, "name centre")
        _text(root, x + width / 2, y + height / 2 + 15, what, "small centre")
    _steps(root, topology(Kind.HA, numbered(2, 2, "example.com")))
    indent(root, " ")
    return tostring(root, encoding="unicode") + "\n"


def _arrow(root: Element, arrow: Arrow, every: Iterable[Flow]) -> None:
    group = SubElement(root, "g", {"class": arrow.kind})
    for path in arrow.paths:
        SubElement(group, "path", {"class": "line", "d": path, "marker-end": "url(#head)"})
    ports = dict.fromkeys(_port(flow) for flow in every if (flow.source, flow.target) == (arrow.source, arrow.target))
    _text(group, *arrow.at, arrow.label.format(", ".join(ports)), "small centre")


def _port(flow: Flow) -> str:
    if flow.port is None:
        return "VRRP" if flow.protocol == VRRP else flow.protocol.upper()
    return str(DEFAULTS.get(flow.port, flow.port) if isinstance(flow.port, str) else flow.port)


def _steps(root: Element, cluster: Topology) -> None:
    """One line each, in two columns."""
    _text(root, 20, 330, "The eight steps, on the servers that each is for", "name")
    numbered_steps = [step for step in push_jobs.STEPS if step.number]
    for number, steps in groupby(numbered_steps, lambda step: step.number):
        every = list(steps)
        names = ", ".join(step.name for step in every)
        where = _servers(cluster, {server for step in every for server in step.on(cluster)})
        where += ", one at a time" if every[0].one_at_a_time else ""
        column, row = divmod(int(number or 0) - 1, 4)
        x, y = 20 + 480 * column, 360 + 34 * row
        SubElement(root, "circle", {"class": "box", "cx": str(x + 12), "cy": str(y - 4), "r": "12"})
        _text(root, x + 12, y, str(number), "name centre")
        _text(root, x + 34, y, names, "name")
        _text(root, x + 190, y, where, "small")


def _servers(cluster: Topology, on: set[Server]) -> str:
    known = {
        "every server": set(cluster.servers),
        "both backends": set(cluster.backends),
        "every server but the primary": set(cluster.others),
        "the primary": {cluster.primary},
    }
    return next(words for words, servers in known.items() if servers == on)


def _rect(root: Element, kind: str, place: tuple[float, float, float, float]) -> None:
    """`place` is x, y, width and height."""
    sides = zip(("x", "y", "width", "height"), map(str, place), strict=True)
    SubElement(root, "rect", {"class": kind, "rx": "6", **dict(sides)})


def _text(root: Element, x: float, y: float, text: str, kind: str) -> None:
    if text:
        SubElement(root, "text", {"x": str(x), "y": str(y), "class": kind}).text = text
