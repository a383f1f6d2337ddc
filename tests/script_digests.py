"""python -m tests.script_digests: records that the scripts as they are now were decided upon, a step at a time.

A changed script runs on a cluster that is up only when something else runs its step again, or somebody raises the
step's `revision`. So each change needs a decision, and tests/unit/files/script_digests.json has the last one: of each
step its revision, a digest of what decides its tasks' fingerprints, and the digests of the files that it sends. Where
it differs from the code, `decisions` says what there is to decide.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from chef_push_jobs.runbook import chef_server, push_jobs
from chef_push_jobs.runbook.steps import Action, Step
from chef_push_jobs.scripts import InTurn, Script
from sandbox.helped import help_if_asked
from sandbox.paths import CLONE
from tests.unit.clusters import stack

FILE = CLONE / "tests" / "unit" / "files" / "script_digests.json"
CHANGELOG = CLONE / "CHANGELOG.md"
TABLES = {
    chef_server.NAME: "chef_push_jobs/runbook/chef_server.py",
    push_jobs.NAME: "chef_push_jobs/runbook/push_jobs.py",
}
RECORD = "python -m tests.script_digests"


def _package(name: str) -> dict[str, str]:
    return {"url": f"https://packages.test/{name}", "sha256": "4c" * 32}


AWS = {"provider": "aws", "package": _package("chef-ha_1.0.0-1_amd64.deb")}
EXISTING = {"name": "one", "fqdn": "one.chef.test", "role": "backend", "address": "10.0.0.4"}
# Stacks that together send every script.
SAMPLES: tuple[dict[str, Any], ...] = (
    {"chefServer": {"package": _package("chef-server-core_12.19.31-1_amd64.deb")}},
    {"pushJobs": {"package": _package("opscode-push-jobs-server-2.2.8-1.el7.x86_64.rpm")}},
    {"highAvailability": AWS, "chefServer": {"package": _package("chef-server-core-12.19.31-1.el7.x86_64.rpm")}},
    {"topology": "standalone", "backends": None, "frontends": None, "domain": None, "servers": [EXISTING], "ssh": {}},
)


@dataclass(frozen=True)
class Decided:
    """Of a step. `given` is a digest of all that its fingerprints are made of on the sample stacks."""

    revision: int
    given: str
    scripts: Mapping[str, str]


def found() -> dict[str, Decided]:
    """By runbook and step, as the code has it."""
    sent: dict[str, list[tuple[Step, Script | InTurn, str]]] = {}
    for sample in SAMPLES:
        plan = stack(**sample)
        for task in plan.tasks.values():
            if task.runbook and task.action is Action.COMMAND:
                step = task.step
                script = task.script(plan.context.placeholder(step.facts(plan.topology)))
                meaning = step.meaning(plan.context, task.server)
                sent.setdefault(f"{task.runbook} {step.name}", []).append((step, script, meaning))
    return {name: _decided(*zip(*tasks, strict=True)) for name, tasks in sent.items()}


def _decided(steps: tuple[Step, ...], sent: tuple[Script | InTurn, ...], meanings: tuple[str, ...]) -> Decided:
    given = sha256("\n".join(sorted(set(meanings))).encode()).hexdigest()[:16]
    digests = {name: digest for script in sent for name, digest in script.digests.items()}
    return Decided(steps[0].revision, given, dict(sorted(digests.items())))


def recorded() -> dict[str, Decided]:
    return {name: Decided(**step) for name, step in json.loads(FILE.read_text()).items()} if FILE.exists() else {}


def decisions(before: Mapping[str, Decided], now: Mapping[str, Decided]) -> Iterator[str]:
    """What there is to decide, a text for each step."""
    for name in running_again(before, now):
        yield (
            f"{name}: revision {before[name].revision} -> {now[name].revision}, or what its script is given\n"
            "Rule: it runs again, with all that follows from it, on every cluster at the next up.\n"
            f"Do:   name `{name}` under 'Runs again' in CHANGELOG.md, then {RECORD}"
        )
    for name in sorted(before.keys() | now.keys()):
        if name not in before or name not in now:
            yield f"{name}: {'a new' if name in now else 'no longer a'} step with a script\nDo:   {RECORD}"
        elif before[name].given == now[name].given and (changed := _changed(before[name], now[name])):
            runbook, step = name.split(" ")
            yield (
                f"{name}: {', '.join(changed)} changed, and the step still has revision {now[name].revision}\n"
                "Rule: on clusters that are up a changed script runs only where its step's revision is raised.\n"
                f"Do:   if they need the change, raise `revision` of step {step} in {TABLES[runbook]}:\n"
                "      it runs again on every cluster at the next up, with all that follows from it.\n"
                f"      If it is a change of form, {RECORD}"
            )


def running_again(before: Mapping[str, Decided], now: Mapping[str, Decided]) -> list[str]:
    """Steps whose fingerprints change on clusters that are up."""
    return sorted(name for name in before.keys() & now.keys() if before[name].given != now[name].given)


def _changed(before: Decided, now: Decided) -> list[str]:
    names = sorted(before.scripts.keys() | now.scripts.keys())
    return [name for name in names if before.scripts.get(name) != now.scripts.get(name)]


def announced(changelog: str) -> frozenset[str]:
    """The steps that the changelog's unreleased part says to run again."""
    unreleased = changelog.split("\n## Unreleased\n", 1)[1].split("\n## ", 1)[0]
    _, _, section = unreleased.partition("### Runs again\n")
    return frozenset(re.findall(r"`([\w-]+ [\w-]+)`", section.split("\n### ", 1)[0]))


def main() -> int:
    before, now = recorded(), found()
    if untold := set(running_again(before, now)) - announced(CHANGELOG.read_text()):
        print(
            f"{', '.join(sorted(untold))}: not under 'Runs again' in the changelog's unreleased part", file=sys.stderr
        )
        return 1
    FILE.write_text(json.dumps({name: asdict(step) for name, step in sorted(now.items())}, indent=1) + "\n")
    print(f"{FILE}: {len(now)} steps")
    return 0


if __name__ == "__main__":
    help_if_asked(__doc__)
    sys.exit(main())
