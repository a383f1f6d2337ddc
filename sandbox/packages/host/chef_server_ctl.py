"""`chef-server-ctl` (and `private-chef-ctl`): the commands that the runbooks, operators and keepalived use."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from . import command, keepalived, secrets_file, services
from .chef_config import Core
from .files import StandinError
from .running import RUNNING, running_config

MANIFEST = "/opt/opscode/version-manifest.txt"


def version() -> str:
    """The first line of the package's version manifest: `chef-server-core 12.0.8`."""
    return Path(MANIFEST).read_text(encoding="utf-8").split("\n", 1)[0]


def _core() -> Core:
    return Core.of(version().split()[-1])


def _reconfigure(_: Sequence[str]) -> int:
    from . import chef_server  # noqa: PLC0415 - its database library would slow down every other command

    return chef_server.reconfigure(_core())


def _secret(arguments: Sequence[str], count: int) -> tuple[secrets_file.Groups, str, str]:
    if not _core().veil:
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


def _control(action: str) -> Callable[[Sequence[str]], int]:
    """A command on each service; its status is the number of failures."""

    def run(arguments: Sequence[str]) -> int:
        failures = 0
        for name in _chosen(arguments):
            ok = services.control(action, name)
            failures += not ok
            print(f"{'ok' if ok else 'timeout'}: {services.describe(name)}", flush=True)
        return failures

    return run


def _graceful_kill(arguments: Sequence[str]) -> int:
    """Unlike the others, it fails for a service that is not enabled."""
    names = arguments[:1] or [name for name in services.all_services() if services.enabled(name)]
    failed = [name for name in names if not services.graceful_kill(name)]
    return 1 if failed else 0


def _status(arguments: Sequence[str]) -> int:
    names = _chosen(arguments)
    for name in names:
        print(services.describe(name))
    return 3 if any(services.pid_of(name) == 0 for name in names) else 0


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
    running = running_config()
    if running is None:
        raise StandinError(f"{RUNNING} is missing: run chef-server-ctl reconfigure first")
    expected = [name for name in services.all_services() if services.enabled(name)]
    if running["private_chef"]["keepalived"]["enable"] and keepalived.status() != "master":
        expected = []
    down = [name for name in expected if services.pid_of(name) == 0]
    for name in down:
        print(f"{name} is not running")
    print(f"\n{len(expected)} examples, {len(down)} failures")
    return 1 if down else 0


def _organizations(name: str) -> Callable[[Sequence[str]], int]:
    def run(arguments: Sequence[str]) -> int:
        from . import organizations  # noqa: PLC0415 - as above

        return organizations.COMMANDS[name](arguments)

    return run


COMMANDS = {
    "user-create": command.Command("Create a user.", _organizations("user-create")),
    "user-delete": command.Command("Delete a user.", _organizations("user-delete")),
    "user-list": command.Command("List users.", _organizations("user-list")),
    "org-create": command.Command("Create an organization, with its first user.", _organizations("org-create")),
    "org-delete": command.Command("Delete an organization.", _organizations("org-delete")),
    "org-list": command.Command("List organizations.", _organizations("org-list")),
    "org-user-add": command.Command("Associate a user with an organization.", _organizations("org-user-add")),
    "reconfigure": command.Command("Reconfigure the application.", _reconfigure),
    "start": command.Command("Start services if they are down, and restart them if they stop.", _control("start")),
    "stop": command.Command("Stop the services, and do not restart them.", _control("stop")),
    "hup": command.Command("Send the services a HUP.", _control("hup")),
    "int": command.Command("Send the services an INT.", _control("int")),
    "term": command.Command("Send the services a TERM.", _control("term")),
    "kill": command.Command("Send the services a KILL.", _control("kill")),
    "restart": command.Command("Stop the services if they are running, then start them again.", _control("restart")),
    "graceful-kill": command.Command("Stop the services, with SIGKILL if need be.", _graceful_kill),
    "status": command.Command("Show the status of all the services.", _status),
    "service-list": command.Command("List all the services (enabled services appear with a *).", _service_list),
    "test": command.Command("Check that the services run (the real one runs an API test suite).", _test),
    "show-secret": command.Command("Show the value of the given secret in the secret store.", _show_secret),
    "remove-secret": command.Command("Remove secret NAME of GROUP.", _remove_secret),
    "ha-status": command.Command(
        "Show the status of high availability services.", lambda _: keepalived.ha_status(running_config())
    ),
    "master-recover": command.Command("Set this server to HA master state, ignoring VRRP.", _recover("master")),
    "backup-recover": command.Command("Set this server to HA backup state, ignoring VRRP.", _recover("backup")),
}


def main(arguments: Sequence[str]) -> int:
    """`arguments` starts with the name that the command was called by."""
    return command.run(os.path.basename(arguments[0]), arguments[1:], COMMANDS, version())


def erchef_main() -> int:
    from . import erchef  # noqa: PLC0415 - as above

    return erchef.main(version().split()[-1])
