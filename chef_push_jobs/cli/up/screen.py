"""Shows a rollout: a live table in a terminal, otherwise a line for each event."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table as RichTable
from rich.text import Text

from chef_push_jobs.cli.up.summary import summary
from chef_push_jobs.cli.up.table import (
    LEGEND,
    Cell,
    Mark,
    blocks,
    cloud,
    headline,
    heard,
    hidden,
    lines,
    narrowed,
    table,
    titles,
)
from chef_push_jobs.engine.event_log import Event
from chef_push_jobs.engine.progress import RolloutProgress, after
from chef_push_jobs.model.shown import line, visible

STYLES = {Mark.DONE: "green", Mark.SENT: "cyan", Mark.RUNNING: "bold yellow", Mark.FAILED: "bold red"}
REFRESHES = 4  # per second


@dataclass
class Screen:
    """`usual` are seconds by task in earlier rollouts, `last` those of the whole last rollout."""

    stack: str
    console: Console
    usual: Mapping[str, float]
    last: float | None
    rollout: RolloutProgress = field(default_factory=RolloutProgress)
    note: str = ""

    def __post_init__(self) -> None:
        self._live = Live(get_renderable=self.render, console=self.console, refresh_per_second=REFRESHES)

    def __enter__(self) -> Screen:
        if self.console.is_terminal:
            self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self.console.is_terminal:
            self._live.stop()

    def on_events(self, events: Sequence[Event]) -> None:
        before = self.rollout
        for event in events:
            self.rollout = after(self.rollout, event)
        if not self.console.is_terminal:
            for text in lines(before, self.rollout):
                self._print(line(text))

    def on_stop(self) -> None:
        self.note = "stopping: running tasks finish, no new tasks start"
        if not self.console.is_terminal:
            self._print(self.note)

    def render(self) -> RenderableType:
        now = time.time()
        whole = table(self.rollout, self.usual, now)
        shown = narrowed(whole, self.console.width)
        grid = RichTable(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
        grid.add_column("\nserver", no_wrap=True)
        for title in titles(shown.columns):
            grid.add_column(title)
        for server, cells in shown.rows.items():
            grid.add_row(Text(line(server)), *(_text(cell) for cell in cells))
        last_lines = [_dim(one) for one in heard(self.rollout)]
        below = [_dim(one) for one in (hidden(whole, shown), LEGEND if shown.rows else "") if one]
        head = Text(f"{self.stack}: {headline(self.rollout, self.last, now, self.usual)}", style="bold")
        above = [_dim(one) for one in (cloud(self.rollout, now),) if one]
        return Group(head, *above, *([grid] if shown.rows else []), *last_lines, *below, *_styled(self.note, "yellow"))

    def finish(self, said: str) -> None:
        """Prints all failures; and the engine's output, if nothing else was printed."""
        for block in blocks(self.rollout):
            self._print(f"\n{block}")
        if not self.rollout.result:
            self._print(said.rstrip())
        succeeded = self.rollout.result == "succeeded"
        outputs = {name: one for name, one in self.rollout.outputs.items() if succeeded or name != "test"}
        for one in summary(outputs):  # in a failed rollout, the test's result is from an earlier one
            self._print(line(one))
        self._print(
            f"{self.stack}: {self.rollout.result or 'nothing was done'}, "
            f"{headline(self.rollout, self.last, time.time())}"
        )

    def _print(self, text: str) -> None:
        self.console.print(visible(text), markup=False, highlight=False, soft_wrap=True)


def _dim(text: str) -> Text:
    return Text(line(text), style="dim", no_wrap=True, overflow="ellipsis")


def _styled(text: str, style: str) -> list[Text]:
    return [Text(text, style=style)] if text else []


def _text(cell: Cell | None) -> Text:
    return Text(str(cell), style=STYLES[cell.mark]) if cell else Text("")
