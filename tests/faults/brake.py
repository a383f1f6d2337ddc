"""Stops a task's script on a host at a chosen command, once, so that a fault can strike while the script runs.

The command is wrapped on that host, in a directory that comes first for root; the wrapper acts only where the task's
own script calls it. An upload has no script: there SFTP's server is wrapped.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import Enum

from chef_push_jobs.runbook import push_jobs
from tests.sandbox.conftest import Lab

FOLDER = "/run/chef-faults"  # gone after a reboot, as the fault should be
WRAPPERS = "/usr/local/sbin"
SFTP = "/usr/lib/openssh/sftp-server"
HALF = "dd bs=1 count=10000 status=none"
REACH_SECONDS = 60.0


class Then(Enum):
    """What happens when the command is reached."""

    FAIL = 'echo "made to fail: $0" >&2; exit 9'
    # TERM is ignored by all of it: only what ends a task for good ends this.
    HANG = "trap '' TERM HUP INT; sleep 1000 & sleep 1000"
    SLOW = "sleep 5"
    HOLD = f"while [ ! -e {FOLDER}/go ]; do sleep 0.05; done"


@dataclass(frozen=True)
class Point:
    """Where a task of a kind can be stopped: at its beginning, and when its work is half done."""

    early: str
    middle: str


# By step. A command that the stand-in packages bring stands for all that it does.
POINTS = {
    "connect": Point("chmod", "chmod"),
    "upload": Point(SFTP, SFTP),
    "install": Point("getent", "dpkg-deb"),
    "configure": Point("mkdir", "chmod"),
    "rotate": Point("cat", "cat"),
    "share": Point("cat", "chown"),
    "copy": Point("mktemp", "tar"),
    "restart-pushy": Point("cat", "cat"),
    **dict.fromkeys(push_jobs.TESTS, Point("cat", "cat")),  # a standby comes no further
}
RECONFIGURE = {"chef": "chef-server-ctl", "push-jobs": "opscode-push-jobs-server-ctl"}


def point(rollout: str, step: str) -> Point:
    if step in POINTS:
        return POINTS[step]
    command = RECONFIGURE["chef" if step == "chef-reconfigure" else rollout]
    return Point(command, command)


def _wrapper(command: str, script: str, then: Then) -> str:
    """Acts once. Everywhere else it is the command."""
    if command == SFTP:
        # Half of a file is written, then nothing more comes. dd passes each byte on at once, which head does not.
        real, begun = f"{SFTP}.real", f"touch {FOLDER}/reached"
        act = {
            Then.FAIL: f"{begun}; {HALF} | {real}; exit 9",
            Then.SLOW: f"{begun}; {{ {HALF}; sleep 5; }} | {real}; exit 9",
            Then.HOLD: f"{begun}; {then.value}",
        }[then]
        unless = f"if [ -e {FOLDER}/armed ] && [ ! -e {FOLDER}/reached ]; then"
        return f'#!/bin/sh\n{unless}\n  {act}\nfi\nexec {real} "$@"\n'
    return "\n".join(
        [
            "#!/bin/sh",
            f"if [ -e {FOLDER}/armed ] && [ ! -e {FOLDER}/reached ] && ",
            f"  tr '\\0' ' ' < /proc/$PPID/cmdline | grep -qF -- '{script}'; then",
            f"  : > {FOLDER}/reached",
            f"  {then.value}",
            "fi",
            f'exec "$(PATH=/usr/sbin:/usr/bin:/sbin:/bin command -v {command})" "$@"',
            "",
        ]
    )


@dataclass
class Brake:
    """On one host, for one task. `script` is a part of the command line that runs the task's script there."""

    lab: Lab
    host: str
    command: str
    script: str

    def arm(self, then: Then) -> None:
        path = self.command if self.command == SFTP else f"{WRAPPERS}/{self.command}"
        lines = [f"mkdir -p {FOLDER} {WRAPPERS}", f"rm -f {FOLDER}/*"]
        if self.command == SFTP:
            lines.append(f"[ -e {SFTP}.real ] || cp -p {SFTP} {SFTP}.real")
        lines += [
            f"cat > {path}.new <<'END-OF-WRAPPER'\n{_wrapper(self.command, self.script, then)}END-OF-WRAPPER",
            f"chmod 0755 {path}.new {FOLDER}",
            f"mv {path}.new {path}",
            f": > {FOLDER}/armed",
            f"chmod 0777 {FOLDER}",  # an upload is the login user's
        ]
        self.lab.output(self.host, "set -eu\n" + "\n".join(lines))

    def reached(self) -> None:
        """Wait until the task's script is there."""
        deadline = time.monotonic() + REACH_SECONDS
        while self.lab.shell(self.host, f"[ -e {FOLDER}/reached ]").returncode != 0:
            assert time.monotonic() < deadline, f"{self.script} did not come to {self.command} on {self.host}"
            time.sleep(0.05)

    def release(self) -> None:
        self.lab.output(self.host, f"[ ! -d {FOLDER} ] || : > {FOLDER}/go")

    def remove(self) -> None:
        """The host is as it was; a process that the brake still holds goes on."""
        undo = f"mv {SFTP}.real {SFTP}" if self.command == SFTP else f"rm -f {WRAPPERS}/{self.command}"
        self.lab.output(self.host, f"{undo}; rm -rf {FOLDER}/armed")
