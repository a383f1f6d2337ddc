"""The results, one JSON line per run, written at once, so that an interrupted benchmark can continue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

FILE = Path(__file__).parent / "results.jsonl"


@dataclass(frozen=True)
class Row:
    """`figures` by name, with their unit; `what` was measured of `who`, on `servers`, with steps of `durations`."""

    what: str
    who: str
    servers: int
    durations: str = "none"
    figures: dict[str, float] = field(default_factory=dict)


class Results:
    def __init__(self, file: Path = FILE) -> None:
        self._file = file
        lines = file.read_text().splitlines() if file.exists() else []
        self.rows = [Row(**json.loads(line)) for line in lines]

    def add(self, row: Row) -> None:
        with self._file.open("a") as file:
            file.write(json.dumps(asdict(row)) + "\n")
        self.rows.append(row)

    def of(self, what: str, who: str, servers: int, durations: str = "none") -> list[Row]:
        wanted = (what, who, servers, durations)
        return [row for row in self.rows if (row.what, row.who, row.servers, row.durations) == wanted]

    def median(
        self, what: str, who: str, servers: int, durations: str = "none", figure: str = "wall s"
    ) -> float | None:
        """None if it was not measured."""
        found = [row.figures[figure] for row in self.of(what, who, servers, durations) if figure in row.figures]
        return median(found) if found else None

    def whats(self) -> Iterator[tuple[str, int, str]]:
        """What was measured, on how many servers, with which durations; each once, in the order of its first result."""
        yield from dict.fromkeys((row.what, row.servers, row.durations) for row in self.rows)

    def whos(self, what: str) -> list[str]:
        return list(dict.fromkeys(row.who for row in self.rows if row.what == what))
