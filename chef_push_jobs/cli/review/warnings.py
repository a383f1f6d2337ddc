"""What a reviewer must not overlook, the worst first. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from chef_push_jobs.cli.review.ingress import opened
from chef_push_jobs.cli.review.preview_review import PreviewReview
from chef_push_jobs.cli.review.services import interrupts, restarting
from chef_push_jobs.cli.server_names import listed
from chef_push_jobs.engine.preview import Op
from chef_push_jobs.model.packages import Package, numbers
from chef_push_jobs.model.shown import code, prose
from chef_push_jobs.runbook import push_jobs

# The setting in the script that rotates; the rest of it may change form.
WANTED = re.compile(r"^wanted=.*", re.MULTILINE)
# A package file in an install script; one that was uploaded has a part of its digest in front.
FILE = re.compile(r"(?<![\w.+~-])(?:chef-rollout-[0-9a-f]{12}-)?([\w.+~-]+\.(?:deb|rpm))\b")


def warnings(subject: PreviewReview) -> tuple[str, ...]:
    """Each a sentence or two in Markdown. A stack that is new has nothing to lose: only its open doors are listed."""
    about_servers = (
        () if subject.is_new else (*_primary(subject), *_machines(subject), *_packages(subject), *_running(subject))
    )
    return (*about_servers, *_firewall(subject))


def _primary(subject: PreviewReview) -> Iterator[str]:
    name = subject.topology.primary.name
    if subject.changed_machines.get(name) in (Op.REPLACE, Op.CREATE):
        yield (
            f"**The primary is replaced** ({code(name)}). What is only on it is lost: have a backup. The credentials "
            "are made anew and copied to every other server."
        )


def _machines(subject: PreviewReview) -> Iterator[str]:
    primary = subject.topology.primary.name
    for op, what in ((Op.DELETE, "go, with what is on them"), (Op.REPLACE, "are replaced, with what is on them")):
        found = sorted(name for name, seen in subject.changed_machines.items() if seen is op and name != primary)
        if found:
            text = what if len(found) > 1 else what.replace("go,", "goes,").replace("are ", "is ").replace("them", "it")
            yield f"**{prose(listed(found))} {text}.**"


def _packages(subject: PreviewReview) -> Iterator[str]:
    by_text: dict[str, list[str]] = {}
    replaced: set[tuple[str, str]] = set()
    for change in subject.running:
        task = subject.planned(change)
        if task is None or task.step.package is None:
            continue
        files = [FILE.search(str(inputs.get("stdin", ""))) for inputs in (change.before, change.after)]
        if files[0] and files[1] and files[0][1] != files[1][1]:
            text = f"**Another package is installed**: `{files[1][1]}` in place of `{files[0][1]}`"
            by_text.setdefault(text, []).append(task.server.name)
            replaced.add((files[0][1], files[1][1]))
    yield from (f"{text}, on {listed(servers)}." for text, servers in by_text.items())
    if any(_leaves_1(files) for files in replaced):
        yield (
            "**Clients of push jobs 1.x are not served any more**: update them first, to 2.1 with `allow_unencrypted` "
            "true, which speaks with both."
        )


def _leaves_1(files: tuple[str, str]) -> bool:
    """Whether push jobs comes from 1.x to a later one, by the names of its packages."""
    before, after = (numbers(Package(file, "").version or "") for file in files)
    return push_jobs.NAME in files[1] and bool(before) and before < (2,) <= after


def _running(subject: PreviewReview) -> Iterator[str]:
    if interrupts(subject):
        yield (
            f"**Push jobs is restarted in stack {prose(subject.stack)}** (`{push_jobs.SERVICE}` on "
            f"{listed(restarting(subject))}, one at a time). Clients lose their connection for some seconds; jobs that "
            "run then may fail."
        )
    elif on := restarting(subject):
        yield (
            f"**Push jobs is restarted on {listed(on)} if it is the master now**; on a standby the service stays down."
        )
    rotations = [change for change in subject.running if subject.task(change)[:2] == (push_jobs.NAME, "rotate")]
    if any(_wanted(change.before) != _wanted(change.after) for change in rotations):
        yield "**The push jobs credentials are made anew**, and copied to every server."


def _wanted(inputs: Mapping[str, Any]) -> str:
    found = WANTED.search(str(inputs.get("stdin", "")))
    return found[0] if found else ""


def _firewall(subject: PreviewReview) -> Iterator[str]:
    rules = dict.fromkeys(opened(subject))
    if rules:
        what = "lets in" if subject.is_new else "is widened"
        yield f"**The firewall {what}**:" + "".join(f"\n  - {rule}" for rule in rules)
