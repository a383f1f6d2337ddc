"""A picture of a plan as a Mermaid flowchart: a subgraph per lane, numbered links, the reasons below. Pure.

Solid: waits for it. Thick: waits for it and runs again with it. Dotted: only runs again with it.
"""

from __future__ import annotations

from collections.abc import Iterator

from chef_push_jobs.cli.plan.folding import Link
from chef_push_jobs.cli.plan.picture import Picture
from chef_push_jobs.model.shown import in_mermaid, line
from chef_push_jobs.runbook.plan import TaskId

ARROWS = {"waits": "-->", "both": "==>", "reruns": "-.->"}
WIDE = '%%{init: {"flowchart": {"wrappingWidth": 620}}}%%'
STYLES = {
    "changed": "fill:#fff3d6,stroke:#b45309,color:#1f2328",
    "same": "fill:#f6f8fa,stroke:#d0d7de,color:#8c959f",
    "plain": "fill:#eef4ff,stroke:#3b6fb6,color:#1f2328",
}


def render(picture: Picture) -> str:
    """The flowchart, with a list of the reasons by number as one more node. The id of a node is `step_at_server`."""
    numbers = _numbers(picture)
    lines = [WIDE, f"%% {line(picture.stack)}: {picture.kind}", "flowchart TB"]
    for lane in picture.lanes:
        lines.append(f"  %% lane {lane.name}: {' '.join(lane.servers)}")
        lines.append(f'  subgraph lane_{lane.name.replace("-", "_")}["{in_mermaid(lane.title)}"]')
        lines += [f"    {node}" for node in _nodes(picture, lane.name)]
        lines.append("  end")
    lines += [f"  {_arrow(link, numbers)}" for link in picture.links]
    numbered = "<br/>".join(f"{number}. {in_mermaid(reason)}" for reason, number in numbers.items())
    lines += [f'  reasons["{numbered}"]', f"  {_id(_last(picture))} ~~~ reasons"]  # below, where it moves nothing
    lines += [f"  classDef {name} {style}" for name, style in STYLES.items()]
    lines.append("  classDef legend fill:none,stroke:none,text-align:left")
    lines.append("  class reasons legend")
    faint = [str(at) for at, link in enumerate(picture.links) if not picture.is_bright(link.source, link.target)]
    if faint:
        lines.append(f"  linkStyle {','.join(faint)} stroke:#d0d7de,color:#8c959f")
    return "\n".join(lines) + "\n"


def _nodes(picture: Picture, lane: str) -> Iterator[str]:
    for row in picture.rows:
        key = row.at(lane)
        if key in picture.tasks:
            number = f" [{row.number}]" if row.number else ""
            style = "plain" if picture.changed is None else "changed" if key in picture.changed else "same"
            yield f'{_id(key)}["{in_mermaid(row.name)}{number}"]:::{style}'


def _arrow(link: Link, numbers: dict[str, int]) -> str:
    label = ",".join(str(numbers[reason]) for reason in link.reasons)
    return f"{_id(link.source)} {ARROWS[link.kind]}|{label}| {_id(link.target)}"


def _last(picture: Picture) -> TaskId:
    names = [row.name for row in picture.rows]
    return max(picture.tasks, key=lambda key: (names.index(key.log_name), key.server))


def _id(key: TaskId) -> str:
    return f"{key.log_name}_at_{key.server}".replace("-", "_")


def _numbers(picture: Picture) -> dict[str, int]:
    """A number for each reason, in the order of the links."""
    reasons = dict.fromkeys(reason for link in picture.links for reason in link.reasons)
    return {reason: number for number, reason in enumerate(reasons, 1)}
