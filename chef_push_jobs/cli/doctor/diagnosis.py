"""The whole diagnosis: every server, and what concerns the stack: its firewall in the cloud, its master. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from shlex import join, quote

from chef_push_jobs import scripts
from chef_push_jobs.cli.doctor.checks import Case, examine, ssh_command
from chef_push_jobs.cli.doctor.checks import connect as connect_of
from chef_push_jobs.cli.doctor.checks import task as task_of
from chef_push_jobs.cli.doctor.findings import Cell, Diagnosis, Finding
from chef_push_jobs.cli.doctor.observations import Cloud, ProbeResult
from chef_push_jobs.cli.server_names import counted
from chef_push_jobs.engine.stack_state import RULES, ObservedRule, Stack
from chef_push_jobs.model.topology import Kind, Server
from chef_push_jobs.runbook.plan import TaskId
from chef_push_jobs.runbook.steps import Action, everywhere

INSTANCE = "aws:ec2/instance:Instance"
GROUP = "aws:ec2/securityGroup:SecurityGroup"


def diagnose(stack: Stack, visits: Mapping[str, ProbeResult], cloud: Cloud, nonce: str) -> Diagnosis:
    topology = stack.settings.topology
    changed = frozenset(_changed(stack))
    case = Case(
        stack.plan,
        {target.name: target for target in stack.targets},
        visits,
        nonce,
        changed | stack.plan.following(changed),
        guarded=bool(stack.ids(GROUP)),
        bastion=stack.bastion,
    )
    cells: dict[str, dict[str, Cell]] = {}
    findings: list[Finding] = list(_not_rolled_out(stack, changed))
    for server in everywhere(topology):
        if server.name in visits:
            cells[server.name] = examine(case, server, _unreachable(stack, server, visits[server.name], cloud))
    in_cells = [cell.finding for row in cells.values() for cell in row.values() if cell.finding]
    strays = _strays(stack, cloud)
    findings += [_with_strays(finding, stack, visits, cloud, strays) for finding in in_cells]
    findings += [*_master(case), *_readers(case), *_one_machine(case), *strays.values(), *_rules(stack, cloud)]
    findings += _machines(stack, visits, cloud)
    return Diagnosis(cells, tuple(findings))


def _changed(stack: Stack) -> Iterator[TaskId]:
    """Tasks whose work has changed with the settings since they last ran, if that shows without asking a server."""
    for task in stack.plan.tasks.values():
        name, command = str(task), task.action is Action.COMMAND
        known = command and task.id.runbook and not task.step.facts(stack.plan.topology)
        asked = stack.settings.repair(name) if command else ""
        if (known and stack.fingerprint(name) != task.fingerprint(stack.plan.context)) or (
            asked and stack.repair(name) != asked
        ):
            yield task.id


def _not_rolled_out(stack: Stack, changed: frozenset[TaskId]) -> Iterator[Finding]:
    known = {target.name for target in stack.targets}
    new = counted(server.name for server in stack.settings.topology.servers if server.name not in known)
    if new:
        yield Finding("", "settings", f"{', '.join(new)} in the settings were not created yet")
    tasks = [str(task) for task in stack.plan.tasks if task in changed and task.server not in new]
    if tasks:
        yield Finding(
            "", "settings", f"the settings changed since the last pulumi up, which has not run {tasks[0]} yet"
        )


def _unreachable(stack: Stack, server: Server, visit: ProbeResult, cloud: Cloud) -> Finding:
    """Adds what the cloud knows about the machine."""
    address = next(target.address for target in stack.targets if target.name == server.name)
    text, name = f"{address}: {visit.trouble}", server.name
    instance = stack.ids(INSTANCE).get(server.name)
    if instance is None or cloud.trouble:
        state = "running"
    else:
        state = cloud.machines[instance].state if instance in cloud.machines else "terminated"
    if state in ("terminated", "shutting-down"):
        return Finding(name, "reachable", f"{text}; its machine {instance} is {state}", refresh=True)
    if state in ("stopped", "stopping"):
        region = ["--region", stack.aws["aws:region"]] if "aws:region" in stack.aws else []
        start = join(["aws", "ec2", "start-instances", *region, "--instance-ids", str(instance)])
        return Finding(name, "reachable", f"{text}; its machine {instance} is {state}", commands=(start,), up=False)
    look = ssh_command(stack.ssh, address)
    return Finding(name, "reachable", text, commands=(look,), up=False)


def _master(case: Case) -> Iterator[Finding]:
    topology = case.settings.topology
    if topology.kind is not Kind.HA or not all(case.answers(server) for server in topology.backends):
        return
    prepared = all(answers.prepared for server in topology.backends if (answers := case.answers(server)))
    masters = [server.name for server in topology.backends if case.is_master(server)]
    if prepared and len(masters) != 1:
        looks = [case.ssh(server, "sudo", "chef-server-ctl", "ha-status") for server in topology.backends]
        text = f"keepalived knows {'two masters' if masters else 'no master'}, not one"
        yield Finding("", "keepalived", text, commands=tuple(looks), up=False)


def _readers(case: Case) -> Iterator[Finding]:
    """Whether the primary accepts the keys with which the other servers copy from it."""
    primary, share = case.answers(case.primary), task_of("share", case.primary)
    if primary is None or not primary.prepared or share not in case.plan.tasks or share in case.pending:
        return
    others = {server.name: case.answers(server) for server in case.settings.topology.others}
    shut = [name for name, one in others.items() if one and one.prepared and one.copy_key not in primary.readers]
    if shut:
        text = f"its authorized_keys does not let {', '.join(shut)} copy: the next change would fail there"
        yield Finding(case.primary.name, "credentials", text, (share,))


def _one_machine(case: Case) -> Iterator[Finding]:
    """Two servers that are one machine; `components/one_machine_each.py` refuses these in a rollout."""
    first: dict[str, str] = {}
    for server in everywhere(case.settings.topology):
        answers = case.answers(server)
        if answers is None or not answers.prepared or answers.copy_key is None:
            continue
        other = first.setdefault(answers.copy_key, server.name)
        if other != server.name:
            text = (
                f"it has the copy key of {other}: they are one machine, and one is to leave the settings; or "
                "its disk was made of the other's, and it is to have a key of its own"
            )
            forget = case.ssh(server, "sudo", "rm", f"{scripts.HOME}/id_ed25519", f"{scripts.HOME}/id_ed25519.pub")
            yield Finding(server.name, "reachable", text, (connect_of(server),), commands=(forget,))


def _strays(stack: Stack, cloud: Cloud) -> dict[str, Finding]:
    """Rules that no `pulumi up` created, by id. The fix imports a rule into the state; then `pulumi up` removes it."""
    groups, known = {identity: name for name, identity in stack.ids(GROUP).items()}, stack.rules
    kinds = {egress: kind for kind, egress in RULES.items()}
    return {
        identity: Finding(
            "",
            "firewall",
            f"security group {groups[rule.group]} has a rule that was added by hand: {rule} ({identity})",
            commands=(
                f"pulumi import {{options}} --yes --skip-preview --protect=false --generate-code=false"
                f" {kinds[rule.egress]} {quote(f'by-hand-{identity}')} {quote(identity)}",
            ),
        )
        for identity, rule in cloud.rules.items()
        if identity not in known
    }


def _with_strays(
    finding: Finding, stack: Stack, visits: Mapping[str, ProbeResult], cloud: Cloud, strays: Mapping[str, Finding]
) -> Finding:
    """If a port is open because of rules added by hand, removing those rules fixes it."""
    if finding.check != "ports":
        return finding
    groups = stack.groups_of_machines.get(stack.ids(INSTANCE).get(finding.server, ""), frozenset())
    doors = visits[finding.server].doors

    def opens(rule: ObservedRule) -> bool:
        return rule.group in groups and any(rule.covers(port) for port in doors)

    causes = [strays[identity] for identity in strays if opens(cloud.rules[identity])]
    if not causes:
        return finding
    return replace(finding, refresh=False, commands=tuple(text for cause in causes for text in cause.commands))


def _rules(stack: Stack, cloud: Cloud) -> Iterator[Finding]:
    if cloud.trouble:
        look = "aws sts get-caller-identity"
        yield Finding("", "firewall", f"the AWS API could not be asked: {cloud.trouble}", commands=(look,), up=False)
        return
    names = {identity: name for kind in RULES for name, identity in stack.ids(kind).items()}
    for identity, rule in stack.rules.items():
        found = cloud.rules.get(identity)
        if found != rule:
            what = f"is changed: {found}, not {rule}" if found else f"is gone: {rule}"
            yield Finding("", "firewall", f"the rule {names[identity]} ({identity}) {what}", refresh=True)


def _machines(stack: Stack, visits: Mapping[str, ProbeResult], cloud: Cloud) -> Iterator[Finding]:
    """What the cloud shows and the servers themselves do not."""
    names = {identity: name for name, identity in stack.ids(INSTANCE).items()}
    for identity, groups in stack.groups_of_machines.items():
        found, visit = cloud.machines.get(identity), visits.get(names[identity])
        if found and found.state == "running" and found.groups != groups:
            text = f"its machine {identity} is in security groups {', '.join(sorted(found.groups))}, not its own"
            yield Finding(names[identity], "firewall", text, refresh=True)
        if visit and not cloud.trouble and (visit.answers or visit.host_key) and found is None:
            text = f"its machine {identity} is gone, and another machine answers in its place"
            yield Finding(names[identity], "reachable", text, refresh=True)
