"""Writes bench/RESULTS.md and its plot from the results."""

from __future__ import annotations

import datetime
import json
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bench import contenders, targets
from bench.results import Results
from bench.targets import CHANGES, ENVIRONMENT, IDEAL, OURS, RENEWAL, ROLLOUT

HERE = Path(__file__).parent
PAGE, PLOT = HERE / "RESULTS.md", HERE / "rollouts.svg"
HEAD = """\
# Results

How long the push jobs rollout takes on servers that already run Chef server, and how long a whole new environment takes
on bare servers. All contenders run the same shell commands on the same hosts (network namespaces on one machine), and
must end in the same state, which is checked. Times are wall-clock seconds, medians of n runs; the contenders take
turns. `ideal` is an asyncio executor of the same plan over one persistent connection per host, without state or engine.
[docs/performance.md](../docs/performance.md) explains the figures.

Written by `scripts/bench` from [results.jsonl](results.jsonl).
"""


def write(results: Results) -> None:
    parts = [HEAD, *_machine(), *targets_reached(results), *rollouts(results), *_costs(results), *_others(results)]
    PAGE.write_text("\n".join(parts) + "\n")
    _plot(results)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    yield from ("| " + " | ".join(row) + " |" for row in rows)
    yield ""


def targets_reached(results: Results) -> Iterator[str]:
    yield "## Targets\n"
    rows = [
        (
            target.figure,
            f"≤ {target.limit:g}",
            "not measured" if found is None else f"{found:.3g}" if found < 100 else f"{found:,.0f}",
            "" if found is None else "yes" if found <= target.limit else "**no**",
        )
        for target in targets.TARGETS
        for found in [target.found(results)]
    ]
    yield from table(("figure", "target", "measured", "reached"), rows)


def rollouts(results: Results) -> Iterator[str]:
    yield "## Rollouts, in seconds, and as a multiple of the ideal\n"
    yield f"![The same as a plot]({PLOT.name})\n"
    yield from _walls(results, [ROLLOUT], results.whos(ROLLOUT))
    yield "## A whole new environment, in seconds, and as a multiple of the ideal\n"
    yield "Both runbooks, on bare servers. The durations are what people have, at a twentieth;"
    yield "[docs/performance.md](../docs/performance.md#as-people-have-it) names their sources.\n"
    yield from _walls(results, [ENVIRONMENT], results.whos(ENVIRONMENT))
    yield "## Changes, in seconds, and as a multiple of the ideal\n"
    yield "Of an environment that is up; the ideal runs the tasks that this project ran, and no others. A stack that is"
    yield "destroyed and made again is the sandbox's own, with its machines and network.\n"
    yield from _walls(results, [*CHANGES, RENEWAL], [OURS, IDEAL])


def _walls(results: Results, whats: Sequence[str], whos: Sequence[str]) -> Iterator[str]:
    cells = sorted((whats.index(what), servers, kind) for what, servers, kind in results.whats() if what in whats)

    def cell(what: str, who: str, servers: int, kind: str) -> str:
        wall, ideal = (results.median(what, each, servers, kind) for each in (who, IDEAL))
        runs = results.of(what, who, servers, kind)
        if wall is None:
            return ""
        factor = "" if not ideal or who == IDEAL else f" ({wall / ideal:.2f} x)"
        return f"{wall:.1f}{factor}, n={len(runs)}"

    rows = [
        (whats[at], str(servers), kind, *(cell(whats[at], who, servers, kind) for who in whos))
        for at, servers, kind in cells
    ]
    yield from table(("what", "servers", "durations", *whos), rows)


def _costs(results: Results) -> Iterator[str]:
    yield "## What a rollout costs, without durations\n"
    sizes = sorted({servers for what, servers, kind in results.whats() if what == "rollout" and kind == "none"})
    whos = results.whos("rollout")

    def value(who: str, servers: int, figure: str) -> str:
        found = results.median("rollout", who, servers, "none", figure)
        return "" if found is None else f"{found:,.1f}" if found % 1 else f"{found:,.0f}"

    for figure in ("cpu s", "servers' cpu s", "connections"):
        names = {"cpu s": "CPU seconds on the operator's side", "servers' cpu s": "CPU seconds on the servers"}
        yield f"{names.get(figure, 'SSH connections in total')}:\n"
        yield from table(("servers", *whos), [(str(n), *(value(who, n, figure) for who in whos)) for n in sizes])
    yield "This project's rollout:\n"
    figures = sorted(
        {name for row in results.rows if row.who == OURS and row.what == "rollout" for name in row.figures}
        - {"wall s", "busy before"}
    )
    yield from table(("", *map(str, sizes)), [(name, *(value(OURS, n, name) for n in sizes)) for name in figures])


def _others(results: Results) -> Iterator[str]:
    yield "## Previews, the program alone, and the sandbox\n"
    rows = [
        (what, who, str(servers), f"{wall:.3g}", f"{cpu:.3g}" if cpu is not None else "")
        for what, servers, kind in results.whats()
        if what not in (ROLLOUT, ENVIRONMENT, RENEWAL, *CHANGES)
        for who in results.whos(what)
        if (wall := results.median(what, who, servers, kind)) is not None
        for cpu in [results.median(what, who, servers, kind, "cpu s")]
    ]
    yield from table(("what", "who", "servers", "seconds", "CPU seconds"), rows)


def _machine() -> Iterator[str]:
    cpus = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 1e6
    asked = subprocess.run(
        [sys.executable, "-m", "sandbox.operator.engine"], capture_output=True, text=True, check=True
    )
    engine = asked.stdout.strip()
    tools = [f"{each.name} {each.version()}" for each in contenders.ALL if each.available()]
    yield f"- {datetime.datetime.now(tz=datetime.UTC):%Y-%m-%d}; {len(cpus)} processors ({cpus[0]}), {memory:.0f} GB;"
    yield f"  {platform.system()} {platform.release()}, Python {platform.python_version()}"
    yield f"- {engine.split(' at ')[0]}, with{engine.partition(', with')[2]}; {', '.join(tools)}\n"


def _plot(results: Results) -> None:
    """Drawn by matplotlib, in the contenders' environment."""
    cells = [(servers, kind) for what, servers, kind in results.whats() if what == "rollout"]
    data = {
        f"{servers} servers, {kind}": {
            who: results.median("rollout", who, servers, kind) for who in results.whos("rollout")
        }
        for servers, kind in sorted(cells)
    }
    python = HERE / ".venv" / "bin" / "python"
    subprocess.run([python, HERE / "plot.py", PLOT], input=json.dumps(data), text=True, check=True)
