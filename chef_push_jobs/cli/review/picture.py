"""The tasks that run, as a Mermaid flowchart: a box a server, an arrow from what is waited for. Pure.

Servers that do the same share a box. An arrow also stands for a way over tasks that do not run; one that follows from
others is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chef_push_jobs.cli.review.preview_review import PreviewReview
from chef_push_jobs.engine.preview import Op
from chef_push_jobs.model.topology import Topology
from chef_push_jobs.runbook.naming import Name, listed
from chef_push_jobs.runbook.order import waits

Box = tuple[str, ...]  # the servers that share it
Node = tuple[Box, str]  # a task in it, as `push-jobs install`


def mermaid(subject: PreviewReview) -> str:
    """Empty where no task of the runbooks runs."""
    nodes = _nodes(subject)
    if not nodes:
        return ""
    order = [server.name for server in subject.topology.servers]
    boxes = sorted({box for box, _ in nodes.values()}, key=lambda box: order.index(box[0]))
    ids = {node: f"t{number}" for number, node in enumerate(dict.fromkeys(nodes.values()))}
    lines = ["flowchart LR"]
    for number, box in enumerate(boxes):
        lines.append(f'  subgraph s{number}["{listed(list(box))}"]')
        lines += [f'    {ids[node]}["{node[1]}"]' for node in ids if node[0] == box]
        lines.append("  end")
    lines += [f"  {ids[one]} --> {ids[other]}" for one, other in _arrows(subject.topology, nodes)]
    restarts = [ids[node] for node in ids if node[1] == "push-jobs restart-pushy"]
    if restarts:
        lines += ["  classDef restart stroke:#d1242f,stroke-width:3px", f"  class {','.join(restarts)} restart"]
    return "\n".join(lines)


def _nodes(subject: PreviewReview) -> dict[str, Node]:
    """By the name of the resource, in the order of the runbooks."""
    known = waits(subject.topology)
    runs = {change.name: Name.parse(change.name) for change in subject.running if change.name in known}
    runs = {name: task for name, task in runs.items() if subject.by_name[name].op in (Op.CREATE, Op.REPLACE)}
    tasks: dict[str, tuple[str, ...]] = {}
    for task in runs.values():
        tasks[task.server] = (*tasks.get(task.server, ()), task.task)
    backends = {server.name for server in subject.topology.backends}
    boxes: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for server in (server.name for server in subject.topology.servers if server.name in tasks):
        boxes.setdefault((server if server in backends else "", tasks[server]), []).append(server)
    box_of = {server: tuple(box) for box in boxes.values() for server in box}
    return {name: (box_of[task.server], task.task) for name, task in runs.items()}


def _arrows(topology: Topology, nodes: Mapping[str, Node]) -> Iterator[tuple[Node, Node]]:
    """Only those that do not follow from others."""
    reached: dict[str, set[Node]] = {}
    leads: dict[Node, set[Node]] = {}
    for name, before in waits(topology).items():
        near: set[Node] = set()
        for other in before:
            near |= {nodes[other]} if other in nodes else reached[other]
        reached[name] = near
        if name in nodes:
            leads.setdefault(nodes[name], set()).update(near - {nodes[name]})
    ahead: dict[Node, set[Node]] = {}
    for node, found in leads.items():
        beyond: set[Node] = set().union(*(ahead[other] for other in found))
        ahead[node] = found | beyond
        yield from ((other, node) for other in leads if other in found - beyond)
