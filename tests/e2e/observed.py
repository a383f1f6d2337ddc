"""What an `up` did, seen from three sides: what the preview listed, what the engine says, what the hosts logged."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.conftest import Stack

COMMAND = "command:remote:Command"
# What machines that stop for a change are asked between tasks, and whoever takes over from them: engine/turns.py.
TURNS = {"serves", "give-way"}
COPY = "command:remote:CopyToRemote"
COMPONENT = "chef-push-jobs:index:"
HOST_KEY = "host-key-"
# The tasks of a test in an ha cluster, for `tasks`. The backend that is not master says so.
TEST = """
    backend-0: push-jobs test test-again
    backend-1: push-jobs test
"""
RUNS = {"create", "replace"}
LOOKS = {"status", "show-secret", "ha-status"}  # ctl commands that change nothing
CTL = {"chef-server-ctl", "opscode-push-jobs-server-ctl"}  # private-chef-ctl is called by the failover script alone
# What there is on a host is noted in files there, so that a new machine of the same name starts from nothing.
NOTES = "/var/lib/seen"
NOTE = f"""
mkdir -p {NOTES}
for log in /var/log/chef-standin.jsonl /var/log/opscode/opscode-pushy-server/current /var/log/sshd.log; do
  wc -l < $log 2> /dev/null > {NOTES}/$(basename $log) || echo 0 > {NOTES}/$(basename $log)
done
sleep 0.01
touch {NOTES}/now
"""
READ = f"""
since() {{ if [ -e $1 ]; then tail -n +$(( $(cat {NOTES}/$(basename $1) 2> /dev/null || echo 0) + 1 )) $1; fi; }}
newer=; [ ! -e {NOTES}/now ] || newer="-newer {NOTES}/now"
echo "== scripts"; find /var/lib/chef-rollout -name '*.sh' $newer -printf '%f\\n' 2> /dev/null
echo "== commands"; since /var/log/chef-standin.jsonl
echo "== starts"; since /var/log/opscode/opscode-pushy-server/current
echo "== logins"; since /var/log/sshd.log
"""


@dataclass
class Host:
    """What was seen on one host since it was noted."""

    tasks: frozenset[str] = frozenset()
    ctl: list[str] = field(default_factory=list)  # those that change or test something, in the order they ended in
    starts: int = 0  # of the push jobs service
    logins: int = 0

    @classmethod
    def parse(cls, text: str) -> Host:
        parts = {part.split("\n", 1)[0]: part.split("\n")[1:] for part in text.split("== ")[1:]}
        lines = [json.loads(line)["argv"] for line in parts["commands"] if line]
        ctl = [" ".join(argv) for argv in lines if argv[0] in CTL and argv[1] not in LOOKS]
        starts = [line for line in parts["starts"] if "opscode-pushy-server: starting" in line]
        # The suite of 1.x restarts the service itself, once a run: that is no start of the rollout's.
        tested = ctl.count("opscode-push-jobs-server-ctl test") if "version 1." in "".join(starts) else 0
        return cls(
            frozenset(name.removesuffix(".sh") for name in parts["scripts"] if name) - TURNS,
            ctl,
            max(len(starts) - tested, 0),
            sum("Accepted " in line for line in parts["logins"]),
        )


@dataclass
class Change:
    """`planned` and `updated` are what the preview listed: tasks that run, and commands with no effect."""

    planned: set[str]
    updated: set[str]
    other: Counter[str]  # what else the preview listed: "create SecurityGroupIngressRule", …
    hosts: dict[str, Host]
    stdout: str

    @property
    def ran(self) -> set[str]:
        """Tasks whose scripts were put on a server, by the names of their resources."""
        return {f"{task}-{name}" for name, host in self.hosts.items() for task in host.tasks}

    @property
    def ctl(self) -> dict[str, list[str]]:
        """The ctl commands by host; hosts without any are left out."""
        return {name: host.ctl for name, host in self.hosts.items() if host.ctl}

    @property
    def starts(self) -> dict[str, int]:
        return {name: host.starts for name, host in self.hosts.items() if host.starts}

    @property
    def logins(self) -> dict[str, int]:
        return {name: host.logins for name, host in self.hosts.items() if host.logins}


def note(stack: Stack) -> None:
    for name in stack.outputs()["servers"]:
        stack.output(name, NOTE)


def seen(stack: Stack) -> dict[str, Host]:
    return {name: Host.parse(stack.output(name, READ)) for name in stack.outputs()["servers"]}


def change(stack: Stack, *, replace: str | None = None, program: Path | None = None, **settings: Any) -> Change:
    """Change settings, replace a machine, or run another `program`: preview, then up.

    The preview must have listed the tasks that then ran.
    """
    stack.change(**settings)
    arguments = ["--replace", f"**aws:ec2/instance:Instance::{replace}"] if replace else []
    arguments += ["--cwd", str(program)] if program else []
    steps = stack.preview(*arguments)
    note(stack)
    done = stack.up(*arguments)
    planned, updated, other = sorted_out(steps)
    found = Change(planned, updated, other, seen(stack), done.stdout)
    # An update of connect runs it: it brings the runner of this version, tells the keys again, and leaves the rest.
    listed = planned | {name for name in updated if name.startswith("connect-")}
    assert listed == found.ran, f"only listed: {listed - found.ran}; only ran: {found.ran - listed}"
    return found


def sorted_out(steps: Sequence[dict[str, Any]]) -> tuple[set[str], set[str], Counter[str]]:
    planned, updated, other = set(), set(), Counter[str]()
    for op, kind, name in listed(steps):
        if name.startswith(HOST_KEY):
            continue  # it asks, and is no task
        if kind == COMMAND and op in RUNS:
            planned.add(name)
        elif kind in (COMMAND, COPY) and op == "update":
            updated.add(name)
        elif kind.startswith(COMPONENT) and op == "update":
            continue  # only shows its new arguments
        elif kind != COMMAND and op in (*RUNS, "update", "delete"):
            other[f"{op} {kind.rsplit(':', 1)[1]}"] += 1
    return planned, updated, other


def listed(steps: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """(operation, type, name) of each step of a plan; "replace" alone stands for its three parts."""
    for step in steps:
        if step["op"] not in ("same", "create-replacement", "delete-replaced"):
            *_, kind, name = step["urn"].split("::")
            yield step["op"], kind.rsplit("$", 1)[-1], name


def tasks(table: str) -> set[str]:
    """Names of resources from lines `SERVER: connect, ROLLOUT STEP STEP, ROLLOUT STEP`."""
    names = set()
    for line in table.strip().splitlines():
        server, rest = line.strip().split(": ")
        for part in rest.split(", "):
            rollout, *steps = part.split(" ")
            names |= {f"{rollout}-{step}-{server}" for step in steps or [""]}
    return {re.sub("--", "-", name) for name in names}


def calls(table: str) -> dict[str, list[str]]:
    """Ctl commands by host from lines `SERVER: chef COMMAND, push COMMAND`, for the two ctl programs."""
    programs = {"chef": "chef-server-ctl", "push": "opscode-push-jobs-server-ctl"}
    found = {}
    for line in table.strip().splitlines():
        server, rest = line.strip().split(": ")
        words = [part.split(" ", 1) for part in rest.split(", ")]
        found[server] = [f"{programs[program]} {command}" for program, command in words]
    return found
