"""No script changes without a decision: whether clusters that are up run it, or it is a change of form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chef_push_jobs.runbook import plan as plan_module
from chef_push_jobs.runbook.plan import TaskId
from chef_push_jobs.scripts import rendering
from tests import script_digests
from tests.script_digests import announced, decisions, found, recorded, running_again
from tests.unit.clusters import stack

STEP = "push-jobs rotate"
CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def raise_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    chef, push_jobs = plan_module.RUNBOOKS
    steps = (replace(step, revision=step.revision + 1) if step.name == "rotate" else step for step in push_jobs.steps)
    monkeypatch.setattr(plan_module, "RUNBOOKS", (chef, replace(push_jobs, steps=tuple(steps))))


def sent_and_fingerprint() -> tuple[str, str]:
    """Of the task that rotates."""
    plan = stack()
    task = plan.tasks[TaskId("push-jobs", "rotate", "backend-0")]
    return task.script(plan.context).text, task.fingerprint(plan.context)


def test_every_change_of_a_script_was_decided_upon() -> None:
    undecided = "\n\n".join(decisions(recorded(), found()))
    assert not undecided, f"there is something to decide:\n\n{undecided}"


def test_a_step_that_was_revised_is_in_the_changelog() -> None:
    """Of any version, by its name and revision."""
    changelog = CHANGELOG.read_text()
    for name, step in found().items():
        assert step.revision == 1 or f"`{name}`, revision {step.revision}" in changelog


def test_a_comment_changes_neither_what_is_sent_nor_the_fingerprint_and_needs_no_decision(scripts_folder: Path) -> None:
    before, decided = sent_and_fingerprint(), found()
    rendering._sent.cache_clear()
    change(scripts_folder / "rotate.sh", "set -eu\n", "\n# Another word.\nset -eu\n")
    assert sent_and_fingerprint() == before
    assert not list(decisions(decided, found()))


@pytest.mark.parametrize("file", ["rotate.sh", "library/service.sh"])
def test_another_form_is_sent_with_the_same_fingerprint_and_must_be_decided_upon(
    scripts_folder: Path, file: str
) -> None:
    (sent, fingerprint), decided = sent_and_fingerprint(), found()
    rendering._sent.cache_clear()
    change(scripts_folder / file, "\n}\n", "\n  : another form\n}\n")
    assert sent_and_fingerprint()[0] != sent
    assert sent_and_fingerprint()[1] == fingerprint
    told = next(text for text in decisions(decided, found()) if text.startswith(STEP))
    assert told == (
        f"push-jobs rotate: {file} changed, and the step still has revision {decided[STEP].revision}\n"
        "Rule: on clusters that are up a changed script runs only where its step's revision is raised.\n"
        "Do:   if they need the change, raise `revision` of step rotate in chef_push_jobs/runbook/push_jobs.py:\n"
        "      it runs again on every cluster at the next up, with all that follows from it.\n"
        "      If it is a change of form, python -m tests.script_digests"
    )


def test_a_raised_revision_is_another_fingerprint_which_the_changelog_must_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (sent, fingerprint), decided = sent_and_fingerprint(), found()
    raise_revision(monkeypatch)
    assert sent_and_fingerprint()[0] == sent
    assert sent_and_fingerprint()[1] != fingerprint
    (told,) = decisions(decided, found())
    assert told.startswith(f"push-jobs rotate: revision {decided[STEP].revision} -> {decided[STEP].revision + 1}")
    assert "name `push-jobs rotate` under 'Runs again' in CHANGELOG.md" in told
    assert running_again(decided, found()) == [STEP]


def test_what_runs_again_is_recorded_only_where_the_changelog_tells_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, changelog = tmp_path / "digests.json", tmp_path / "CHANGELOG.md"
    monkeypatch.setattr(script_digests, "FILE", record)
    monkeypatch.setattr(script_digests, "CHANGELOG", changelog)
    changelog.write_text("\n## Unreleased\n\n### Runs again\n")
    assert script_digests.main() == 0
    decided = recorded()
    raise_revision(monkeypatch)
    assert script_digests.main() == 1
    assert recorded() == decided
    changelog.write_text("\n## Unreleased\n\n### Runs again\n- `push-jobs rotate`, revision 2: why\n")
    assert script_digests.main() == 0
    assert recorded() == found()


def test_what_runs_again_is_read_from_the_unreleased_part_alone() -> None:
    changelog = "# C\n\n## Unreleased\n\n### Runs again\n- `chef copy`, revision 2: why\n\n### Added\n- `a b`\n\n## 1\n"
    assert announced(changelog) == {"chef copy"}
    assert announced("\n## Unreleased\n\n## 1\n### Runs again\n- `chef copy`\n") == frozenset()
