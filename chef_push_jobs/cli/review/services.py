"""Which services the tasks of a preview restart. Pure. docs/runbook.md says what the packages do."""

from __future__ import annotations

from collections.abc import Iterator

from chef_push_jobs.cli.review.preview_review import PreviewReview
from chef_push_jobs.cli.server_names import listed
from chef_push_jobs.engine.preview import Op
from chef_push_jobs.model.topology import Kind
from chef_push_jobs.runbook.plan import PlannedTask
from chef_push_jobs.runbook.push_jobs import SERVICE

IF_CHANGED = "if the configuration changed"  # reconfigure makes runit restart a service whose configuration changed


def _restarts(subject: PreviewReview) -> Iterator[tuple[PlannedTask, str]]:
    """The tasks that run again, with the services that each of them restarts."""
    for change in subject.running:
        task = subject.planned(change)
        if task and change.op is Op.REPLACE and (service := task.step.restarts.get(task.server.role)):
            yield task, service


def restarting(subject: PreviewReview) -> list[str]:
    """Existing servers on which push jobs restarts if it runs there."""
    return [task.server.name for task, _ in _restarts(subject) if task.step.always_restarts]


def interrupts(subject: PreviewReview) -> bool:
    """Whether clients notice: the service runs on the master, which is the primary until keepalived moves it."""
    return subject.topology.primary.name in restarting(subject)


def reconfigured(subject: PreviewReview) -> Iterator[tuple[str, str]]:
    """(service, server) of those that restart if their configuration changed."""
    return ((service, task.server.name) for task, service in _restarts(subject) if not task.step.always_restarts)


def services(subject: PreviewReview) -> Iterator[tuple[str, str, str]]:
    """(service, servers, when)."""
    pushy = restarting(subject)
    if pushy:
        ha = subject.topology.kind is Kind.HA
        yield SERVICE, listed(pushy), "where keepalived runs it; on a standby it stays stopped" if ha else "always"
    found: dict[str, list[str]] = {}
    for task, service in _restarts(subject):
        if task.server.name not in found.setdefault(service, []):
            found[service].append(task.server.name)
    for service, servers in found.items():
        others = [server for server in servers if service != SERVICE or server not in pushy]
        if others:
            yield service, listed(others), IF_CHANGED
