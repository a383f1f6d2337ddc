"""Services under runit: /opt/opscode/sv/NAME, enabled by a link in /opt/opscode/service, as Chef's cookbooks do it.

`down` in a service's directory keeps runit from starting it by itself; `keepalive_me` marks what moves on failover.
Source: enterprise-chef-common, definitions/component_runit_service.rb: both are made after the service is enabled,
so that the first time it starts everywhere.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from .files import StandinError, directory, remove, write

SV = "/opt/opscode/sv"
ENABLED = "/opt/opscode/service"
INIT = "/opt/opscode/init"
LOGS = "/var/log/opscode"
COMMAND = "/opt/opscode/embedded/bin/sv"
SUPERVISOR = "/opt/opscode/embedded/bin/runsvdir-start"
SUPERVISOR_PID = "/run/opscode-runsvdir.pid"
ENABLE_SECONDS = 20.0
INIT_SCRIPT = """#!/bin/sh
# runit's sv, called by a service's name.
SVDIR=/opt/opscode/service exec /opt/opscode/embedded/lib/init/{name} "$@"
"""
LOG_SCRIPT = "#!/bin/sh\nexec svlogd -tt {log}\n"
LOG_CONFIGURATION = "s104857600\nn10\n"
# What is written to runsv, and when that has come about, by the process before and now (0: none).
CONTROLS: Mapping[str, tuple[bytes, Callable[[int, int], bool]]] = {
    "start": (b"u", lambda _, now: now != 0),
    "stop": (b"d", lambda _, now: now == 0),
    "kill": (b"dk", lambda _, now: now == 0),
    "restart": (b"tcu", lambda before, now: now not in (0, before)),
    "hup": (b"h", lambda _, now: True),
    "int": (b"i", lambda _, now: True),
    "term": (b"t", lambda _, now: True),
}


@dataclass(frozen=True)
class Service:
    """`run` is its script; `ha` whether it moves on failover, `down` whether it then waits to be started."""

    name: str
    run: str
    ha: bool = False
    down: bool = True
    control: Mapping[str, str] = field(default_factory=dict)
    log: str = ""


def enable(services: Iterable[Service]) -> list[str]:
    """Define and enable services; those whose scripts are new. They start, unless they are `down` already."""
    wanted = list(services)
    changed = [service.name for service in wanted if _define(service)]
    start_supervisor()
    for service in wanted:
        _wait_for_runsv(service.name)
    for service in wanted:
        _sentinel(service.name, "keepalive_me", wanted=service.ha)
        if service.down or not service.ha:
            _sentinel(service.name, "down", wanted=service.ha)
    return changed


def _define(service: Service) -> bool:
    place, log = f"{SV}/{service.name}", service.log or f"{LOGS}/{service.name}"
    for path in (place, f"{place}/log", f"{place}/control", INIT, ENABLED, "/opt/opscode/embedded/lib/init"):
        directory(path, 0o755)
    if not os.path.isdir(log):
        directory(log, 0o750, "opscode", "opscode")
    write(f"{log}/config", LOG_CONFIGURATION, 0o644)
    write(f"{place}/log/run", LOG_SCRIPT.format(log=log), 0o755)
    for name, script in service.control.items():
        write(f"{place}/control/{name}", script, 0o755)
    changed = write(f"{place}/run", service.run, 0o755)
    write(f"{INIT}/{service.name}", INIT_SCRIPT.format(name=service.name), 0o755)
    _link(COMMAND, f"/opt/opscode/embedded/lib/init/{service.name}")
    _link(place, f"{ENABLED}/{service.name}")
    return changed


def _link(target: str, link: str) -> None:
    if not os.path.islink(link):
        os.symlink(target, link)


def _sentinel(name: str, sentinel: str, *, wanted: bool) -> None:
    path = f"{SV}/{name}/{sentinel}"
    if not wanted:
        remove(path)
    elif not os.path.exists(path):
        write(path, "", 0o644)


def _wait_for_runsv(name: str) -> None:
    deadline = time.monotonic() + ENABLE_SECONDS
    while not _supervised(name):
        if time.monotonic() > deadline:
            raise StandinError(f"runsv of {name} did not start within {ENABLE_SECONDS:.0f} s")
        _wake_supervisor()
        time.sleep(0.05)


def _supervised(name: str) -> bool:
    """Whether a runsv reads this service's controls: opened without a reader, its pipe refuses."""
    try:
        os.close(os.open(f"{SV}/{name}/supervise/ok", os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def disable(name: str) -> None:
    """Stop a service for good; it stays defined."""
    if enabled(name):
        control("stop", name)
        remove(f"{ENABLED}/{name}")


def enabled(name: str) -> bool:
    return os.path.islink(f"{ENABLED}/{name}")


def all_services() -> list[str]:
    return sorted(os.listdir(SV)) if os.path.isdir(SV) else []


def keepalive_services() -> list[str]:
    """What keepalived moves on failover: whatever carries the sentinel file now."""
    return [name for name in all_services() if os.path.exists(f"{SV}/{name}/keepalive_me")]


def supervisor() -> int:
    """The pid of runsvdir, 0 where it does not run."""
    try:
        pid = int(Path(SUPERVISOR_PID).read_text(encoding="ascii"))
        return pid if b"runsvdir" in Path(f"/proc/{pid}/cmdline").read_bytes() else 0
    except (OSError, ValueError):
        return 0


def start_supervisor() -> None:
    """Start runsvdir unless it runs; it keeps nothing of this process: no session, no open file."""
    if supervisor():
        return
    null = subprocess.DEVNULL
    subprocess.Popen([SUPERVISOR], stdin=null, stdout=null, stderr=null, start_new_session=True, cwd="/", env={})
    deadline = time.monotonic() + ENABLE_SECONDS
    while not supervisor():
        if time.monotonic() > deadline:
            raise StandinError(f"{SUPERVISOR} did not start within {ENABLE_SECONDS:.0f} s")
        time.sleep(0.02)


def _wake_supervisor() -> None:
    """Have runsvdir look at its directory after a second, not after five: it does when something is logged to it."""
    try:
        with open(f"/proc/{supervisor()}/fd/2", "wb", buffering=0) as log:
            log.write(b".")
    except OSError:
        return  # it has just ended, or begun: it looks anyway


def pid_of(name: str) -> int:
    """The process of a service, 0 where it is down."""
    try:
        return int(Path(f"{SV}/{name}/supervise/pid").read_text(encoding="ascii") or "0") if _supervised(name) else 0
    except (OSError, ValueError):
        return 0


def control(command: str, name: str) -> bool:
    """As sv does it, but looking more often: false when it did not come about within its time (SVWAIT, or 7 s)."""
    letters, comes_about = CONTROLS[command]
    before = pid_of(name)
    try:
        pipe = os.open(f"{SV}/{name}/supervise/control", os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return False  # no runsv reads it
    with open(pipe, "wb", buffering=0) as controls:
        controls.write(letters)
    deadline = time.monotonic() + float(os.environ.get("SVWAIT", "7"))
    while not comes_about(before, pid_of(name)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def restart(names: Iterable[str]) -> None:
    """Those that run, side by side: runsv starts a service at most once a second."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(partial(control, "restart"), [name for name in names if pid_of(name)]))


def graceful_kill(name: str) -> bool:
    """As omnibus-ctl: stop it, and what does not stop ends with its process group. False where it is not enabled."""
    if not enabled(name):
        return False
    pid = pid_of(name)
    if not control("stop", name) and pid and pid_of(name) == pid:
        os.killpg(os.getpgid(pid), signal.SIGKILL)
    return True


def describe(name: str) -> str:
    """The line of `sv status`, by the service's name alone."""
    done = subprocess.run([COMMAND, "status", f"{ENABLED}/{name}"], capture_output=True, text=True, check=False)
    return re.sub(rf"{ENABLED}/(\S+?):", r"\1:", (done.stdout or done.stderr).strip().splitlines()[0])
