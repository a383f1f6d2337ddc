"""Results of cells: kept in a file, one JSON line each, and shown as the table of docs/reliability.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from sandbox.paths import CLONE
from tests.faults.cells import Result
from tests.faults.faults import FAULTS

KEPT = CLONE / ".sandbox" / "faults.jsonl"
DOCUMENT = CLONE / "docs" / "reliability.md"
BEGIN, END = "<!-- python -m tests.faults writes this table -->", "<!-- end of the table -->"


def keep(result: Result) -> None:
    KEPT.parent.mkdir(exist_ok=True)
    with KEPT.open("a") as file:
        file.write(json.dumps({**asdict(result), "seen": ""}) + "\n")


def kept() -> list[Result]:
    """The last result of each cell."""
    if not KEPT.exists():
        return []
    read = [Result(**json.loads(line)) for line in KEPT.read_text().splitlines()]
    return list({(result.task, result.fault): result for result in read}.values())


def table(results: Iterable[Result]) -> str:
    """Steps by faults: how many tasks were struck, and recovered."""
    cells: dict[tuple[str, str], list[bool]] = {}
    for result in results:
        cells.setdefault((result.step, result.fault), []).append(not result.problems)
    steps = list(dict.fromkeys(step for step, _ in cells))
    rows = [["step", *(fault.title for fault in FAULTS)], ["---"] * (len(FAULTS) + 1)]
    rows += [[f"`{step}`", *(_count(cells.get((step, fault.name), [])) for fault in FAULTS)] for step in steps]
    ran = [outcome for outcomes in cells.values() for outcome in outcomes]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([f"{len(ran)} cells, {sum(ran)} recovered.", "", *lines])


def _count(outcomes: Sequence[bool]) -> str:
    return f"{sum(outcomes)} of {len(outcomes)}" if outcomes else "-"


def write(results: Iterable[Result], document: Path = DOCUMENT) -> None:
    text = document.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    document.write_text(f"{before}{BEGIN}\n\n{table(results)}\n\n{END}{after}")
