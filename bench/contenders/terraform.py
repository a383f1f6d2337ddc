"""A rollout as Terraform configuration: a `terraform_data` for each task, with `remote-exec` and `depends_on`.

The only contender with edges instead of barriers, like this project. remote-exec uploads a script and runs it: a
connection for each task, with three sessions. Its output cannot be used, so local-exec runs ssh for the tasks that
print a key (which is cheaper), and another local-exec first completes a script that needs keys (a few milliseconds).
Input is a here-document in the script. It only uses the built-in provider, so nothing is downloaded.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from bench.contenders.contender import HERE, Contender, write_ssh_config, write_tasks
from bench.order import Order, Task

SCRIPT = """#!/bin/sh
exec <<'END-OF-INPUT'
{stdin}END-OF-INPUT
{command}
"""


def available() -> bool:
    return shutil.which("terraform") is not None


def _version() -> str:
    done = subprocess.run(["terraform", "version", "-json"], capture_output=True, text=True, check=True)
    return str(json.loads(done.stdout)["terraform_version"])


def _prepare(order: Order, folder: Path) -> list[str]:
    write_tasks(order, folder)
    write_ssh_config(order, folder)
    for name in ("scripts", "told", "filled"):
        (folder / name).mkdir()
    for script in ("terraform.sh", "fill.sh"):
        shutil.copy(HERE / script, folder)
    for task in order.tasks:
        (folder / "scripts" / task.id).write_text(SCRIPT.format(stdin=task.stdin, command=task.command))
    connections = {server.name: connection(order, server.address) for server in order.servers}
    tasks = {task.id: _resource(task, connections[task.server]) for task in order.tasks}
    (folder / "rollout.tf.json").write_text(json.dumps({"resource": {"terraform_data": tasks}}, indent=1))
    quiet = {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
    init = ["terraform", "init", "-input=false", "-no-color"]
    subprocess.run(init, cwd=folder, env=os.environ | quiet, capture_output=True, check=True)
    options = ["-auto-approve", "-input=false", "-no-color", f"-parallelism={len(order.servers)}"]
    return ["env", *(f"{name}={value}" for name, value in quiet.items()), "terraform", "apply", *options]


def connection(order: Order, address: str) -> dict[str, Any]:
    """The connection to a server.

    Raises subprocess.CalledProcessError if no host key is known: Terraform would check none.
    """
    name = address if order.port == 22 else f"[{address}]:{order.port}"
    find = ["ssh-keygen", "-F", name, "-f", str(order.known_hosts)]
    found = subprocess.run(find, capture_output=True, text=True, check=True).stdout.splitlines()
    host_key = " ".join(found[-1].split()[1:3])
    return {
        "type": "ssh",
        "host": address,
        "port": order.port,
        "user": order.user,
        "agent": True,
        "host_key": host_key,
    }


def _resource(task: Task, connection: dict[str, Any]) -> dict[str, Any]:
    """Contains names and paths only, because a text in here would be a template."""
    script = f"{'filled' if task.keys else 'scripts'}/{task.id}"
    steps: list[dict[str, Any]] = []
    if task.keys:
        steps += [{"local-exec": {"command": f"bash terraform.sh fill {task.id} {' '.join(task.keys)}"}}]
    if task.tells:
        steps += [{"local-exec": {"command": f"bash terraform.sh tell {task.server} {task.id}"}}]
    else:
        steps += [{"remote-exec": {"script": script, "connection": connection}}]
    after = [f"terraform_data.{each}" for each in task.after]
    return {"provisioner": steps, **({"depends_on": after} if after else {})}


TERRAFORM = Contender("terraform", _version, _prepare, available=available)
