"""A rollout as an Ansible playbook: a play per phase, a task per step, with the strategies linear and free.

Set up for speed as its documentation advises: pipelining, one ControlPersist connection per server, as many forks as
servers, no gathering of facts, a known Python interpreter. With the strategy free, each server runs through a play of
several steps at its own pace. That strategy ignores `any_errors_fatal`, so an assertion follows such a play; it
connects to no server.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from bench.contenders.contender import BIN, Contender, by_step, version_of, write_tasks
from bench.order import KEY, Order, Phase

SETTINGS = """[defaults]
inventory = inventory.yaml
forks = {forks}
host_key_checking = True
interpreter_python = /usr/bin/python3
stdout_callback = minimal
nocows = True
retry_files_enabled = False
home = {folder}/home

[ssh_connection]
pipelining = True
ssh_common_args = -o UserKnownHostsFile={known_hosts} -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes
"""

# Each run has its own connections; otherwise a run soon after another would find them open. They end after 60 s. Their
# sockets are next to the agent's, because the path of a socket must be short.
RUN = """set -eu
ANSIBLE_SSH_CONTROL_PATH_DIR=$(mktemp -d "$(dirname "$SSH_AUTH_SOCK")/cp.XXXXXX")
export ANSIBLE_SSH_CONTROL_PATH_DIR LC_ALL=C.UTF-8 ANSIBLE_CONFIG="$PWD/ansible.cfg"
exec {playbook} playbook.yaml "$@"
"""

UNBROKEN = {
    "name": "every server got this far",
    "hosts": "all",
    "gather_facts": False,
    "any_errors_fatal": True,
    "tasks": [
        {
            "ansible.builtin.assert": {"that": "ansible_play_hosts | length == ansible_play_hosts_all | length"},
            "run_once": True,
        }
    ],
}


def _prepare(strategy: str, order: Order, folder: Path) -> list[str]:
    write_tasks(order, folder)
    variables = {"ansible_user": order.user, "ansible_port": order.port}
    hosts = {server.name: {"ansible_host": server.address} for server in order.servers}
    _write(folder / "inventory.yaml", {"all": {"hosts": hosts, "vars": variables}})
    plays = []
    for phase in order.phases:
        free = strategy == "free" and len(phase.steps) > 1
        plays += [_play(order, phase, free)] if order.on(phase) else []
        plays += [UNBROKEN] if free else []
    _write(folder / "playbook.yaml", plays)
    known_hosts = order.known_hosts.absolute()
    settings = SETTINGS.format(forks=len(order.servers), folder=folder.absolute(), known_hosts=known_hosts)
    (folder / "ansible.cfg").write_text(settings)
    (folder / "run.sh").write_text(RUN.format(playbook=BIN / "ansible-playbook"))
    return ["sh", "run.sh"]


def _check(strategy: str, order: Order, folder: Path) -> list[str]:
    """Ansible connects to every server and asks each task's module there; the command module says that it would run."""
    return [*_prepare(strategy, order, folder), "--check"]


def _play(order: Order, phase: Phase, free: bool) -> dict[str, Any]:
    servers = order.on(phase)
    return {
        "name": " ".join(phase.steps),
        "hosts": [server.name for server in servers],
        "gather_facts": False,
        "strategy": "free" if free else "linear",
        **({} if free else {"any_errors_fatal": True}),
        **({"serial": 1} if phase.serial else {}),
        "tasks": [_task(order, phase, step) for step in phase.steps],
    }


def _task(order: Order, phase: Phase, step: str) -> dict[str, Any]:
    """A step, on the servers of its play that have it. Its texts are in files, which Ansible takes as they are."""
    tasks = by_step(order, step, order.on(phase))
    ids = {task.server: task.id for task in tasks}
    keys = sorted({key for task in tasks for key in task.keys})
    everywhere = len(ids) == len(order.on(phase))
    return {
        "name": step,
        "vars": {"id": f"{{{{ {json.dumps(ids)}[inventory_hostname] }}}}"},
        "ansible.builtin.shell": {
            "cmd": "{{ lookup('ansible.builtin.file', playbook_dir ~ '/commands/' ~ id, rstrip=false) }}",
            "stdin": _stdin(keys),
            "stdin_add_newline": False,
        },
        **({} if everywhere else {"when": f"inventory_hostname in {json.dumps(list(ids))}"}),
        **({"register": "told"} if any(task.tells for task in tasks) else {}),
    }


def _stdin(keys: list[str]) -> str:
    """A template for the input; in a check, no key has been printed."""
    text = "lookup('ansible.builtin.file', playbook_dir ~ '/stdin/' ~ id, rstrip=false)"
    filled = "".join(f" | replace('{KEY.format(key)}', hostvars['{key}'].told.stdout_lines[1])" for key in keys)
    return f"{{{{ {text} if ansible_check_mode else {text}{filled} }}}}"


def _write(file: Path, content: object) -> None:
    file.write_text(yaml.safe_dump(content, sort_keys=False, width=1000))


_version: Callable[[], str] = partial(version_of, "ansible-core")

LINEAR = Contender("ansible linear", _version, partial(_prepare, "linear"), partial(_check, "linear"))
FREE = Contender("ansible free", _version, partial(_prepare, "free"), partial(_check, "free"))
