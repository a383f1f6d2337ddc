"""A cluster on a sandbox of its own on which steps are taken, each as an operator would, and each judged."""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chef_push_jobs.runbook.plan import TaskId, identify
from tests.e2e.clients import probed
from tests.e2e.conftest import Stack
from tests.e2e.conftest import stack as new_stack
from tests.e2e.observed import NOTE, READ, Host, listed, sorted_out
from tests.e2e.test_doctor import EC2, as_operator, cluster_ids, doctor
from tests.e2e.test_existing import entry, open_database
from tests.faults.brake import POINTS, Brake, point
from tests.faults.faults import FAULTS, Fault, Strike
from tests.faults.lane import Engine, Lane, give_up_soon, until_gone
from tests.walks.model import DRIFTS, PORTS, STEPS, Choice, Cluster, Hit

BASE, TAKER = "sandbox", "existing"
VIP = "10.0.15.254"
LEAVES = "uninstall"
RECOVER = "chef-server-ctl master-recover"  # docs/failover.md: of a master that was cut off and lost its volume
MARGIN = 1.5  # seconds, for what else the machine does meanwhile
FAILOVER = 20.0  # keepalived notices within 3 s; address and volume move, services start
REACH_SECONDS = 120.0
PATIENCE = 2.0  # a client's: the machine may be busy
# What ends the master's service by itself. Its outage is the fault's own, and a failover where there is one.
OUTAGES = ("network", "reboot")
KNOWN = {*POINTS, "chef-reconfigure", "reconfigure-primary", "reconfigure"}


@dataclass
class Ran:
    """What runs of `pulumi up` did: what the last preview had listed, and what was seen on the servers, of all runs."""

    planned: set[str] = field(default_factory=set)
    suites: int = 0  # of 1.x, which restart push jobs
    starts: int = 0
    rebooted: bool = False


@dataclass
class World:
    """`cluster` is the model. `restart` is for how many seconds a restart of push jobs by hand is felt here."""

    stack: Stack
    lane: Lane
    cluster: Cluster
    maker: Stack | None = None
    restart: float = 0.0
    outages: list[tuple[str, float]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    struck: str = ""

    def output(self, server: str, script: str) -> str:
        return self.stack.output(server, script)

    @property
    def address(self) -> str:
        """Where clients find push jobs."""
        if self.cluster.fails_over:
            return VIP
        return str(self.stack.outputs()["servers"]["backend-0"]["address"])

    def move(self, after: Cluster) -> None:
        """The settings of the model after a step, in the stack's file. A server that goes takes its repairs with it."""
        there = {name: text for name, text in self._repairs().items() if identify(name).server in after.servers}
        self.stack.change(**after.settings, repair=there or None)
        if self.maker:
            told = self.maker.outputs()["servers"]
            names = [name for name in after.servers if name in told]
            self.stack.change(servers=[entry(told, name) for name in names])
        self.cluster = after
        self.lane.servers = after.servers
        self.lane.master = after.master

    def take(self, choice: Choice, after: Cluster) -> None:
        """One step, with all that is to be said about it."""
        before, ran, begun, self.struck = self.cluster, Ran(), len(self.problems), ""
        ports = dict.fromkeys((PORTS[before.ports][0], PORTS[after.ports][0]))
        with probed(self.stack.lab, *(f"{self.address}:{port}" for port in ports), patience=PATIENCE) as gaps:
            if choice.step == "failover":
                self._fail_over(choice.what, before, after)
            elif choice.step == "drift":
                self._drift(choice.what, ran)
            else:
                self._change(choice, after, ran)
        self._judge_outage(choice, ran, gaps.lengths)
        self.problems[begun:] = [f"{choice}: {problem}" for problem in self.problems[begun:]]

    # What is done

    def _change(self, choice: Choice, after: Cluster, ran: Ran) -> None:
        self.move(after)
        arguments = ["--replace", f"**aws:ec2/instance:Instance::{choice.what}"] if choice.step == "replace" else []
        repairs: dict[str, str] = {}
        if choice.step == "repair":
            repairs = self._repairs()
            self.stack.change(repair={**repairs, choice.what: f"turn-{after.turn}"})
        self._run(ran, *arguments, choice=choice)
        if choice.step == "repair":
            self.stack.change(repair=repairs or None)
            planned, _ = self._preview()
            if planned:
                self.problems.append(f"a repair that is taken out would run {sorted(planned)}")
        if choice.step == "replace" and not choice.hits and f"connect-{choice.what}" not in ran.planned:
            self.problems.append(f"the new machine would not be prepared: {sorted(ran.planned)}")

    def _repairs(self) -> dict[str, str]:
        try:
            return dict(self.stack.setting("repair"))
        except KeyError:
            return {}

    def _fail_over(self, way: str, before: Cluster, after: Cluster) -> None:
        if way == "stop":
            self.output(before.master, "chef-server-ctl stop keepalived")
        else:
            self.lane.lab.hosts.reboot(self.lane.host_id(before.master))
        _until_master(self.lane, after.master)
        if way == "stop":
            self.output(before.master, "chef-server-ctl start keepalived")
        self.lane.wait_for_master(after.master)
        self.move(after)
        self.nothing_to_do("after a failover")

    def _drift(self, what: str, ran: Ran) -> None:
        name, where = what.split("@")
        if where == "cloud":
            self._drift_in_cloud(name)
        else:
            self.output(where, DRIFTS[name].script)
        seen = doctor(self.stack, "--format", "json")
        if seen.status != 1:
            self.problems.append(f"doctor does not see it: {seen.told[-1500:]}{seen.errors[-500:]}")
            return
        for command in seen.document["commands"]:
            words = shlex.split(command)
            if words[:2] == ["pulumi", "up"] and "--refresh" not in words:
                self._run(ran)
                continue
            words += ["--yes", "--skip-preview"] if words[:2] == ["pulumi", "up"] else []
            done = as_operator(self.stack, *words)
            if done.status:
                self.problems.append(f"{command}:\n{done.told[-1500:]}\n{done.errors[-1500:]}")
        again = doctor(self.stack)
        if again.status:
            told = "\n".join(seen.document["commands"])
            self.problems.append(f"what doctor said did not mend it:\n{told}\n{again.told[-2000:]}")

    def _drift_in_cloud(self, name: str) -> None:
        groups = cluster_ids(self.stack, "aws:ec2/securityGroup:SecurityGroup")
        if name == "rule-added":
            rule = "[dict(IpProtocol='tcp', FromPort=10000, ToPort=10000, IpRanges=[dict(CidrIp='0.0.0.0/0')])]"
            call = f"authorize_security_group_ingress(GroupId='{groups['frontend']}', IpPermissions={rule})"
        else:
            rules = cluster_ids(self.stack, "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
            one = next(rule for name, rule in rules.items() if "4321" in name)
            call = f"revoke_security_group_ingress(GroupId='{groups['backend']}', SecurityGroupRuleIds=['{one}'])"
        done = as_operator(self.stack, sys.executable, "-c", f"{EC2}; ec2.{call}")
        assert done.status == 0, done.errors

    # Runs of pulumi up, and what is seen of them

    def _run(self, ran: Ran, *arguments: str, choice: Choice | None = None) -> None:
        """Preview and `pulumi up`; for each fault first a preview and a struck `pulumi up`."""
        hits = choice.hits if choice else ()
        new = choice.what if choice and choice.step == "replace" else ""
        for hit in hits:
            arguments = self._struck(ran, hit, new, arguments)
        planned, updated = self._preview(*arguments)
        ran.planned |= planned
        self._note()
        done = self.stack.up(*arguments, check=False)
        if done.returncode and RECOVER in done.stdout and "network" in [hit.fault for hit in hits]:
            master = self.lane.wait_for_master(*self.lane.backends)
            self.output(master, RECOVER)
            self.lane.wait_for_master(master)
            done = self.stack.up(*arguments, check=False)
        if done.returncode:
            self.problems.append(f"pulumi up failed:\n{done.stdout[-3000:]}")
        found = self._seen(ran)
        wanted = planned | {name for name in updated if name.startswith("connect-")}
        if not done.returncode and found != wanted:
            self.problems.append(f"only listed: {sorted(wanted - found)}; only ran: {sorted(found - wanted)}")

    def _struck(self, ran: Ran, hit: Hit, new: str, arguments: tuple[str, ...]) -> tuple[str, ...]:
        """The arguments of the run that recovers: none, but where the fault came before anything was to run.

        `new` is the server that is replaced, if any: no fault strikes there.
        """
        planned, updated = self._preview(*arguments)
        ran.planned |= planned
        there = {host.name for host in self.lane.lab.hosts.list() if host.state == "running"} - {new}
        tasks = [identify(name) for name in sorted(planned)]
        fault = next(each for each in FAULTS if each.name == hit.fault)
        tasks = [task for task in tasks if task.server in there and task.step in KNOWN]
        if not tasks:
            return arguments
        task = tasks[min(int(hit.at * len(tasks)), len(tasks) - 1)]
        self._note()
        text, status = self._strike(fault, task, arguments)
        struck = f"{fault.name} at {task}" + ("" if status is not None else ", which it did not come to")
        self.struck = ", then ".join(filter(None, (self.struck, struck)))
        ran.rebooted |= fault.name in OUTAGES and task.server in self.cluster.backends
        only = self._seen(ran) - planned - {name for name in updated if name.startswith("connect-")}
        if only:
            self.problems.append(f"in the run that {fault.name} struck at {task} ran {sorted(only)}, not listed")
        if "Traceback" in text or "goroutine " in text:
            self.problems.append(f"a stack trace for the operator:\n{text[-2000:]}")
        if fault.fails is not None and status is not None and (status != 0) != fault.fails:
            self.problems.append(f"{fault.name} at {task}: pulumi up ended with status {status}:\n{text[-2000:]}")
        if self.lane.unlock() and fault.name != "engine":
            self.problems.append(f"{fault.name} at {task}: the stack stayed locked")
        if self.cluster.fails_over:
            self.lane.return_mastership()
        return ()

    def _strike(self, fault: Fault, task: TaskId, arguments: Sequence[str]) -> tuple[str, int | None]:
        """What the struck run said, and its status; None where it ended before the task was reached."""
        where = point(task.runbook, task.step)
        brake = Brake(self.lane.lab, task.server, where.early if fault.early else where.middle, f"{task.log_name}.sh")
        if fault.then is not None:
            brake.arm(fault.then)
        fault.before(self.lane, task)
        engine = self.lane.start(*arguments)
        try:
            reached = fault.then is None or _reached(brake, engine)
            if reached:
                fault.strike(Strike(self.lane, task, brake, engine))
            status = engine.wait()
        except BaseException:
            engine.end()
            raise
        finally:
            if fault.then is None or reached:
                fault.mend(self.lane, task)
            brake.remove()
        until_gone(engine.children)
        return engine.text, status if reached else None

    def _preview(self, *arguments: str) -> tuple[set[str], set[str]]:
        """What is listed to run, and to be updated. What a server leaves with is listed too, and runs only then."""
        planned, updated, _ = sorted_out(self.stack.preview(*arguments))
        return {name for name in planned if identify(name).step != LEAVES}, updated

    def _there(self) -> list[str]:
        return [host.name for host in self.lane.lab.hosts.list() if host.name in self.cluster.servers]

    def _note(self) -> None:
        for name in self._there():
            self.output(name, NOTE)

    def _seen(self, ran: Ran) -> set[str]:
        """The tasks that were put on servers since they were noted."""
        found = set()
        for name in self._there():
            host = Host.parse(self.output(name, READ))
            found |= {f"{task}-{name}" for task in host.tasks}
            ran.starts += host.starts if name == self.cluster.master else 0
            ran.suites += host.ctl.count("opscode-push-jobs-server-ctl test")
        return found

    def nothing_to_do(self, when: str) -> None:
        ops = [f"{op} {name}" for op, _, name in listed(self.stack.preview()) if op not in ("refresh", "read")]
        if ops:
            self.problems.append(f"{when}, a preview lists {ops[:10]}")

    # What clients may notice

    def _judge_outage(self, choice: Choice, ran: Ran, lengths: Sequence[float]) -> None:
        total = sum(lengths)
        self.outages.append((str(choice), total))
        budget = self._budget(choice, ran)
        if budget is not None and total > budget:
            told = ", ".join(f"{length:.2f}" for length in lengths)
            self.problems.append(f"clients had no answer for {told} s, and {budget:.1f} s are its budget")
        restarts = budget is not None and not ran.rebooted and choice.step != "failover"
        if restarts and ran.starts > (allowed := self._restarts(choice, ran)):
            self.problems.append(f"push jobs was started {ran.starts} times, and {allowed} are its budget")

    def _restarts(self, choice: Choice, ran: Ran) -> int:
        wanted = STEPS[choice.step].outage
        on_master = f"push-jobs-restart-pushy-{self.cluster.master}" in ran.planned
        return int(wanted == "a restart" or (wanted == "tasks" and on_master))

    def _budget(self, choice: Choice, ran: Ran) -> float | None:
        """Seconds; None where the outage is what the step is about."""
        failover = FAILOVER if self.cluster.fails_over else None
        if choice.step == "failover":
            return failover
        if choice.step == "replace" and choice.what == self.cluster.master:
            return None
        if choice.step == "drift" and DRIFTS[choice.what.split("@")[0]].outage == "its own":
            return None
        suites = ran.suites if self.cluster.package.startswith("1.") else 0
        restarts = self._restarts(choice, ran) + suites
        budget = restarts * self.restart + MARGIN if restarts else 0.0
        if ran.rebooted:
            return None if failover is None else budget + 2 * failover  # there, and back
        return budget


def _until_master(lane: Lane, backend: str) -> None:
    deadline = time.monotonic() + 60
    status = "cat /var/opt/opscode/keepalived/current_cluster_status"
    while lane.lab.shell(backend, status).stdout.strip() != "master":
        assert time.monotonic() < deadline, f"{backend} does not take over"
        time.sleep(0.2)


def _reached(brake: Brake, engine: Engine) -> bool:
    """Whether the task's script came to the command before the engine ended."""
    deadline = time.monotonic() + REACH_SECONDS
    while time.monotonic() < deadline:
        if brake.lab.shell(brake.host, "[ -e /run/chef-faults/reached ]").returncode == 0:
            return True
        if engine.process.poll() is not None:
            return False
        time.sleep(0.1)
    return False


SHAPES: dict[str, dict[str, Any]] = {
    "ha": {"frontends": "1"},
    "tier": {
        "topology": "tier",
        "backends": "1",
        "frontends": "1",
        "highAvailability": None,
        "machines": {"image": {"owner": "self", "name": "sandbox-ubuntu-chef-server"}},
    },
    "existing": {"frontends": "3"},
}
# What a stack of made machines has, and one of existing servers has not.
NOT_EXISTING = dict.fromkeys(
    ("domain", "backends", "frontends", "machines", "highAvailability", "chefServer"), None
) | {"ssh": {"user": "ubuntu"}}


@contextmanager
def world(kind: str, folder: Path) -> Iterator[World]:
    """Not up yet. Existing servers are those of another stack, which is."""
    with new_stack(BASE, folder) as base:
        base.change(**SHAPES[kind])
        cluster = Cluster(kind)
        maker = None if cluster.made else base
        made = taken_over(maker, folder) if maker else base
        lane = Lane(made.sandbox, made.settings, folder, made.lab, made.name, cluster.servers, master=cluster.master)
        give_up_soon(made.sandbox)
        found = World(made, lane, cluster, maker)
        if maker:
            maker.up()
            open_database(maker)
        found.move(cluster)
        yield found


def taken_over(maker: Stack, folder: Path) -> Stack:
    settings = folder / f"Pulumi.{TAKER}.yaml"
    shutil.copy(maker.settings, settings)
    taker = Stack(maker.sandbox, TAKER, settings, maker.lab, folder / "log")
    taker.change(**NOT_EXISTING)
    taker.pulumi("stack", "init")
    return taker
