"""`knife`, as far as a cluster with push jobs needs it: clients, groups, nodes that listen, jobs.

    knife client create NAME -f FILE
    knife group create GROUP | knife group add user|client NAME GROUP | knife group show GROUP
    knife node status [NODE]
    knife job start [--quorum N] [--timeout SECONDS] [--capture] COMMAND NODE… | knife job list | knife job status ID

Settings: ~/.chef/knife.rb (chef_server_url, node_name, client_key). Sources: knife, knife-push, knife-acl.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import chef_client_config
from .api_requests import Refused
from .chef_client_config import ClientConfig
from .files import StandinError, write

OVER = ("complete", "quorum_failed", "timed_out", "crashed", "aborted")
POLL_SECONDS = 0.1


def _path(config: ClientConfig, rest: str) -> str:
    return f"/organizations/{config.org}/{rest}"


def client_create(config: ClientConfig, given: argparse.Namespace) -> int:
    made = config.api().ask("POST", _path(config, "clients"), {"name": given.name})
    write(given.file, made["private_key"], 0o600)
    print(f"Created client[{given.name}]")
    return 0


def group_create(config: ClientConfig, given: argparse.Namespace) -> int:
    config.api().ask("POST", _path(config, "groups"), {"groupname": given.group})
    print(f"Creating '{given.group}' group")
    return 0


def group_add(config: ClientConfig, given: argparse.Namespace) -> int:
    path = _path(config, f"groups/{given.group}")
    found = config.api().ask("GET", path)
    actors = {kind: list(found[kind]) for kind in ("users", "clients", "groups")}
    actors[f"{given.kind}s"] = sorted({*actors[f"{given.kind}s"], given.name})
    config.api().ask("PUT", path, {"groupname": given.group, "actors": actors})
    print(f"Adding {given.kind} '{given.name}' to '{given.group}' group")
    return 0


def group_show(config: ClientConfig, given: argparse.Namespace) -> int:
    found = config.api().ask("GET", _path(config, f"groups/{given.group}"))
    for kind in ("users", "clients", "groups"):
        print(f"{kind}: {' '.join(found[kind])}".rstrip())
    return 0


def node_status(config: ClientConfig, given: argparse.Namespace) -> int:
    if given.node:
        states = [config.api().ask("GET", _path(config, f"pushy/node_states/{given.node}"))]
    else:
        states = config.api().ask("GET", _path(config, "pushy/node_states"))
    for state in states:
        print(f"{state['node_name']}\t{state['availability']}")
    return 0


def job_start(config: ClientConfig, given: argparse.Namespace) -> int:
    """Waits until it is over; the exit status says whether all nodes did it, as knife-push's does."""
    document: dict[str, Any] = {"command": given.command, "nodes": given.nodes}
    options = {"quorum": given.quorum, "run_timeout": given.timeout, "capture_output": given.capture or None}
    document.update({key: value for key, value in options.items() if value is not None})
    made = config.api().ask("POST", _path(config, "pushy/jobs"), document)
    job = str(made["uri"]).rsplit("/", 1)[1]
    print(f"Started.  Job ID: {job}", flush=True)
    said = ""
    while True:
        found = config.api().ask("GET", _path(config, f"pushy/jobs/{job}"))
        if found["status"] != said:
            said = found["status"]
            print(f"{said.capitalize()}.", flush=True)
        if said in OVER:
            break
        time.sleep(POLL_SECONDS)
    _show(found)
    for node in given.nodes if given.capture else ():
        print(f"{node}: {config.api().ask('GET', _path(config, f'pushy/jobs/{job}/output/{node}/stdout')).strip()}")
    return 0 if said == "complete" and set(found["nodes"]) == {"succeeded"} else 1


def job_list(config: ClientConfig, _: argparse.Namespace) -> int:
    for job in config.api().ask("GET", _path(config, "pushy/jobs")):
        print(f"{job['id']}\t{job['status']}\t{job['command']}")
    return 0


def job_status(config: ClientConfig, given: argparse.Namespace) -> int:
    _show(config.api().ask("GET", _path(config, f"pushy/jobs/{given.job}")))
    return 0


def _show(job: Mapping[str, Any]) -> None:
    for key in ("command", "created_at", "id", "run_timeout", "status", "updated_at"):
        print(f"{key}: {job[key]}")
    print("nodes:")
    for status, nodes in sorted(job["nodes"].items()):
        print(f"  {status}: {' '.join(sorted(nodes))}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="knife", description="Stand-in for Chef's knife.")
    subjects = parser.add_subparsers(required=True)

    def verbs(subject: str) -> Any:
        return subjects.add_parser(subject).add_subparsers(required=True)

    def command(place: Any, verb: str, run: Callable[[ClientConfig, argparse.Namespace], int], *positional: str) -> Any:
        made = place.add_parser(verb)
        made.set_defaults(run=run)
        for name in positional:
            made.add_argument(name.rstrip("?*"), nargs=name[-1] if name[-1] in "?*" else None)
        return made

    command(verbs("client"), "create", client_create, "name").add_argument("-f", "--file", required=True)
    groups, nodes, jobs = verbs("group"), verbs("node"), verbs("job")
    command(groups, "create", group_create, "group")
    command(groups, "show", group_show, "group")
    add = groups.add_parser("add")
    add.set_defaults(run=group_add)
    add.add_argument("kind", choices=("user", "client", "group"))
    add.add_argument("name")
    add.add_argument("group")
    command(nodes, "status", node_status, "node?")
    start = command(jobs, "start", job_start, "command", "nodes*")
    start.add_argument("-q", "--quorum", type=int)
    start.add_argument("--timeout", type=int)
    start.add_argument("--capture", action="store_true")
    command(jobs, "list", job_list)
    command(jobs, "status", job_status, "job")
    return parser


def main(arguments: Sequence[str]) -> int:
    given = _parser().parse_args(arguments)
    try:
        config = chef_client_config.read(os.path.expanduser("~/.chef/knife.rb"))
        return int(given.run(config, given))
    except Refused as refused:
        print(f"ERROR: HTTP status {refused.status}: {refused}", file=sys.stderr)
    except StandinError as error:
        print(f"ERROR: {error}", file=sys.stderr)
    return 100
