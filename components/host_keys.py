"""Host keys of servers and bastions: pinned at the first connection, required from then on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import pulumi
import pulumi_command as command

from chef_push_jobs import scripts
from chef_push_jobs.model.ssh_keys import (
    KINDS,
    fingerprint,
    is_fingerprint,
    is_of,
    known_by,
    printed_host_keys,
)

from .program_end import Refused

COMMANDS = ("command:remote:Command", "command:remote:CopyToRemote")
# Changes of these inputs do not ask again for the host key: only a different machine does.
_ASKED_ONCE = ["connection", "create", "addPreviousOutputInEnv", "logging"]


@dataclass(frozen=True)
class Bastion:
    """The bastion in front of the servers: created by the stack, or existing. `host_key` is an OpenSSH line."""

    host: pulumi.Input[str]
    port: int
    user: str
    host_key: pulumi.Input[str]

    @property
    def summary(self) -> dict[str, pulumi.Input[str] | int]:
        """The bastion in a stack's outputs, in the form of the settings of ssh.proxy."""
        return {"host": self.host, "port": self.port, "user": self.user, "hostKey": self.host_key}


def pinned_key(wanted: str | None) -> str | None:
    """The key that the first connection can already require, or None."""
    return None if wanted is None or is_fingerprint(wanted) else wanted


def meet(
    name: str,
    connection: command.remote.ConnectionArgs,
    identity: pulumi.Input[str],
    wanted: str | None,
    opts: pulumi.ResourceOptions,
) -> pulumi.Output[str]:
    """The host key that the server at `connection` prints; asks again only if `identity` changes.

    `wanted` is a key or a fingerprint. A server that prints a key that it does not hold is never reached again, because
    every later connection requires that key.
    """
    asked = command.remote.Command(
        name,
        connection=connection,
        create=scripts.HOST_KEY,
        triggers=[identity],
        add_previous_output_in_env=False,
        logging=command.remote.Logging.NONE,
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(ignore_changes=_ASKED_ONCE)),
    )
    known = asked.stdout.apply(partial(_told, name, wanted))
    return pulumi.Output.from_input(pinned_key(wanted) or known)


def _told(name: str, wanted: str | None, printed: str) -> str:
    """The printed key. Raises Refused if it is not the wanted one, or if there is none."""
    keys = printed_host_keys(printed)
    if not keys:
        raise Refused(
            f"{name}: no host key was printed\nRule: the server must print at least one host key of type "
            f"{', '.join(KINDS)}, and its login shell must run commands.\nDo:   create the key with `sudo "
            "ssh-keygen -A`, or correct the shell, and set servers[…].hostKey, ssh.hostKeys or "
            "ssh.proxy.hostKey to the key's fingerprint (docs/operations.md, New host keys)."
        )
    if not wanted:
        return keys[0]
    found = next((key for key in keys if is_of(wanted, key)), None)
    if found is None:
        raise Refused(changed_key(name, known_by(wanted), fingerprint(keys[0])))
    return found


def changed_key(who: str, pinned: str, shown: str) -> str:
    return (
        f"{who}: the host key is {shown}, not {pinned}\nRule: a server is known by its host key: it was "
        "reinstalled, or another machine answers in its place.\nDo:   compare it with `ssh-keygen -l -f` of "
        "/etc/ssh/ssh_host_*_key.pub on the server's console. Only if it is the server's own, set "
        f"servers[…].hostKey, ssh.hostKeys or ssh.proxy.hostKey to {shown}: see New host keys in "
        "docs/operations.md."
    )
