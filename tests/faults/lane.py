"""A sandbox with a small highly available stack that faults strike again and again, and the engine as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from chef_push_jobs.config import stack_files
from chef_push_jobs.model.topology import numbered
from chef_push_jobs.runbook.plan import TaskId, adjustable
from chef_push_jobs.runbook.stack import load_stack
from sandbox import lifecycle
from sandbox.hosts import network
from sandbox.hosts.host import Hosts
from sandbox.paths import CLONE, Sandbox
from sandbox.processes import Process
from tests.faults import snapshot
from tests.faults.tasks import BACKENDS, FRONTENDS, dependents, tasks
from tests.sandbox.conftest import Lab, new_name

PROJECT, STACK = "chef-push-jobs", "sandbox"
SERVERS = tuple(server.name for server in numbered(BACKENDS, FRONTENDS, ""))
LIMIT = 25  # seconds for every step: short, so that a hang is; the suite and a settled keepalived take some 10
ENGINE_SECONDS = 240.0
MASTER_SECONDS = 60.0
DATABASE_SECONDS = 10.0
STORAGE = "/var/opt/opscode/keepalived/bin/ha_backend_storage"
# A database whose volume another backend has taken answers until it notices, which may take it a minute.
QUERY = (
    f"{{ [ ! -e {STORAGE} ] || {STORAGE} status; }} && "
    "cd /opt/opscode/embedded/bin && ./chpst -u opscode-pgsql ./psql -X -q -d postgres -c 'SELECT 1'"
)
STATUS = "cd /var/opt/opscode/keepalived && cat requested_cluster_status current_cluster_status"
KEEPALIVED_LOG = "/var/log/opscode/keepalived/cluster.log"
# A server that is gone is noticed after 4 s instead of 150 (command) or 920 (upload, whose data nobody acknowledges).
KEEPALIVE, RETRIES = "1,1,3", "3"
HEALTH_CHECK = "2"  # seconds, instead of 300, until the stand-ins notice that the engine is gone


@dataclass
class Engine:
    """A run of `pulumi up`."""

    process: subprocess.Popen[str]
    log: Path
    children: list[Process] = field(default_factory=list)

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def note_children(self) -> list[Process]:
        """Its plugins and programs; kept, because who their parent was is forgotten with it."""
        self.children = [process for pid in _below(self.process.pid) if (process := Process.of(pid))]
        return self.children

    def wait(self) -> int:
        try:
            return self.process.wait(ENGINE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"pulumi up hung:\n{self.text[-2000:]}") from None

    def end(self) -> None:
        """Kill it and all that it started, if it still runs."""
        if self.process.poll() is None:
            for process in [Process.of(self.process.pid), *self.note_children()]:
                if process:
                    process.end()
        self.process.wait()

    def end_plugin(self, name: str) -> None:
        """The stand-in, or the official one; the engine may run it more than once."""
        found = [process for process in self.note_children() if _is_plugin(process, name)]
        assert found, f"no plugin {name} runs"
        for process in found:
            process.end(signal.SIGKILL)


def _is_plugin(process: Process, name: str) -> bool:
    try:
        command = Path(f"/proc/{process.pid}/cmdline").read_text()
    except OSError:
        return False  # it has ended
    return f"sandbox.plugins.{name}" in command or f"pulumi-resource-{name}" in command


def _below(pid: int) -> Iterator[int]:
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = file.read_text().split()
        except OSError:
            continue  # that thread has ended
        for child in children:
            yield int(child)
            yield from _below(int(child))


@dataclass
class Lane:
    """`baseline` is what an undisturbed rollout left, with `master`; `after` are the dependents of each resource."""

    sandbox: Sandbox
    settings: Path
    folder: Path
    lab: Lab
    stack: str = STACK
    servers: tuple[str, ...] = SERVERS
    baseline: dict[str, list[str]] = field(default_factory=dict)
    master: str = ""
    plan: list[TaskId] = field(default_factory=list)
    after: dict[str, set[str]] = field(default_factory=dict)
    urns: dict[str, str] = field(default_factory=dict)
    runs: int = 0

    @property
    def backends(self) -> list[str]:
        return [server for server in self.servers if server.startswith("backend-")]

    def environment(self) -> dict[str, str]:
        quicker = {"SANDBOX_KEEPALIVE": KEEPALIVE, "SANDBOX_HEALTH_CHECK": HEALTH_CHECK}
        return {**os.environ, "SANDBOX": self.sandbox.name, **quicker}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "sandbox", "run", "--", "pulumi", *arguments, "--stack", self.stack]

    def pulumi(self, *arguments: str) -> str:
        done = subprocess.run(
            self.command(*arguments), cwd=CLONE, env=self.environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"pulumi {' '.join(arguments)}: {done.stdout[-1500:]}{done.stderr[-1500:]}"
        return done.stdout

    def start(self, *arguments: str) -> Engine:
        """Plain `pulumi up`, as the operator types it, but without questions."""
        self.runs += 1
        log = self.folder / f"up-{self.runs}.log"
        up = ("up", "--yes", "--skip-preview", "--non-interactive", "--config-file", str(self.settings))
        with log.open("w") as output:
            command = self.command(*up, *arguments)
            process = subprocess.Popen(
                command, cwd=CLONE, env=self.environment(), stdout=output, stderr=output, text=True
            )
        return Engine(process, log)

    def up(self, *arguments: str) -> Engine:
        engine = self.start(*arguments)
        assert engine.wait() == 0, f"pulumi up failed:\n{engine.text[-3000:]}"
        return engine

    def state(self) -> dict[str, Any]:
        exported: dict[str, Any] = json.loads(self.pulumi("stack", "export"))
        return exported

    def recorded(self, task: TaskId) -> bool:
        """Whether the state has the task as done, with or without the one that it replaces."""
        found = [each for each in self.state()["deployment"]["resources"] if each["urn"] == self.urns[str(task)]]
        return any(not each.get("taint") and not each.get("delete") for each in found)

    def locked(self) -> bool:
        return any(path.is_file() for path in (self.sandbox.state / ".pulumi" / "locks").rglob("*"))

    def unlock(self) -> bool:
        """Whether the stack was locked; it is not any more."""
        locked = self.locked()
        if locked:
            self.pulumi("cancel", "--yes")
        return locked

    def taint(self, task: TaskId) -> None:
        """The next `pulumi up` runs the task again, and every one after it until it succeeded."""
        self.pulumi("state", "taint", self.urns[str(task)], "--yes")

    def learn(self) -> None:
        """Take what is there as what must be there after every fault."""
        state = self.state()
        plan = load_stack(stack_files.read_configuration(STACK, CLONE, self.settings), CLONE)
        self.plan, self.after = tasks(plan, state), dependents(state)
        self.urns = {each["urn"].rsplit("::", 1)[1]: each["urn"] for each in state["deployment"]["resources"]}
        self.master = self.wait_for_master(*self.backends)
        self.baseline = snapshot.take(self.lab, self.servers)

    def wait_for_master(self, *wanted: str) -> str:
        """Wait until keepalived has settled: one of these is master, every other backend a standby.

        A lone backend has no keepalived, and is what a master is.
        """
        if len(self.backends) == 1:
            return self.backends[0]
        deadline = time.monotonic() + MASTER_SECONDS
        while True:
            said = {backend: self.lab.shell(backend, STATUS).stdout.split() for backend in self.backends}
            masters = [backend for backend, states in said.items() if states == ["master", "master"]]
            standbys = [backend for backend, states in said.items() if states == ["backup", "backup"]]
            if len(masters) == 1 and masters[0] in wanted and len(standbys) == len(said) - 1:
                return masters[0]
            if time.monotonic() > deadline:
                logs = {backend: self.lab.shell(backend, f"tail -n 40 {KEEPALIVED_LOG}").stdout for backend in said}
                raise AssertionError(f"keepalived does not settle on {' or '.join(wanted)}: {said}\n{logs}")
            time.sleep(0.2)

    def recover_master(self) -> None:
        """A master that was cut off comes back without its volume: what an operator does then (docs/failover.md)."""
        master = self.wait_for_master(*self.backends)
        # A query, not the supervisor's word: that starts a database without data again and again, and says `run`.
        deadline = time.monotonic() + DATABASE_SECONDS
        while not (answers := self.lab.shell(master, QUERY).returncode == 0) and time.monotonic() < deadline:
            time.sleep(0.5)
        if not answers:
            self.lab.output(master, "chef-server-ctl master-recover")
            self.wait_for_master(master)

    def return_mastership(self) -> None:
        """Where a fault had another backend take over, as it should, have the first one back, as an operator does."""
        master = self.wait_for_master(*self.backends)
        if master != self.master:
            self.lab.output(master, "chef-server-ctl stop keepalived")
            try:
                self.wait_for_master(self.master)
            finally:
                self.lab.output(master, "chef-server-ctl start keepalived")
            self.wait_for_master(self.master)

    def history(self) -> dict[str, list[str]]:
        """Every start and end of a task, by server."""
        file = "/var/log/chef-rollout/history"
        return {server: self.lab.shell(server, f"cat {file}").stdout.splitlines() for server in self.servers}

    def namespace(self, server: str) -> str:
        return self.sandbox.namespace(self.host_id(server))

    def host_id(self, server: str) -> str:
        return [status.id for status in self.lab.hosts.list() if status.name == server][-1]

    # One disk for all servers, which can be filled
    @property
    def disk(self) -> Path:
        return self.sandbox.run / "hosts"

    def fill_disk(self) -> None:
        """Not one byte is left."""
        with (self.disk / "filler").open("wb", buffering=0) as filler:
            size = 1 << 20
            while size:
                try:
                    filler.write(b"\0" * size)
                except OSError:
                    size //= 2

    def empty_disk(self) -> None:
        (self.disk / "filler").unlink(missing_ok=True)


@contextmanager
def lane(folder: Path) -> Iterator[Lane]:
    """A sandbox whose stack is not up yet."""
    sandbox = Sandbox(new_name())
    folder.mkdir(parents=True, exist_ok=True)
    try:
        lifecycle.start(sandbox, print)
        made = Lane(sandbox, folder / f"Pulumi.{STACK}.yaml", folder, Lab(sandbox, Hosts(sandbox)))
        _own_disk(made)
        _settings(made)
        give_up_soon(sandbox)
        made.pulumi("stack", "init")
        yield made
    finally:
        lifecycle.stop(sandbox, print)


def give_up_soon(sandbox: Sandbox) -> None:
    """The operator's side of connections to servers that are gone."""
    retries = f"echo {RETRIES} > /proc/sys/net/ipv4/tcp_retries2"
    subprocess.run([*network.enter(sandbox.operator), "sh", "-c", retries], check=True)


def _own_disk(made: Lane) -> None:
    """Hosts on a disk of their own, so that Pulumi's state has room when theirs has none."""
    for host in lifecycle.CLIENTS:
        made.lab.hosts.terminate(host)
    made.disk.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m,mode=0700", "chef-faults", str(made.disk)], check=True)
    lifecycle.start(made.sandbox, print)


def _settings(made: Lane) -> None:
    content = yaml.safe_load((CLONE / "stacks" / f"Pulumi.{STACK}.yaml").read_text())
    own = {"frontends": str(FRONTENDS), "timeLimits": dict.fromkeys(adjustable(), LIMIT)}
    content["config"] |= {f"{PROJECT}:{key}": value for key, value in own.items()}
    made.settings.write_text(yaml.safe_dump(content, default_style='"'))


def until_gone(processes: list[Process], seconds: float = 10.0) -> list[Process]:
    """Those that still run after that time."""
    deadline = time.monotonic() + seconds
    while (left := [process for process in processes if process.alive]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left
