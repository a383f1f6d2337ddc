"""The tasks that run, as a Mermaid flowchart: a box per server, an arrow from each dependency. Pure.

Servers that do the same share a box. An arrow may also stand for a path over tasks that do not run; arrows that follow
from others are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chef_push_jobs.cli.review.preview_review import PreviewReview
from chef_push_jobs.cli.server_names import listed
from chef_push_jobs.engine.preview import Op
from chef_push_jobs.model.shown import in_mermaid
from chef_push_jobs.runbook.plan import StackPlan, TaskId

Box = tuple[str, ...]  # the servers that share it
Node = tuple[Box, str]  # a task in it, as `push-jobs install`


def mermaid(subject: PreviewReview) -> str:
    """The flowchart; empty if no task of the runbooks runs."""
    nodes = _nodes(subject)
    if not nodes:
        return ""
    order = [server.name for server in subject.topology.servers]
    boxes = sorted({box for box, _ in nodes.values()}, key=lambda box: order.index(box[0]))
    ids = {node: f"t{number}" for number, node in enumerate(dict.fromkeys(nodes.values()))}
    lines = ["flowchart LR"]
    for number, box in enumerate(boxes):
        lines.append(f'  subgraph s{number}["{in_mermaid(listed(list(box)))}"]')
        lines += [f'    {ids[node]}["{in_mermaid(node[1])}"]' for node in ids if node[0] == box]
        lines.append("  end")
    lines += [f"  {ids[one]} --> {ids[other]}" for one, other in _arrows(subject.plan, nodes)]
    always = {node for task, node in nodes.items() if subject.plan.tasks[task].step.always_restarts}
    restarts = [ids[node] for node in ids if node in always]
    if restarts:
        lines += ["  classDef restart stroke:#d1242f,stroke-width:3px", f"  class {','.join(restarts)} restart"]
    return "\n".join(lines)


def _nodes(subject: PreviewReview) -> dict[TaskId, Node]:
    """In the order of the plan."""
    found = [(subject.planned(change), change) for change in subject.running]
    runs = [task.id for task, change in found if task and change.op in (Op.CREATE, Op.REPLACE)]
    tasks: dict[str, tuple[str, ...]] = {}
    for task in runs:
        tasks[task.server] = (*tasks.get(task.server, ()), task.title)
    backends = {server.name for server in subject.topology.backends}
    boxes: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for server in (server.name for server in subject.topology.servers if server.name in tasks):
        boxes.setdefault((server if server in backends else "", tasks[server]), []).append(server)
    box_of = {server: tuple(box) for box in boxes.values() for server in box}
    return {task: (box_of[task.server], task.title) for task in runs}


def _arrows(plan: StackPlan, nodes: Mapping[TaskId, Node]) -> Iterator[tuple[Node, Node]]:
    """Without arrows that follow from others."""
    reached: dict[TaskId, set[Node]] = {}
    leads: dict[Node, set[Node]] = {}
    for task in plan.tasks.values():
        near: set[Node] = set()
        for other in task.waits_for:
            near |= {nodes[other]} if other in nodes else reached[other]
        reached[task.id] = near
        if task.id in nodes:
            leads.setdefault(nodes[task.id], set()).update(near - {nodes[task.id]})
    ahead: dict[Node, set[Node]] = {}
    for node, found in leads.items():
        beyond: set[Node] = set().union(*(ahead[other] for other in found))
        ahead[node] = found | beyond
        yield from ((other, node) for other in leads if other in found - beyond)
