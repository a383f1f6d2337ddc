"""A sample of the fault matrix for every run of CI: each kind of task, each fault, a first rollout struck at each step.

The whole matrix is `python -m tests.faults`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest

from chef_push_jobs.runbook.plan import TaskId, steps
from chef_push_jobs.runbook.steps import Action
from tests.faults import cells, first
from tests.faults.faults import FAULTS, Fault
from tests.faults.lane import Lane, lane

# A step that both runbooks have is struck in the later one; `test-again` is `test`. The lane's servers are made, not
# taken over.
KINDS = {
    step.name: runbook
    for runbook, step in steps()
    if step.action in (Action.COMMAND, Action.UPLOAD) and not step.taken_over and step.name != "test-again"
}
# Faults in turn over kinds of task: every fault at least once.
turn = cycle(FAULTS)
SAMPLE = [
    (runbook, step, next(fault for fault in turn if cells.applies(TaskId(runbook, step, ""), fault)))
    for step, runbook in KINDS.items()
]


@pytest.fixture(scope="module")
def cluster(root: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lane]:
    with lane(tmp_path_factory.mktemp("sample")) as own:
        own.up()
        own.learn()
        yield own


@pytest.mark.parametrize(("rollout", "step", "fault"), SAMPLE, ids=[f"{r}-{s}-{f.name}" for r, s, f in SAMPLE])
def test_after_a_fault_plain_pulumi_up_ends_as_if_nothing_had_been(
    cluster: Lane, rollout: str, step: str, fault: Fault
) -> None:
    """On the last server that has the step: the one with the most before it."""
    task = [task for task in cluster.plan if (task.runbook, task.step) == (rollout, step)][-1]
    assert cells.run(cluster, task, fault).problems == []


def test_a_first_rollout_whose_engine_is_killed_at_every_step_ends_whole(root: None, tmp_path: Path) -> None:
    assert first.run(tmp_path, "engine").problems == []
