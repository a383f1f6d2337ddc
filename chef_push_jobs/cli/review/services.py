"""Which services a task restarts. Pure; what the packages do is said in docs/runbook.md."""

from __future__ import annotations

from collections.abc import Iterator

from chef_push_jobs.cli.review.preview_review import PreviewReview
from chef_push_jobs.engine.preview import Op
from chef_push_jobs.model.topology import Kind, Role
from chef_push_jobs.runbook.naming import Name, listed

RESTART = "push-jobs restart-pushy"
PUSHY = "opscode-pushy-server"
IF_CHANGED = "if the configuration changed"
# What reconfigure does is decided by the server: runit restarts what has a changed configuration.
RECONFIGURES = {
    "chef reconfigure-primary": {Role.BACKEND: "Chef server's services"},
    "chef reconfigure": {Role.BACKEND: "Chef server's services", Role.FRONTEND: "Chef server's services"},
    "push-jobs reconfigure-primary": {Role.BACKEND: PUSHY},
    "push-jobs reconfigure": {Role.BACKEND: PUSHY, Role.FRONTEND: "nginx"},
    "push-jobs chef-reconfigure": {Role.BACKEND: "keepalived"},
}


def restarting(subject: PreviewReview) -> list[str]:
    """Servers that were there before, on which push jobs is restarted if it runs there."""
    named = [(change.op, Name.parse(change.name)) for change in subject.running]
    return [name.server for op, name in named if op is Op.REPLACE and name.task == RESTART]


def interrupts(subject: PreviewReview) -> bool:
    """Whether clients notice: the service runs on the master, which is the primary until keepalived moves it."""
    return subject.topology.primary.name in restarting(subject)


def services(subject: PreviewReview) -> Iterator[tuple[str, str, str]]:
    """(service, servers, when)."""
    pushy = restarting(subject)
    if pushy:
        ha = subject.topology.kind is Kind.HA
        yield PUSHY, listed(pushy), "where keepalived has it run; on a standby it stays down" if ha else "always"
    found: dict[str, list[str]] = {}
    for change in subject.running:
        name = Name.parse(change.name)
        roles = {server.name: server.role for server in subject.topology.servers}
        service = RECONFIGURES.get(name.task, {}).get(roles.get(name.server, Role.BACKEND))
        if service and change.op is Op.REPLACE and name.server not in found.setdefault(service, []):
            found[service].append(name.server)
    for service, servers in found.items():
        others = [server for server in servers if service != PUSHY or server not in pushy]
        if others:
            yield service, listed(others), IF_CHANGED
