"""Judges a server by its answers: what is as it should be, and what is not. Pure.

What concerns the whole stack is in `diagnosis.py`. Task names come from the same tables as those of `pulumi up`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, ip_address
from shlex import quote

from chef_push_jobs import scripts
from chef_push_jobs.cli.doctor import probe
from chef_push_jobs.cli.doctor.findings import Cell, CellState, Finding
from chef_push_jobs.cli.doctor.observations import PortState, ProbeResult
from chef_push_jobs.cli.doctor.probe import CREDENTIALS, PACKAGES, File, ServerFacts
from chef_push_jobs.config.settings import Settings
from chef_push_jobs.config.stack_config import Proxy, Ssh
from chef_push_jobs.engine.stack_state import Target
from chef_push_jobs.model.ssh_keys import is_fingerprint
from chef_push_jobs.model.topology import Kind, Role, Server
from chef_push_jobs.runbook import chef_server, push_jobs
from chef_push_jobs.runbook.plan import StackPlan, TaskId
from chef_push_jobs.runbook.servers import owner
from chef_push_jobs.scripts.commands import MARK


@dataclass(frozen=True)
class Case:
    """A stack and everything that its servers answered.

    `pending` are tasks that `pulumi up` would run for changed settings, including those that follow from them.
    `bastion` is a bastion that the stack created. `guarded` says whether the stack's own security groups protect the
    servers: those do not answer strangers.
    """

    plan: StackPlan
    targets: Mapping[str, Target]
    visits: Mapping[str, ProbeResult]
    nonce: str
    pending: frozenset[TaskId] = frozenset()
    guarded: bool = True
    bastion: Proxy | None = None

    @property
    def way(self) -> Ssh:
        ssh = self.settings.config.ssh
        return ssh.model_copy(update={"proxy": self.bastion}) if self.bastion else ssh

    @property
    def settings(self) -> Settings:
        return self.plan.settings

    def ssh(self, server: Server, *words: str) -> str:
        """The command with which the operator runs `words` there."""
        return ssh_command(self.way, self.targets[server.name].address, *words)

    @property
    def primary(self) -> Server:
        return self.settings.topology.primary

    def answers(self, server: Server) -> ServerFacts | None:
        """None if it did not answer, or was not created yet."""
        return self.visits.get(server.name, ProbeResult()).answers

    def is_master(self, server: Server) -> bool:
        """Whether the service should run there: in ha, what keepalived says (docs/chef.md, Who is master)."""
        answers = self.answers(server)
        if self.settings.topology.kind is not Kind.HA:
            return server == self.primary
        return server.role is Role.BACKEND and answers is not None and answers.cluster == "master"


def ssh_command(ssh: Ssh, address: str, *words: str) -> str:
    """The ssh command line that an operator types: with the port, and through the bastion."""
    options = ["-p", str(ssh.port)]
    if ssh.proxy:
        options += ["-J", f"{ssh.proxy.user}@{ssh.proxy.host}:{ssh.proxy.port}"]
    return " ".join(quote(word) for word in ["ssh", *options, f"{ssh.user}@{address}", *words])


def task(step: str, server: Server) -> TaskId:
    """A task of push jobs' runbook."""
    return TaskId(push_jobs.NAME, step, server.name)


def connect(server: Server) -> TaskId:
    return TaskId("", "connect", server.name)


def _reconfigure(case: Case, server: Server) -> TaskId:
    return task("reconfigure-primary" if server == case.primary else "reconfigure", server)


def _drift(shown: str, finding: Finding) -> Cell:
    return Cell(shown, CellState.DRIFT, finding)


def package(case: Case, server: Server, answers: ServerFacts) -> Cell:
    settings, chef_install = case.settings, TaskId(chef_server.NAME, "install", server.name)
    wanted = {PACKAGES[0]: (settings.push_jobs_package, task("install", server))}
    if settings.chef_server_package:
        wanted[PACKAGES[1]] = (settings.chef_server_package, chef_install)
    shown = answers.packages[PACKAGES[0]]
    wrong, repair = [], []
    for name, (is_to_be, install) in wanted.items():
        version = answers.packages[name]
        if version == "none" or is_to_be.version not in (None, version.split(":", 1)[-1]):
            wrong.append(f"{name} is {version}, not {is_to_be.version}")
            repair.append(install)
    if not wrong:
        return _left_over(case, server, answers, shown)
    if case.pending & set(repair):
        return Cell(shown, CellState.DRIFT)
    if answers.newer:
        return _drift(shown, _newer(case, server, answers, "; ".join(wrong), tuple(repair)))
    if chef_install in repair and answers.packages[PACKAGES[1]] != "none":
        repair.remove(chef_install)
        text = f"{'; '.join(wrong)}: this project does not upgrade Chef server; use Chef's own procedure"
        return _drift(shown, Finding(server.name, "package", text, tuple(repair), _follow(answers, PACKAGES[1])))
    return _drift(shown, Finding(server.name, "package", "; ".join(wrong), tuple(repair)))


def _left_over(case: Case, server: Server, answers: ServerFacts, shown: str) -> Cell:
    if not answers.old_uploads:
        return Cell(shown)
    text = f"{answers.old_uploads} package files of other versions are in the home of {case.way.user}"
    kept = [word for each in case.settings.packages if each.file for word in ("-not", "-name", scripts.uploaded(each))]
    words = ["find", ".", "-maxdepth", "1", "-name", f"'{MARK}-????????????-*'", *kept, "-delete"]
    take_away = case.ssh(server, *words)
    return _drift(shown, Finding(server.name, "package", text, commands=(take_away,), up=False))


def _newer(case: Case, server: Server, answers: ServerFacts, text: str, repair: tuple[TaskId, ...]) -> Finding:
    """A newer package than the stack's: install refuses a downgrade.

    On all servers but the primary, push jobs can be removed first, because everything that it needs is copied again.
    """
    text = f"{text}, which is newer: a downgrade is refused"
    if server != case.primary and answers.newer == {PACKAGES[0]}:
        remove = "dpkg --remove" if case.settings.push_jobs_package.format == "deb" else "rpm --erase"
        take_away = case.ssh(server, "sudo", *remove.split(), PACKAGES[0])
        return Finding(server.name, "package", text, repair, commands=(take_away,))
    return Finding(server.name, "package", text, commands=_follow(answers, *sorted(answers.newer)))


def _follow(answers: ServerFacts, *packages: str) -> tuple[str, ...]:
    """Commands that change the stack's settings to the installed packages."""
    place = {PACKAGES[0]: "pushJobs.package.file", PACKAGES[1]: "chefServer.package.file"}
    return tuple(
        f"pulumi config set {{options}} --path {{project}}:{place[name]} {quote('FILE-OF-' + answers.packages[name])}"
        for name in packages
    )


def credentials(case: Case, server: Server, answers: ServerFacts) -> Cell:
    """Compares with the primary's credentials, which count as right because they are copied to the others."""
    source = case.answers(case.primary)
    others = {other: case.answers(other) for other in case.settings.topology.others}
    known = [_credentials(other) for other in others.values() if other]
    mine = _credentials(answers)
    if source is None:
        return Cell("?", CellState.UNKNOWN)
    theirs = _credentials(source)
    alone = _stands_alone(theirs, known)
    if server == case.primary:
        return _of_primary(case, mine, known[0]) if alone else Cell("the primary's" if others else "its own")
    if mine == theirs:
        return Cell("equal")
    if alone:
        return Cell("differ", CellState.DRIFT)  # reported for the primary
    text = f"{_difference(mine, theirs)}, compared with the primary"
    return _drift("differ", Finding(server.name, "credentials", text, (task("copy", server),)))


def _own(files: Mapping[str, File | None]) -> dict[str, File | None]:
    """Only push jobs' own files."""
    return {path: file for path, file in files.items() if path.startswith(f"{probe.ETC}/")}


def _stands_alone(primary: Mapping[str, File | None], others: Sequence[Mapping[str, File | None]]) -> bool:
    """Whether all others have the same files, and the primary different ones.

    If the others have none, they are at fault.
    """
    same = len(others) > 1 and all(other == others[0] for other in others)
    return same and primary != others[0] and any(_own(others[0]).values())


def _of_primary(case: Case, mine: Mapping[str, File | None], theirs: Mapping[str, File | None]) -> Cell:
    primary = case.primary
    if lost := _lost(mine, theirs):
        return _drift("LOST", _put_back(case, primary, case.settings.topology.others[0], lost))
    text = f"{_difference(mine, theirs)}, compared with all other servers; the primary's are copied again"
    return _drift("differ", Finding(primary.name, "credentials", text, (_reconfigure(case, primary),)))


def _lost(mine: Mapping[str, File | None], theirs: Mapping[str, File | None]) -> list[str]:
    """Those of push jobs' own files that are missing, if nothing else is wrong: no reconfigure creates them again."""
    differ = [path for path in CREDENTIALS if mine[path] != theirs[path]]
    return differ if all(path in _own(mine) and mine[path] is None for path in differ) else []


def _put_back(case: Case, primary: Server, other: Server, lost: Sequence[str]) -> Finding:
    text = f"{', '.join(lost)} is missing, or leads nowhere; the other servers have it: put it back from {other.name}"
    names = [path.lstrip("/") for path in lost]
    fetch, store = case.ssh(other, "sudo", "tar", "-chC", "/", *names), case.ssh(primary, "sudo", "tar", "-xpC", "/")
    return Finding(primary.name, "credentials", text, commands=(f"{fetch} | {store}",), up=False)


def _credentials(answers: ServerFacts) -> dict[str, File | None]:
    return {path: answers.files.get(path) for path in CREDENTIALS}


def _difference(mine: Mapping[str, File | None], theirs: Mapping[str, File | None]) -> str:
    differences = []
    for path in CREDENTIALS:
        here, there = mine[path], theirs[path]
        if here is None or there is None:
            if here != there:
                differences.append(f"{path} is {'missing' if here is None else 'here only'}")
        elif here.digest != there.digest:
            differences.append(f"{path} differs")
        elif here != there:
            owner, mode = there.owner, there.mode
            differences.append(f"{path} has owner {here.owner} and mode {here.mode}, not {owner} and {mode}")
    return "; ".join(differences)


def settings_file(case: Case, server: Server, answers: ServerFacts) -> Cell:
    text = push_jobs.settings_file(case.settings)
    found = answers.files.get(push_jobs.SETTINGS_FILE)
    if case.settings.topology.kind is not Kind.STANDALONE and answers.named not in (None, server.fqdn):
        return _drift("NAME", _another_name(case, server, str(answers.named)))
    if found and found.digest == probe.keyed(case.nonce, text):
        return Cell("as rendered")
    shown = "changed" if found else "missing"
    if task("configure", case.primary) in case.pending:
        return Cell(shown, CellState.DRIFT)
    step = "configure" if server == case.primary else "copy"
    text = f"{push_jobs.SETTINGS_FILE} is {'different from what the stack writes' if found else 'missing'}"
    return _drift(shown, Finding(server.name, "settings", text, (task(step, server),)))


def _another_name(case: Case, server: Server, named: str) -> Finding:
    text = f"it calls itself {named}, not {server.fqdn}: Chef server finds a server's role in its settings by that name"
    return Finding(server.name, "settings", text, commands=(case.ssh(server, "hostname", "-f"),), up=False)


def service(case: Case, server: Server, answers: ServerFacts) -> Cell:
    runs, master = answers.service == "run", case.is_master(server)
    wanted = () if task("configure", case.primary) in case.pending else push_jobs.ports(case.settings).values()
    missing = sorted(set(wanted) - answers.listens)
    if not master:
        if not runs:
            return Cell("down")
        repair = _reconfigure(case, server) if server.role is Role.FRONTEND else task("restart-pushy", server)
        what = "on a frontend" if server.role is Role.FRONTEND else "on a backend that is not master"
        return _drift("UP", Finding(server.name, "service", f"{probe.SERVICE} runs {what}", (repair,)))
    if not runs:
        repair = _reconfigure(case, server) if answers.service == "none" else task("restart-pushy", server)
        where = "the master" if case.settings.topology.kind is Kind.HA else "its backend"
        text = f"{probe.SERVICE} does not run on {where} ({answers.service})"
        return _drift("DOWN", Finding(server.name, "service", text, (repair,)))
    if missing:
        text = f"{probe.SERVICE} runs, but does not listen on {_list(missing)}"
        return _drift("deaf", Finding(server.name, "service", text, (task("restart-pushy", server),)))
    return Cell("up")


def ports(case: Case, server: Server, answers: ServerFacts) -> Cell:
    """From this machine. The push jobs ports are open to clients, on backends; the API port only to frontends."""
    config, doors = case.settings.config, case.visits[server.name].doors
    if config.bastion or config.ssh.proxy:
        # The ports are tried from here, but the visit comes from the bastion.
        text = "they cannot be checked through a bastion: try from a client (open) and from elsewhere (closed)"
        address = quote(case.targets[server.name].address)
        knock = tuple(f"nc -vz -w 2 {address} {port}" for port in sorted(doors))
        return Cell("?", CellState.UNKNOWN, Finding(server.name, "ports", text, commands=knock, up=False, known=False))
    client = _within(answers.source, config.client_cidrs) and server.role is Role.BACKEND
    allowed = {config.push_jobs.heartbeat_port, config.push_jobs.command_port} if client else set()
    silent = {PortState.SILENT} if case.guarded else {PortState.SILENT, PortState.REFUSED}
    passed = sorted(port for port, door in doors.items() if port not in allowed and door not in silent)
    closed = sorted(port for port in allowed if doors[port] is PortState.SILENT)
    if passed:
        text = f"the firewall allows this machine ({answers.source}) to connect to {_list(passed)}"
        return _drift("OPEN", Finding(server.name, "ports", text, refresh=True))
    if closed:
        text = f"the firewall blocks this machine ({answers.source}, a client) from {_list(closed)}"
        return _drift("CLOSED", Finding(server.name, "ports", text, refresh=True))
    return Cell("open" if allowed else "closed")


def _within(address: str, cidrs: Iterable[str]) -> bool:
    try:
        return any(ip_address(address) in IPv4Network(cidr) for cidr in cidrs)
    except ValueError:
        return False


def keepalived(case: Case, server: Server, answers: ServerFacts) -> Cell:
    if case.settings.topology.kind is not Kind.HA or server.role is not Role.BACKEND:
        return Cell("", CellState.NONE)
    if answers.keepalived:
        return _ha(case, server, answers)
    text = f"keepalived's scripts do not contain {probe.SERVICE}: a failover would not move it"
    return _drift("unaware", Finding(server.name, "keepalived", text, (task("chef-reconfigure", server),)))


SERVICE_STATUS = 7
# Exit statuses of `chef-server-ctl ha-status` (docs/chef.md, ha-status).
HA_STATUS = {
    1: "keepalived is not set up on it",
    2: "keepalived's requested and current state differ: a failover is running, or did not finish",
    3: "the address that moves is on the wrong backend",
    4: "the data volume is not attached or not mounted as it should be",
    SERVICE_STATUS: "a service, perhaps keepalived itself, does not run as it should",
    8: "the network interface in keepalived's settings does not exist",
    124: "keepalived's own check did not finish within 15 s",
}


def _ha(case: Case, server: Server, answers: ServerFacts) -> Cell:
    """The result of keepalived's own check. A master that was cut off comes back without its volume."""
    if answers.ha_status is None:
        text, look = "its own check could not be run", case.ssh(server, "sudo", "chef-server-ctl", "ha-status")
        return Cell("?", CellState.UNKNOWN, Finding(server.name, "keepalived", text, commands=(look,), known=False))
    if answers.ha_status == 0:
        return Cell("aware")
    text = HA_STATUS.get(answers.ha_status, f"its own check exits with status {answers.ha_status}")
    look = case.ssh(server, "sudo", "chef-server-ctl", "ha-status")
    if answers.ha_status == 4 and answers.cluster == "master":
        text += "; a master that lost its network comes back without it. If no other backend is master, recover it"
        recover = case.ssh(server, "sudo", "chef-server-ctl", "master-recover")
        return _drift("NO DATA", Finding(server.name, "keepalived", text, commands=(look, recover), up=False))
    return _drift(
        "ERROR", Finding(server.name, "keepalived", f"{text}: look at its output", commands=(look,), up=False)
    )


FULL = 95  # percent; from 99 on, the task runner also says so
SKEW = 60  # seconds; Chef server refuses requests from 900 on
SOON = 30  # days


def room(case: Case, server: Server, answers: ServerFacts) -> Cell:
    full = {place: used for place, used in sorted(answers.used.items()) if used >= FULL}
    look = case.ssh(server, "df", "-h")
    if not answers.used:
        return _unknown(server, "room", "it did not report how full its disks are", look)
    if not full:
        return Cell(f"{max(answers.used.values())} %")
    text = ", ".join(f"{place} is {used} % full" for place, used in full.items())
    return _drift("FULL", Finding(server.name, "room", f"{text}: free some space", commands=(look,), up=False))


def clock(case: Case, server: Server, answers: ServerFacts) -> Cell:
    """Compared with this machine's."""
    look, here = case.ssh(server, "timedatectl"), case.visits[server.name].time
    if answers.time is None or here is None:
        return _unknown(server, "clock", "it did not report its time", look)
    skew = round(answers.time - here)
    if abs(skew) <= SKEW:
        return Cell("right")
    text = (
        f"its clock is {abs(skew)} s {'ahead of' if skew > 0 else 'behind'} this machine's; Chef refuses "
        "requests from 900 s on"
    )
    return _drift("OFF", Finding(server.name, "clock", f"{text}: set it with NTP", commands=(look,), up=False))


def certificate(case: Case, server: Server, answers: ServerFacts) -> Cell:
    """The API's certificate: it is created once and never renewed."""
    if not answers.certificates:
        return Cell("", CellState.NONE)
    at = case.visits[server.name].time
    look = case.ssh(server, 'sudo sh -c "cat /var/opt/opscode/nginx/ca/*.crt | openssl x509 -noout -enddate"')
    if at is None or 0 in answers.certificates:
        return _unknown(server, "certificate", "its certificate's expiry date could not be read", look)
    days = int((min(answers.certificates) - at) // 86400)
    if days > SOON:
        return Cell(f"{days} days")
    ends = f"ended {-days} days ago" if days < 0 else f"ends in {days} days"
    text = f"the API's certificate {ends}: install a new one, or delete it and its key and run reconfigure"
    return _drift("ENDS", Finding(server.name, "certificate", text, commands=(look,), up=False))


def _unknown(server: Server, check: str, text: str, look: str) -> Cell:
    return Cell("?", CellState.UNKNOWN, Finding(server.name, check, text, commands=(look,), up=False, known=False))


CHECKS: Mapping[str, Callable[[Case, Server, ServerFacts], Cell]] = {
    "package": package,
    "credentials": credentials,
    "settings": settings_file,
    "service": service,
    "ports": ports,
    "keepalived": keepalived,
    "room": room,
    "clock": clock,
    "certificate": certificate,
}


def examine(case: Case, server: Server, unreachable: Finding) -> dict[str, Cell]:
    """All cells of a server. A server that cannot be asked, or was reinstalled, has one drift instead of many."""
    visit, unknown = case.visits[server.name], dict.fromkeys(CHECKS, Cell("?", CellState.UNKNOWN))
    if visit.host_key is not None:
        finding = _another_key(case, server, visit.host_key)
        return {"reachable": Cell("yes"), "host key": _drift("CHANGED", finding), **unknown}
    if visit.answers is None:
        return {"reachable": _drift("NO", unreachable), "host key": Cell("?", CellState.UNKNOWN), **unknown}
    if not visit.answers.prepared:
        text = "it is not prepared for tasks: it was reinstalled, or lost files in /var/lib/chef-rollout"
        finding = Finding(server.name, "reachable", text, (connect(server),))
        return {"reachable": _drift("NEW", finding), "host key": Cell("pinned"), **unknown}
    asked = {name: check(case, server, visit.answers) for name, check in CHECKS.items()}
    reachable = _ours(case, server, visit.answers)
    if visit.answers.ha_status == SERVICE_STATUS and asked["service"].state is CellState.DRIFT:
        asked["keepalived"] = replace(asked["keepalived"], finding=None)  # ha_status reports the same service
    return {"reachable": reachable, "host key": Cell("pinned"), **asked}


def _ours(case: Case, server: Server, answers: ServerFacts) -> Cell:
    """Whether `connect` recorded this stack there; uninstalling makes the same check (docs/operations.md)."""
    ours = owner(case.plan.context, server)
    if answers.owner in (None, probe.keyed(case.nonce, ours)):
        return Cell("yes")
    text = (
        "another stack, or another server of this stack, has set it up since. Remove it there first, then it "
        "can belong to this one again"
    )
    note = case.ssh(server, f"echo {quote(ours)} | sudo tee {scripts.HOME}/owner")
    return _drift("OTHER'S", Finding(server.name, "reachable", text, commands=(note,), up=False))


def _another_key(case: Case, server: Server, shown: str) -> Finding:
    address = case.targets[server.name].address
    text = (
        f"its host key is not the pinned one, but {shown}: it was reinstalled, or another machine answers in its place"
    )
    names = list(case.settings.existing)
    path = f"servers[{names.index(server.name)}].hostKey" if names else f"ssh.hostKeys.{server.name}"
    key = shown if is_fingerprint(shown) else _scanned(case, address)
    change = f"pulumi config set {{options}} --path {quote(f'{{project}}:{path}')} {key}"
    return Finding(server.name, "host key", text, commands=(change,))


def _scanned(case: Case, address: str) -> str:
    """Shell words that print the host key shown to whoever connects as the operator does."""
    scan = f"ssh-keyscan -p {case.settings.config.ssh.port} -t ed25519 {quote(address)} | cut -d ' ' -f 2,3"
    if proxy := case.way.proxy:
        way = case.way.model_copy(update={"proxy": None, "port": proxy.port, "user": proxy.user})
        scan = f"{ssh_command(way, proxy.host)} {scan}"
    return f'"$({scan})"'


def _list(numbers: Iterable[int]) -> str:
    return ", ".join(str(number) for number in numbers)
