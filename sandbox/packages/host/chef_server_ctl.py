"""`chef-server-ctl` (and `private-chef-ctl`): the commands that the runbooks, operators and keepalived use."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from . import chef_server, command, keepalived, secrets_file, services
from .files import StandinError

MANIFEST = "/opt/opscode/version-manifest.txt"
VEIL_SINCE = (12, 14)


def version() -> str:
    """The first line of the package's version manifest: `chef-server-core 12.0.8`."""
    return Path(MANIFEST).read_text(encoding="utf-8").split("\n", 1)[0]


def _has_veil() -> bool:
    numbers = version().split()[-1].split(".")
    return tuple(int(number) for number in numbers[:2]) >= VEIL_SINCE


def _reconfigure(_: Sequence[str]) -> int:
    return chef_server.reconfigure(veil=_has_veil())


def _secret(arguments: Sequence[str], count: int) -> tuple[secrets_file.Groups, str, str]:
    if not _has_veil():
        raise StandinError("I don't know that command: Chef server keeps secrets in a store from 12.14 on")
    if len(arguments) != count:
        raise StandinError("it takes GROUP and NAME, and to remove one without a question --yes")
    return secrets_file.load(), arguments[0], arguments[1]


def _show_secret(arguments: Sequence[str]) -> int:
    groups, group, name = _secret(arguments, 2)
    if name not in groups.get(group, {}):
        raise StandinError(f"no secret {name} in group {group}")
    print(groups[group][name])
    return 0


def _remove_secret(arguments: Sequence[str]) -> int:
    """As the real one, it asks unless there is --yes; a question cannot be answered here."""
    groups, group, name = _secret(arguments, 3)
    if arguments[2] != "--yes":
        raise StandinError("WARN: Removing a secret may render your chef-server inoperable. Say --yes.")
    groups.get(group, {}).pop(name, None)
    secrets_file.save(groups, veil=True)
    return 0


def _chosen(arguments: Sequence[str]) -> list[str]:
    """The named service, else all; a service that is not enabled is passed over in silence, as omnibus-ctl does."""
    return [name for name in (arguments[:1] or services.all_services()) if services.enabled(name)]


def _control(*actions: str) -> Callable[[Sequence[str]], int]:
    """A command that tries the actions on each service until one comes about; its status is the number of failures."""

    def run(arguments: Sequence[str]) -> int:
        names = _chosen(arguments)
        if names:
            services.start_supervisor()
        failures = 0
        for name in names:
            ok = any(services.control(action, name) for action in actions)
            failures += not ok
            print(f"{'ok' if ok else 'timeout'}: {services.describe(name)}")
        return failures

    return run


def _status(arguments: Sequence[str]) -> int:
    names = _chosen(arguments)
    for name in names:
        print(services.describe(name))
    return 3 if any(services.state(name)["pid"] == 0 for name in names) else 0


def _service_list(_: Sequence[str]) -> int:
    for name in services.all_services():
        print(name + ("*" if services.enabled(name) else ""))
    return 0


def _recover(state: str) -> Callable[[Sequence[str]], int]:
    def run(_: Sequence[str]) -> int:
        if not os.path.exists(keepalived.SCRIPT):
            raise StandinError(f"{keepalived.SCRIPT} is missing: this is no backend of an ha cluster")
        return subprocess.run([keepalived.SCRIPT, state], check=False).returncode

    return run


def _test(_: Sequence[str]) -> int:
    running = chef_server.running_config()
    if running is None:
        raise StandinError(f"{chef_server.RUNNING} is missing: run chef-server-ctl reconfigure first")
    expected = [name for name in services.all_services() if services.enabled(name)]
    if running["private_chef"]["keepalived"]["enable"] and keepalived.status() != "master":
        expected = []
    down = [name for name in expected if services.state(name)["pid"] == 0]
    for name in down:
        print(f"{name} is not running")
    print(f"\n{len(expected)} examples, {len(down)} failures")
    return 1 if down else 0


COMMANDS = {
    "reconfigure": command.Command("Reconfigure the application.", _reconfigure),
    "start": command.Command("Start services if they are down, and restart them if they stop.", _control("up")),
    "stop": command.Command("Stop the services, and do not restart them.", _control("down")),
    "restart": command.Command("Stop the services if they are running, then start them again.", _control("restart")),
    "graceful-kill": command.Command("Stop the services, with SIGKILL if need be.", _control("down", "kill")),
    "status": command.Command("Show the status of all the services.", _status),
    "service-list": command.Command("List all the services (enabled services appear with a *).", _service_list),
    "test": command.Command("Check that the services run (the real one runs an API test suite).", _test),
    "show-secret": command.Command("Show the value of the given secret in the secret store.", _show_secret),
    "remove-secret": command.Command("Remove secret NAME of GROUP.", _remove_secret),
    "ha-status": command.Command(
        "Show the status of high availability services.", lambda _: keepalived.ha_status(chef_server.running_config())
    ),
    "master-recover": command.Command("Set this server to HA master state, ignoring VRRP.", _recover("master")),
    "backup-recover": command.Command("Set this server to HA backup state, ignoring VRRP.", _recover("backup")),
}


def main(arguments: Sequence[str]) -> int:
    """`arguments` starts with the name that the command was called by."""
    return command.run(os.path.basename(arguments[0]), arguments[1:], COMMANDS, version())
