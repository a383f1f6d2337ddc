"""A rollout as a script of bash and OpenSSH, as somebody writes it who only wants it to be fast.

One ControlMaster connection per server, opened in parallel; a phase runs on its servers in parallel and ends with the
last of them. No preview, no record, no second run that does only what is missing.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

from bench.contenders.contender import HERE, Contender, write_ssh_config, write_tasks
from bench.order import Order, Phase


def _version() -> str:
    """OpenSSH's, because it takes the time."""
    return subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr.split(",")[0].strip()


def _prepare(order: Order, folder: Path) -> list[str]:
    write_tasks(order, folder)
    write_ssh_config(order, folder, "ControlMaster auto", "ControlPath ${SOCKETS}/%n")
    for name in ("filled", "told"):
        (folder / name).mkdir()
    for script in ("shell.sh", "fill.sh"):
        shutil.copy(HERE / script, folder)
    lines = [f"keys[{task.id}]={shlex.quote(' '.join(task.keys))}" for task in order.tasks if task.keys]
    lines += [f"tells[{task.id}]=yes" for task in order.tasks if task.tells]
    lines += [shlex.join(["open", *(server.name for server in order.servers)])]
    lines += [_phase(order, phase) for phase in order.phases if order.on(phase)]
    (folder / "rollout.sh").write_text("\n".join(lines) + "\n")
    return ["bash", "shell.sh"]


def _phase(order: Order, phase: Phase) -> str:
    kind = "serial" if phase.serial else "parallel"
    lists = [" ".join([on.name, *(task.id for task in order.of(phase, on))]) for on in order.on(phase)]
    return shlex.join(["phase", kind, *lists])


SHELL = Contender("shell", _version, _prepare)
