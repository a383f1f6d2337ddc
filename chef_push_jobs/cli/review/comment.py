"""The comment on a pull request, in GitHub's Markdown: the most important things first, the long parts folded. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import takewhile

from chef_push_jobs.cli.review import cloud, picture
from chef_push_jobs.cli.review.changed_settings import script
from chef_push_jobs.cli.review.preview_review import PreviewReview
from chef_push_jobs.cli.review.reasons import reasons
from chef_push_jobs.cli.review.services import interrupts, services
from chef_push_jobs.cli.review.warnings import warnings
from chef_push_jobs.cli.server_names import listed
from chef_push_jobs.config.setting_list import settings
from chef_push_jobs.engine.preview import UNKNOWN, Op
from chef_push_jobs.engine.pulumi_cli import remedy
from chef_push_jobs.engine.stack_history import ABSENT, SECRET
from chef_push_jobs.model.shown import code, fenced, line, prose
from chef_push_jobs.runbook.plan import TaskId

PIPE = re.compile(r"\\*\|")  # with backslashes before it, which would take ours for themselves
LINES = 60  # lines of a script's changes; more are only counted
NO_HISTORY = (
    "What the settings were is not known here: `pulumi stack history` has no update that succeeded, or cannot be asked."
)
LIMIT = 60_000  # characters; GitHub takes 65,536


def marker(stack: str) -> str:
    """A mark by which the comment is found again, to be updated in place."""
    return f"<!-- chef-push-jobs: review of stack {line(stack).replace('>', '&gt;')} -->"


def failed(stack: str, errors: Iterable[str]) -> str:
    """The comment if the preview failed."""
    said = "\n\n".join(fenced(error, "text") + _remedy(error) for error in errors)
    return f"{marker(stack)}\n### Stack {code(stack)}: the preview failed\n\n{said or 'It said nothing.'}\n"


def _remedy(error: str) -> str:
    found = remedy(error)
    return f"\n\nWhat to do: {found}." if found else ""


def comment(subject: PreviewReview, policies: str = "") -> str:
    """`policies` is what a preview with a policy pack printed."""
    broken = violations(policies)
    parts = [marker(subject.stack), f"### Stack {code(subject.stack)}: {_headline(subject)}"]
    for part in (
        _warnings(subject, broken),
        _policies(broken),
        _settings(subject),
        _cloud(subject),
        _tasks(subject),
        _services(subject),
        _picture(subject),
    ):
        parts += [part] if part else []
    whole = "\n\n".join([*parts, *_scripts(subject)]) + "\n"
    if len(whole) <= LIMIT:
        return whole
    return "\n\n".join([*parts, "The changes in the scripts are too long for a comment: see `pulumi preview --diff`."])


def _headline(subject: PreviewReview) -> str:
    if not subject.preview.different:
        return "nothing changes"
    tasks, resources = len(subject.running), sum(1 for change in subject.preview.different if _is_cloud(change.type))
    servers = len({subject.task(change).server for change in subject.running} - {""})
    parts = [f"{_count(tasks, 'task')} on {_count(servers, 'server')}" if tasks else "nothing runs on a server"]
    parts += [f"{_count(resources, 'change')} in the cloud"] if resources else []
    return ", ".join(parts + (["push jobs restarts"] if interrupts(subject) and not subject.is_new else []))


def _is_cloud(kind: str) -> bool:
    return not kind.startswith(cloud.LEFT_OUT)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _warnings(subject: PreviewReview, broken: str) -> str:
    forbidden = ["**This violates a policy** (see below)."] if "[mandatory]" in broken else []
    found = [f"- {text}" for text in (*forbidden, *warnings(subject))]
    return "\n".join(f"> {one}" for one in ["[!WARNING]", *"\n".join(found).splitlines()]) if found else ""


def violations(printed: str) -> str:
    """The violations that the engine prints under `Policies:`; empty if there are none."""
    lines = printed.splitlines()
    start = next((number for number, one in enumerate(lines) if one.strip() == "Policies:"), len(lines))
    section = list(takewhile(lambda one: not one or one.startswith(" "), lines[start + 1 :]))
    text = "\n".join(section).rstrip()
    return text if "[mandatory]" in text or "[advisory]" in text else ""


def _policies(broken: str) -> str:
    return f"#### Policies\n\n{fenced(broken, 'text')}" if broken else ""


def _settings(subject: PreviewReview) -> str:
    if subject.settings is None:
        return "" if subject.is_new else NO_HISTORY
    rows = [(code(path), _value(path, was), _value(path, now)) for path, was, now in subject.settings.rows]
    return f"#### Settings\n\n{_table(('setting', 'was', 'is'), rows)}" if rows else ""


def _value(path: str, value: str) -> str:
    default = _defaults().get(path)
    if value == ABSENT:
        return f"{ABSENT} ({code(default)})" if default else ABSENT
    return SECRET if value == SECRET else code(value)


@cache
def _defaults() -> dict[str, str]:
    """The defaults of settings whose default is a single value."""
    found = {one.path: one.default for one in settings()}
    return {path: str(default).lower() for path, default in found.items() if isinstance(default, str | int)}


def _cloud(subject: PreviewReview) -> str:
    rows = list(cloud.rows(subject))
    return f"#### In the cloud\n\n{_table(('', 'what', 'which'), rows)}" if rows else ""


def _tasks(subject: PreviewReview) -> str:
    parts = []
    rows = list(_rows(subject))
    if rows:
        parts.append("#### On the servers\n\n" + _table(("task", "on", "why"), rows))
    for on, runbooks in cloud.uploads(subject).items():
        parts.append(f"Uploaded first: the package file of {' and '.join(runbooks)}, to {prose(listed(list(on)))}.")
    idle = [change for change in subject.by_name.values() if change.op is Op.UPDATE and not change.runs]
    if idle:
        parts.append(
            "Only the connection, time limit or text of the script changes, and nothing runs, for "
            f"{_count(len(idle), 'task')}."
        )
    return "\n\n".join(parts)


def _rows(subject: PreviewReview) -> Iterator[tuple[str, str, str]]:
    """A row for each task that runs on several servers for the same reasons; everything for a new server is one row."""
    rows: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    new: dict[str, list[str]] = {}
    for change in subject.running:
        task, why = subject.task(change), reasons(subject, change)
        if why == ("new server",):
            new.setdefault(task.server, []).append(task.title)
        else:
            rows.setdefault((task.title, why), []).append(task.server)
    same: dict[tuple[str, ...], list[str]] = {}
    for server, tasks in new.items():
        same.setdefault(tuple(tasks), []).append(server)
    for alike_tasks, alike in same.items():
        yield ", ".join(map(code, alike_tasks)), prose(listed(alike)), "new server"
    for (title, why), servers in rows.items():
        yield code(title), prose(listed(servers)), "<br>".join(why)


def _services(subject: PreviewReview) -> str:
    rows = [] if subject.is_new else list(services(subject))
    return f"#### Services that restart\n\n{_table(('service', 'on', 'when'), rows)}" if rows else ""


def _picture(subject: PreviewReview) -> str:
    drawn = picture.mermaid(subject)
    return f"#### Order\n\n{fenced(drawn, 'mermaid')}" if drawn else ""


def _scripts(subject: PreviewReview) -> Iterator[str]:
    """The differences between the scripts, if both are known. Servers with the same difference share it."""
    found: dict[tuple[str, str], list[str]] = {}
    for change in subject.running:
        task = subject.task(change)
        old, new = change.before.get("stdin"), change.after.get("stdin")
        if UNKNOWN in (old, new):
            old, new = _planned_scripts(subject, task)
        if old and new and old != new:
            found.setdefault((task.title, _difference(old, new)), []).append(task.server)
    for (title, difference), servers in found.items():
        head = f"<summary>Changes in the script of <code>{prose(title)}</code> on {prose(listed(servers))}</summary>"
        yield f"<details>{head}\n\n{fenced(difference, 'diff')}\n</details>"


def _planned_scripts(subject: PreviewReview, task: TaskId) -> tuple[str | None, str | None]:
    """The planned scripts, with placeholders if addresses are not known yet."""
    before = subject.settings and subject.settings.plan_before
    return (script(before, task), script(subject.plan, task)) if before else (None, None)


def _difference(old: str, new: str) -> str:
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), n=1, lineterm=""))[2:]
    shown = [one for one in lines[:LINES] if not one.startswith("@@")]
    return "\n".join([*shown, *([f"… and {len(lines) - LINES} more lines"] if len(lines) > LINES else [])])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    body = [[PIPE.sub(r"\\|", cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *body])
