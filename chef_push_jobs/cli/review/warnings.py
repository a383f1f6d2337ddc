"""What a reviewer must not overlook, the most important first. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from chef_push_jobs.cli.review.ingress import opened
from chef_push_jobs.cli.review.preview_review import INSTANCE, PreviewReview, identities
from chef_push_jobs.cli.review.services import interrupts, reconfigured, restarting
from chef_push_jobs.cli.server_names import counted, listed
from chef_push_jobs.engine.preview import Op
from chef_push_jobs.model.machines import rank, stops
from chef_push_jobs.model.order import natural
from chef_push_jobs.model.packages import Package, numbers
from chef_push_jobs.model.shown import code, prose
from chef_push_jobs.runbook import chef_server, push_jobs

# The setting in the rotation script; other changes of the script may be changes of form.
WANTED = re.compile(r"^wanted=.*", re.MULTILINE)
# A package file in an install script; an uploaded file's name begins with a part of its digest.
FILE = re.compile(r"(?<![\w.+~-])(?:chef-rollout-[0-9a-f]{12}-)?([\w.+~-]+\.(?:deb|rpm))\b")


VOLUME = "aws:ebs/volume:Volume"
PUBLIC = "associatePublicIpAddress"
BALANCER = "aws:lb/loadBalancer:LoadBalancer"


def warnings(subject: PreviewReview) -> tuple[str, ...]:
    """Each is a sentence or two of Markdown. A new stack has nothing to lose, except existing servers."""
    about_servers = (
        ()
        if subject.is_new
        else (
            *_data(subject),
            *_primary(subject),
            *_machines(subject),
            *_stopping(subject),
            *_packages(subject),
            *_running(subject),
            *_chef_server(subject),
            *_host_keys(subject),
            *_weaker(subject),
        )
    )
    return (*_taken_over(subject), *about_servers, *_firewall(subject))


def _taken_over(subject: PreviewReview) -> Iterator[str]:
    """Servers that are taken over: their contents are unknown until the first contact."""
    existing = subject.plan.settings.existing
    found = [name for name, op in subject.changed_machines.items() if op is Op.CREATE and name in existing]
    if found:
        package = code(subject.plan.settings.push_jobs_package.name)
        yield (
            f"**Servers that exist are taken over**: {prose(listed(counted(found)))}. Push jobs that is older than "
            f"{package} is upgraded to it, and restarts wherever it runs; settings of push jobs and Chef server that "
            "were made by hand are replaced by the stack's."
        )


def _data(subject: PreviewReview) -> Iterator[str]:
    for change in subject.of(VOLUME):
        if change.op in (Op.DELETE, Op.REPLACE):
            done = "deleted" if change.op is Op.DELETE else "replaced"
            yield (
                f"**The data volume is {done}** ({code(change.name)}), and with it Chef server's data: have a backup."
            )


def _primary(subject: PreviewReview) -> Iterator[str]:
    name = subject.topology.primary.name
    op = subject.changed_machines.get(name)
    if op is Op.DELETE:
        yield f"**The primary goes** ({code(name)}), with what is on it: have a backup."
    elif op in (Op.REPLACE, Op.CREATE) and name not in subject.plan.settings.existing:
        yield (
            f"**The primary is replaced** ({code(name)}). Data that is only on it is lost: make a backup first. "
            "New credentials are created and copied to every other server."
        )


def _machines(subject: PreviewReview) -> Iterator[str]:
    primary = subject.topology.primary.name
    for op, one, more in (
        (Op.DELETE, "is deleted, with its data", "are deleted, with their data"),
        (Op.REPLACE, "is replaced, and loses its data", "are replaced, and lose their data"),
    ):
        found = counted(name for name, seen in subject.changed_machines.items() if seen is op and name != primary)
        if found:
            yield f"**{prose(listed(found))} {more if len(found) > 1 else one}.**"


def _stopping(subject: PreviewReview) -> Iterator[str]:
    """Machines that AWS stops for their change, in the order in which they stop."""
    topology, config = subject.topology, subject.plan.settings.config
    changed = [
        change.name for change in subject.of(INSTANCE) if change.op is Op.UPDATE and stops(change.before, change.after)
    ]
    if not changed:
        return
    names = sorted(changed, key=lambda name: (rank(name, topology), natural(name)))
    machines = f"**{prose(listed(names))} {'stop' if len(names) > 1 else 'stops'} for the change**"
    backends = [server.name for server in topology.backends if server.name in names]
    if config.allow_downtime and len(names) > 1:
        yield f"{machines}, all at once (`allowDowntime`): until they have started, nothing answers."
    elif len(backends) > 1:
        yield (
            f"{machines}, one at a time, the standby before the master, which hands over first. Clients notice one "
            "failover."
        )
    elif backends and len(topology.backends) == 1:
        yield f"{machines}, one at a time. Push jobs is down while {prose(backends[0])} restarts."
    else:
        yield f"{machines}, one at a time."


def _chef_server(subject: PreviewReview) -> Iterator[str]:
    on = [server for service, server in reconfigured(subject) if service == chef_server.SERVICES]
    if on:
        yield (
            f"**Chef server is reconfigured** on {prose(listed(counted(set(on))))}: its services restart there if "
            "their configuration changed."
        )


def _host_keys(subject: PreviewReview) -> Iterator[str]:
    """Of servers and bastions that are the same machines as before."""
    other: list[str] = []
    gone: list[str] = []
    for change in subject.by_name.values():
        task = subject.task(change)
        if change.op is not Op.REPLACE or not task.is_connect or task.server in subject.changed_machines:
            continue
        (_, before), (_, after) = identities(change)
        if before != after:
            (other if after else gone).append(task.server)
    if other:
        yield (
            f"**Another host key is trusted** for {prose(listed(counted(other)))}: compare it on the console "
            "(docs/operations.md, New host keys). The server is set up anew."
        )
    if gone:
        yield (
            f"**Whoever answers is trusted** as {prose(listed(counted(gone)))}: its host key is not in the settings "
            "any more. The server is set up anew."
        )


def _weaker(subject: PreviewReview) -> Iterator[str]:
    protections = {INSTANCE: "disableApiTermination", BALANCER: "enableDeletionProtection"}
    off = [
        change.name
        for kind, name in protections.items()
        for change in subject.of(kind)
        if change.op is not Op.DELETE and change.before.get(name) and not change.after.get(name)
    ]
    if off:
        yield f"**Protection is taken off** {prose(listed(counted(off)))}: they can be deleted from now on."
    tokens = [(change.name, *map(_tokens, (change.before, change.after))) for change in subject.of(INSTANCE)]
    without = [name for name, before, after in tokens if before == "required" and after == "optional"]
    if without:
        yield f"**Metadata is given without a session token** on {prose(listed(counted(without)))}."


def _tokens(inputs: Mapping[str, Any]) -> str:
    options = inputs.get("metadataOptions")
    return str(options.get("httpTokens", "")) if isinstance(options, Mapping) else ""


def _packages(subject: PreviewReview) -> Iterator[str]:
    by_text: dict[str, list[str]] = {}
    replaced: set[tuple[str, str]] = set()
    for change in subject.running:
        task = subject.planned(change)
        if task is None or task.step.package is None:
            continue
        files = [FILE.search(str(inputs.get("stdin", ""))) for inputs in (change.before, change.after)]
        if files[0] and files[1] and files[0][1] != files[1][1]:
            text = f"**The package changes**: `{files[1][1]}` in place of `{files[0][1]}`"
            by_text.setdefault(text, []).append(task.server.name)
            replaced.add((files[0][1], files[1][1]))
    yield from (f"{text}, on {listed(servers)}." for text, servers in by_text.items())
    if any(_leaves_1(files) for files in replaced):
        yield (
            "**Clients of push jobs 1.x will no longer be served**: update them first, to 2.1 with "
            "`allow_unencrypted` true, which works with both."
        )


def _leaves_1(files: tuple[str, str]) -> bool:
    """Whether push jobs changes from 1.x to a later version, according to its packages' names."""
    before, after = (numbers(Package(file, "").version or "") for file in files)
    return push_jobs.NAME in files[1] and bool(before) and before < (2,) <= after


def _running(subject: PreviewReview) -> Iterator[str]:
    if interrupts(subject):
        yield (
            f"**Push jobs restarts in stack {prose(subject.stack)}** (`{push_jobs.SERVICE}` on "
            f"{listed(restarting(subject))}, one at a time). Clients lose their connection for a few seconds; "
            "running jobs may fail."
        )
    elif on := restarting(subject):
        yield (
            f"**Push jobs restarts on {listed(on)} if it is the master now**; on a standby the service stays stopped."
        )
    rotations = [change for change in subject.running if subject.task(change)[:2] == (push_jobs.NAME, "rotate")]
    if any(_wanted(change.before) != _wanted(change.after) for change in rotations):
        yield "**New push jobs credentials are created** and copied to every server."


def _wanted(inputs: Mapping[str, Any]) -> str:
    found = WANTED.search(str(inputs.get("stdin", "")))
    return found[0] if found else ""


def _firewall(subject: PreviewReview) -> Iterator[str]:
    rules = dict.fromkeys(opened(subject))
    if rules:
        what = "lets in" if subject.is_new else "is widened"
        yield f"**The firewall {what}**:" + "".join(f"\n  - {rule}" for rule in rules)
    public = [] if subject.is_new else list(_made_public(subject))
    if public:
        yield "**The network is opened**:" + "".join(f"\n  - {prose(one)}" for one in public)


def _made_public(subject: PreviewReview) -> Iterator[str]:
    for change in subject.of(BALANCER):
        if change.before.get("internal") is True and change.op is not Op.DELETE and not change.after.get("internal"):
            yield f"the load balancer {change.name} has public addresses"
    for change in subject.of(INSTANCE):
        if change.before and not change.before.get(PUBLIC) and change.after.get(PUBLIC) is True:
            yield f"{change.name} has a public address"
