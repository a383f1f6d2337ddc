"""What every ctl command has in common: its log line, the delays and faults that a test asks for, plain error messages.

Log, one JSON line a command that ended: /var/log/chef-standin.jsonl
    {"start": 1.5, "end": 2.5, "argv": ["chef-server-ctl", "reconfigure"], "exit": 0, "host": "b0.example.com"}
Requests of a test, absent by default, read at each command: /etc/chef-standin.json
    {"durations": {"chef-server-ctl reconfigure": [9.0, 2.5], "dpkg opscode-push-jobs-server": 2,
                   "opscode-pushy-server start": 1},
     "fail": {"opscode-push-jobs-server-ctl reconfigure": {"exit": 3, "message": "disk full", "when": "after"},
              "dpkg": {"hang": true}}}
A key is a program and its first argument, or the program alone. In a list of durations, each is for one run of the
command, and the last one for all later runs. `when` is "before" the command does anything (the
default) or "after" it did everything. `hang` waits until the process is killed. The packages' maintainer scripts do the
same for `dpkg NAME` (preinst.py) and log the lines ["preinst", "install" or "upgrade", NAME, VERSION] and
["postinst", "configure", NAME, VERSION].
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from .files import StandinError, read_json

LOG = "/var/log/chef-standin.jsonl"
REQUESTS = "/etc/chef-standin.json"


@dataclass(frozen=True)
class Command:
    help: str
    run: Callable[[Sequence[str]], int]


def requested(kind: str, name: str) -> Any:
    """What /etc/chef-standin.json asks for under `kind` for this command, else None."""
    if not os.path.exists(REQUESTS):
        return None
    table = read_json(REQUESTS).get(kind, {})
    return table.get(name, table.get(name.split(" ", 1)[0]))


def pause(name: str, default: float = 0.0) -> None:
    seconds = requested("durations", name)
    if isinstance(seconds, list):
        seconds = seconds[min(_runs(name), len(seconds) - 1)]
    time.sleep(default if seconds is None else float(seconds))


def _runs(name: str) -> int:
    """How often this command has ended on this host."""
    if not os.path.exists(LOG):
        return 0
    with open(LOG, encoding="utf-8") as log:
        return sum(json.loads(line)["argv"][:2] == name.split() for line in log)


def fault(name: str, when: str) -> None:
    """Fail or hang here if a test asked for it."""
    wanted = requested("fail", name)
    if wanted is None or wanted.get("when", "before") != when:
        return
    if wanted.get("hang"):
        time.sleep(10**8)
    raise StandinError(wanted.get("message", f"{name}: failed as {REQUESTS} asks"), int(wanted.get("exit", 1)))


def record(argv: Sequence[str], start: float, status: int) -> None:
    entry = {"start": start, "end": time.time(), "argv": list(argv), "exit": status, "host": socket.gethostname()}
    with open(LOG, "a", encoding="utf-8") as log:
        log.write(json.dumps(entry) + "\n")


def _interrupted(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def run(program: str, argv: Sequence[str], commands: Mapping[str, Command], version: str) -> int:
    """Run one ctl command and return its exit status; every outcome is logged."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _interrupted)
    start, status = time.time(), 1
    try:
        status = _dispatch(program, argv, commands, version)
    except StandinError as error:
        print(f"FATAL: {error}", file=sys.stderr, flush=True)
        status = error.status
    except SystemExit as ended:
        status = int(ended.code or 0)
        raise
    finally:
        if os.geteuid() == 0:
            record([program, *argv], start, status)
    return status


def _dispatch(program: str, argv: Sequence[str], commands: Mapping[str, Command], version: str) -> int:
    name = argv[0] if argv else "help"
    if name in ("version", "--version", "-v"):
        print(f"{version} (stand-in: no Chef software is installed)")
        return 0
    if name in ("help", "--help", "-h"):
        _usage(program, commands)
        return 0 if argv else 1
    if name not in commands:
        print("I don't know that command.", file=sys.stderr)
        _usage(program, commands)
        return 1
    if os.geteuid() != 0:
        raise StandinError(f"{program} {name} must be run as root")
    key = f"{program} {name}"
    pause(key)
    fault(key, "before")
    status = commands[name].run(argv[1:])
    fault(key, "after")
    return status


def _usage(program: str, commands: Mapping[str, Command]) -> None:
    print(f"{program} (stand-in): command (arguments)")
    for name, command in sorted(commands.items()):
        print(f"  {name}\n    {command.help}")
    print("  version\n    Show the version of the package.")
