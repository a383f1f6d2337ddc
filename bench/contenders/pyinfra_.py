"""A rollout as a pyinfra deploy, run by its command line without asking (`--yes`).

One persistent connection per host (paramiko). An operation is a barrier: its hosts run in parallel, and the next
operation waits for all of them. pyinfra orders operations only by each host's own list, so every host has every
operation, with `_if`; otherwise `copy` on the frontends would come before `share` on the primary. A serial phase is an
operation per server, because `_serial` would run all servers' first step before anybody's second.
"""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from bench.contenders.contender import BIN, HERE, Contender, by_step, version_of
from bench.order import KEY, Order, Phase, Server


def _prepare(order: Order, folder: Path) -> list[str]:
    hosts = [(server.name, {"ssh_hostname": server.address}) for server in order.servers]
    data = {
        "ssh_user": order.user,
        "ssh_port": order.port,
        "ssh_known_hosts_file": str(order.known_hosts.absolute()),
        "ssh_strict_host_key_checking": "yes",
        "ssh_look_for_keys": False,
    }
    (folder / "inventory.py").write_text(f"hosts = ({hosts!r}, {data!r})\n")
    (folder / "rounds.json").write_text(json.dumps([each for phase in order.phases for each in _rounds(order, phase)]))
    shutil.copy(HERE / "pyinfra_deploy.py", folder / "deploy.py")
    shutil.copy(HERE / "pyinfra_piped.py", folder / "piped.py")
    options = ["--yes", "--fail-percent", "0", "--parallel", str(len(order.servers))]
    return [str(BIN / "pyinfra"), *options, "inventory.py", "deploy.py"]


def _rounds(order: Order, phase: Phase) -> list[dict[str, Any]]:
    """The tasks that run at the same time, by server."""
    on = order.on(phase)
    turns: list[tuple[Server, ...]] = [(server,) for server in on] if phase.serial else [on]
    return [_round(order, step, turn) for turn in turns for step in phase.steps]


def _round(order: Order, step: str, servers: tuple[Server, ...]) -> dict[str, Any]:
    tasks = {
        task.server: {
            "command": task.command,
            "stdin": task.stdin,
            "keys": {key: KEY.format(key) for key in task.keys},
            "tells": task.tells,
        }
        for task in by_step(order, step, servers)
    }
    return {"step": step, "tasks": tasks}


PYINFRA = Contender("pyinfra", partial(version_of, "pyinfra"), _prepare)
