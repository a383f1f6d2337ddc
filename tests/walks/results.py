"""Results of walks: kept in a file, one JSON line each, and summed up for docs/reliability.md."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from sandbox.paths import CLONE
from tests.walks.model import TOPOLOGIES
from tests.walks.walk import Result

KEPT = CLONE / ".sandbox" / "walks.jsonl"
DOCUMENT = CLONE / "docs" / "reliability.md"
BEGIN, END = "<!-- python -m tests.walks writes this table -->", "<!-- end of the walks -->"
CAUSES = ("upgrade", "ports", "settings", "rotate", "failover")


def keep(result: Result, file: Path = KEPT) -> None:
    file.parent.mkdir(exist_ok=True)
    with file.open("a") as lines:
        lines.write(json.dumps(asdict(result)) + "\n")


def kept(file: Path = KEPT) -> list[Result]:
    """The last result of each seed."""
    if not file.exists():
        return []
    read = [Result(**json.loads(line)) for line in file.read_text().splitlines()]
    return list({(result.topology, result.seed): result for result in read if result.seed is not None}.values())


def table(results: Iterable[Result]) -> str:
    """By topology: how many were taken, how many ended as a fresh rollout does, and what clients noticed at most."""
    found = list(results)
    heads = [
        "topology",
        "walks",
        "steps",
        "with a fault",
        "ended as a fresh rollout",
        *(f"{name}, s" for name in CAUSES),
    ]
    rows = [heads, ["---"] * len(heads)]
    for topology in TOPOLOGIES:
        of = [result for result in found if result.topology == topology]
        if of:
            rows.append([f"`{topology}`", *_figures(of)])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _figures(results: list[Result]) -> list[str]:
    steps = [step for result in results for step in result.steps]
    well = sum(not result.problems for result in results)
    outages = [outage for result in results for outage in result.outages]
    longest = [
        max((s for step, s in outages if step.startswith(cause) and "!" not in step), default=None) for cause in CAUSES
    ]
    return [
        str(len(results)),
        str(len(steps)),
        str(sum("!" in step for step in steps)),
        f"{well} of {len(results)}",
        *("-" if each is None else f"{each:.1f}" for each in longest),
    ]


def write(results: Iterable[Result], document: Path = DOCUMENT) -> None:
    text = document.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    document.write_text(f"{before}{BEGIN}\n\n{table(results)}\n\n{END}{after}")
