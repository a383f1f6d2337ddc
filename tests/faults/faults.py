"""The faults: how each strikes while a task runs, what the operator sees of it, and how it is mended."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from chef_push_jobs.runbook.plan import TaskId
from sandbox.hosts import network
from tests.faults.brake import Brake, Then
from tests.faults.lane import Engine, Lane
from tests.sandbox.conftest import until

CUT = """\
table inet fault {
  chain into { type filter hook input priority -300; policy drop; iif lo accept; }
  chain out { type filter hook output priority -300; policy drop; oif lo accept; }
}
"""
SSHD_DOWN_SECONDS = 8  # instead of 30: every attempt to connect is refused, whatever their number


@dataclass
class Strike:
    """One fault at one task in one lane."""

    lane: Lane
    task: TaskId
    brake: Brake
    engine: Engine

    def shell(self, script: str) -> None:
        self.lane.lab.output(self.task.server, script)


def _none(strike: Strike) -> None:
    """The brake itself is the fault."""


def _cut_network(strike: Strike) -> None:
    enter = network.enter(strike.lane.namespace(strike.task.server))
    subprocess.run([*enter, "nft", "-f", "-"], input=CUT, text=True, check=True)


def _mend_network(lane: Lane, task: TaskId) -> None:
    enter = network.enter(lane.namespace(task.server))
    subprocess.run([*enter, "nft", "delete table inet fault"], check=True)
    lane.recover_master()


def _reboot(strike: Strike) -> None:
    strike.lane.lab.hosts.reboot(strike.lane.host_id(strike.task.server))


def _fill_disk(strike: Strike) -> None:
    strike.lane.fill_disk()
    strike.brake.release()


def _empty_disk(lane: Lane, task: TaskId) -> None:
    lane.empty_disk()


def _stop_sshd(lane: Lane, task: TaskId) -> None:
    lane.lab.output(task.server, "kill $(pgrep -o -x sshd)")
    until(lambda: not lane.lab.output(task.server, "ss -Hltn 'sport = :22'"))


def _start_sshd_later(strike: Strike) -> None:
    time.sleep(SSHD_DOWN_SECONDS)
    strike.shell("setsid /usr/sbin/sshd -D -E /var/log/sshd.log > /dev/null 2>&1 < /dev/null &")


def _kill_engine(strike: Strike) -> None:
    strike.engine.note_children()
    strike.engine.process.send_signal(signal.SIGKILL)


def _interrupt(strike: Strike) -> None:
    strike.engine.note_children()
    strike.engine.process.send_signal(signal.SIGINT)


def _kill_plugin(strike: Strike) -> None:
    strike.engine.end_plugin("command")


def _nothing(lane: Lane, task: TaskId) -> None:
    """There is nothing to do but to run `pulumi up` again."""


@dataclass(frozen=True)
class Fault:
    """`before` acts before `pulumi up`, `strike` when the task's script is reached, `mend` before the next run.

    `then` is what the task's script does once it is reached; None lets it run. `fails` is None where the run may end
    either way: what is done already needs no disk. `says` must be in what the operator sees.
    """

    name: str
    title: str
    then: Then | None
    strike: Callable[[Strike], None] = _none
    mend: Callable[[Lane, TaskId], None] = _nothing
    before: Callable[[Lane, TaskId], None] = _nothing
    early: bool = False
    fails: bool | None = True
    says: str = ""


FAULTS = (
    Fault("fails", "the command fails", Then.FAIL, says="exit status 9"),
    Fault("hangs", "it hangs", Then.HANG, says="longer than its limit"),
    Fault("network", "network lost", Then.SLOW, _cut_network, _mend_network),
    Fault("reboot", "server reboots", Then.SLOW, _reboot),
    Fault("disk", "disk full", Then.HOLD, _fill_disk, _empty_disk, early=True, fails=None),
    Fault("sshd", "sshd down", None, _start_sshd_later, before=_stop_sshd, fails=False),
    Fault("engine", "engine killed", Then.SLOW, _kill_engine),
    Fault("interrupt", "Ctrl-C", Then.SLOW, _interrupt),
    Fault("plugin", "plugin killed", Then.SLOW, _kill_plugin),
)
