"""Draws rollouts as horizontal bars, a panel per cell: python plot.py FILE.svg < {"cell": {"contender": seconds}}."""

import json
import sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "rollouts"  # makes the same file from the same figures

from matplotlib import pyplot  # noqa: E402 - after the choice of what draws

COLUMNS = 3
OURS, IDEAL, OTHER = "#3b6fb6", "#8c959f", "#d9a441"


def draw(cells: dict[str, dict[str, float | None]], file: str) -> None:
    rows = -(-len(cells) // COLUMNS)
    figure, grid = pyplot.subplots(rows, COLUMNS, figsize=(13, 2.6 * rows), squeeze=False)
    for axes in grid.flat[len(cells) :]:
        axes.set_axis_off()
    for axes, (title, bars) in zip(grid.flat, cells.items(), strict=False):
        known = {who: wall for who, wall in reversed(bars.items()) if wall is not None}
        colours = [{"pulumi up": OURS, "ideal": IDEAL}.get(who, OTHER) for who in known]
        drawn = axes.barh(list(known), list(known.values()), color=colours)
        axes.bar_label(drawn, fmt="%.1f", padding=3, fontsize=8)
        axes.set_title(title, fontsize=10)
        axes.margins(x=0.15)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel("seconds", fontsize=8)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})


if __name__ == "__main__":
    draw(json.load(sys.stdin), sys.argv[1])
