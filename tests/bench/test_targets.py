"""Figures are medians and ratios of what was measured, and nothing where nothing was."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from bench import report, targets
from bench.results import Results, Row


def results(tmp_path: Path, *rows: Row) -> Results:
    made = Results(tmp_path / "results.jsonl")
    for row in rows:
        made.add(row)
    return made


def rollout(
    who: str, servers: int, wall: float, durations: str = "none", more: Mapping[str, float] | None = None
) -> Row:
    return Row("rollout", who, servers, durations, {"wall s": wall, **(more or {})})


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    made = results(tmp_path, *(rollout("ideal", 4, wall) for wall in (3.0, 9.0, 4.0)))
    again = Results(tmp_path / "results.jsonl")
    assert again.rows == made.rows
    assert again.median("rollout", "ideal", 4) == 4.0
    assert again.median("rollout", "ideal", 20) is None


def environment(who: str, wall: float) -> Row:
    return Row("environment", who, 4, "people", {"wall s": wall})


@pytest.mark.parametrize(
    ("figure", "rows", "found"),
    [
        (
            "rollout / ideal; steps of 5 s, 4 servers",
            [rollout("pulumi up", 4, 22, "5s"), rollout("ideal", 4, 20, "5s")],
            1.1,
        ),
        (
            "rollout / best of Ansible, pyinfra, Terraform; mixed durations, 20 servers",
            [rollout(who, 20, wall, "mixed") for who, wall in (("pulumi up", 45), ("pyinfra", 50), ("terraform", 60))],
            0.9,
        ),
        (
            "seconds per server at 60 / at 20, no durations",
            [rollout("pulumi up", 60, 30), rollout("pulumi up", 20, 8)],
            1.25,
        ),
        (
            "state bytes per task, as stored",
            [rollout("pulumi up", 4, 9, more={"state bytes, as stored": 9000, "tasks": 3})],
            3000,
        ),
        ("rollout / Terraform; no durations; 60 servers", [rollout("pulumi up", 60, 30)], None),
        (
            "whole new environment / best of Ansible, Terraform; people's durations, 4 servers",
            [environment(who, 54.0 + at) for at, who in enumerate(("pulumi up", "ideal", "ansible free", "terraform"))],
            54 / 56,
        ),
        (
            "destroyed and made again / ideal; sandbox, 4 servers",
            [
                Row("destroyed and made again", who, 4, "none", {"wall s": wall})
                for who, wall in (("pulumi up", 39), ("ideal", 30))
            ],
            1.3,
        ),
        (
            "whole new environment / ideal; people's durations, 4 servers",
            [environment("pulumi up", 51.5), environment("ideal", 50), rollout("ideal", 4, 20, "people")],
            1.03,
        ),
    ],
)
def test_a_target_is_compared_with_what_was_measured(
    tmp_path: Path, figure: str, rows: list[Row], found: float | None
) -> None:
    by_figure = {target.figure: target.found(results(tmp_path, *rows)) for target in targets.TARGETS}
    assert by_figure[figure] == (None if found is None else pytest.approx(found))


def test_the_page_has_each_change_beside_its_ideal(tmp_path: Path) -> None:
    walls = {"rotation": (12.5, 10), "upgrade": (33, 30)}
    rows = [
        Row(what, who, 4, "people", {"wall s": wall})
        for what, both in walls.items()
        for who, wall in zip(("pulumi up", "ideal"), both, strict=True)
    ]
    page = "\n".join(report.rollouts(results(tmp_path, *rows)))
    assert "| upgrade | 4 | people | 33.0 (1.10 x), n=1 | 30.0, n=1 |\n| rotation | 4 | people | 12.5 (1.25 x)" in page


def test_the_page_says_which_target_is_missed(tmp_path: Path) -> None:
    made = results(tmp_path, rollout("pulumi up", 4, 23, "5s"), rollout("ideal", 4, 20, "5s"))
    page = "\n".join(report.targets_reached(made))
    assert "| rollout / ideal; steps of 5 s, 4 servers | ≤ 1.1 | 1.15 | **no** |" in page
    assert "| planning in the program, 1,000 servers, s | ≤ 1 | not measured |  |" in page
