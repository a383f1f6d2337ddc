"""What a preview changes in the cloud, one line per type of resource. Pure. Excludes tasks on servers."""

from __future__ import annotations

from collections.abc import Iterator

from chef_push_jobs.cli.review.ingress import INGRESS, describe
from chef_push_jobs.cli.review.preview_review import PreviewReview
from chef_push_jobs.cli.server_names import counted, listed
from chef_push_jobs.engine.preview import Change, Op
from chef_push_jobs.model.order import natural
from chef_push_jobs.model.shown import prose

UPLOAD = "command:remote:CopyToRemote"
# Not resources of the cloud: the engine's own, the program's components, and tasks on servers.
LEFT_OUT = ("pulumi:", "chef-push-jobs:", "command:")
VERBS = {Op.CREATE: "make", Op.UPDATE: "change", Op.REPLACE: "replace", Op.DELETE: "remove", Op.IMPORT: "take over"}
WORDS = {
    "aws:ec2/instance:Instance": "machine",
    INGRESS: "firewall rule",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "firewall rule (out)",
}


def rows(subject: PreviewReview) -> Iterator[tuple[str, str, str]]:
    """(action, type, names)."""
    groups: dict[tuple[Op, str], list[Change]] = {}
    for change in subject.preview.different:
        if not change.type.startswith(LEFT_OUT):
            groups.setdefault((change.op, change.type), []).append(change)
    for (op, kind), changes in sorted(groups.items(), key=lambda group: (list(VERBS).index(group[0][0]), group[0][1])):
        yield VERBS[op], WORDS.get(kind, prose(kind.rsplit(":", 1)[-1])), "<br>".join(_which(kind, op, changes))


def _which(kind: str, op: Op, changes: list[Change]) -> list[str]:
    if kind == INGRESS:
        return sorted((describe(change) for change in changes), key=natural)
    names = prose(listed(counted(change.name for change in changes)))
    inputs = sorted({path for change in changes for path in change.changed})
    return [f"{names} ({prose(', '.join(inputs))})" if op in (Op.UPDATE, Op.REPLACE) and inputs else names]


def uploads(subject: PreviewReview) -> dict[tuple[str, ...], list[str]]:
    """Runbooks whose package file is sent, by the servers that get it. An update of the connection alone sends none."""
    servers: dict[str, list[str]] = {}
    for change in subject.of(UPLOAD):
        if change.op in (Op.CREATE, Op.REPLACE) or "remotePath" in change.changed:
            task = subject.task(change)
            servers.setdefault(task.runbook, []).append(task.server)
    found: dict[tuple[str, ...], list[str]] = {}
    for runbook, on in sorted(servers.items()):
        found.setdefault(tuple(counted(on)), []).append(runbook)
    return found
