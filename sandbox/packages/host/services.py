"""Services under supervision, as runit has them: /opt/opscode/sv/NAME, enabled by a link in /opt/opscode/service.

`down` in a service's directory keeps it from being started by itself; `keepalive_me` marks what moves on failover.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from typing import Any

from .files import StandinError, directory, remove, write

SV = "/opt/opscode/sv"
ENABLED = "/opt/opscode/service"
INIT = "/opt/opscode/init"
LOGS = "/var/log/opscode"
SOCKET = "/run/opscode-runsvdir.sock"
SUPERVISOR = "/opt/opscode/embedded/bin/runsvdir"
WAIT = 7.0


def define(name: str, run: str, *, ha: bool) -> bool:
    """Define and enable a service; true when its run script is new. With `ha` it does not start by itself."""
    directory(f"{SV}/{name}", 0o755)
    if not os.path.isdir(f"{LOGS}/{name}"):
        directory(f"{LOGS}/{name}", 0o750, "opscode", "opscode")
    for sentinel in ("down", "keepalive_me"):
        if ha:
            write(f"{SV}/{name}/{sentinel}", "", 0o644)
        else:
            remove(f"{SV}/{name}/{sentinel}")
    changed = write(f"{SV}/{name}/run", run, 0o755)
    for link, target in ((f"{INIT}/{name}", "/opt/opscode/embedded/bin/sv"), (f"{ENABLED}/{name}", f"{SV}/{name}")):
        os.makedirs(os.path.dirname(link), exist_ok=True)
        if not os.path.islink(link):
            os.symlink(target, link)
    start_supervisor()
    ask("scan")
    return changed


def disable(name: str) -> None:
    """Stop a service for good; it stays defined."""
    if enabled(name):
        control("down", name)
        remove(f"{ENABLED}/{name}")
        ask("scan")


def enabled(name: str) -> bool:
    return os.path.islink(f"{ENABLED}/{name}")


def all_services() -> list[str]:
    return sorted(os.listdir(SV)) if os.path.isdir(SV) else []


def keepalive_services() -> list[str]:
    """What keepalived moves on failover: whatever carries the sentinel file now."""
    return [name for name in all_services() if os.path.exists(f"{SV}/{name}/keepalive_me")]


def start_supervisor() -> None:
    """Start the supervisor unless it runs; it keeps nothing of this process: no session, no open file."""
    if reachable():
        return
    null = subprocess.DEVNULL
    subprocess.Popen(
        [SUPERVISOR], stdin=null, stdout=null, stderr=null, start_new_session=True, cwd="/", env={"PATH": os.defpath}
    )
    deadline = time.monotonic() + 10
    while not reachable():
        if time.monotonic() > deadline:
            raise StandinError(f"{SUPERVISOR} did not start within 10 seconds")
        time.sleep(0.02)


def reachable() -> bool:
    try:
        ask("ping")
    except OSError:
        return False
    return True


def ask(command: str, name: str = "") -> dict[str, Any]:
    """One request to the supervisor. OSError when it does not run."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(SOCKET)
        connection.sendall(json.dumps({"command": command, "service": name}).encode() + b"\n")
        with connection.makefile("r", encoding="utf-8") as answers:
            answer = json.loads(answers.readline())
    if not isinstance(answer, dict):
        raise StandinError(f"the supervisor answered {answer!r}")
    return answer


def state(name: str) -> dict[str, Any]:
    """{"pid": 12 or 0, "since": seconds, "want": "up" or "down", "known": bool}"""
    try:
        return ask("status", name)
    except OSError:
        return {"pid": 0, "since": 0, "want": "down", "known": False}


def control(command: str, name: str) -> bool:
    """`up`, `down`, `restart` or `kill` as sv does it: wait up to 7 seconds; false when it did not come about."""
    try:
        before = ask(command, name)["pid"]
    except OSError:
        return False
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        now = state(name)["pid"]
        if now == 0 if command in ("down", "kill") else now not in (0, before if command == "restart" else 0):
            return True
        time.sleep(0.02)
    return False


def describe(name: str) -> str:
    """The line of `sv status`."""
    found = state(name)
    if not found["known"]:
        return f"fail: {name}: unable to change to service directory: runsv not running"
    if found["pid"]:
        wants_down = ", want down" if found["want"] == "down" else ""
        return f"run: {name}: (pid {found['pid']}) {found['since']}s{wants_down}"
    normally = "" if os.path.exists(f"{SV}/{name}/down") else ", normally up"
    return f"down: {name}: {found['since']}s{normally}{', want up' if found['want'] == 'up' else ''}"
