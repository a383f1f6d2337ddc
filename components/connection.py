"""Servers that tasks can run on: how the operator reaches them, and the task that prepares each and finds its keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pulumi
import pulumi_command as command

from chef_push_jobs.config.stack_config import Ssh
from chef_push_jobs.model.topology import Server
from chef_push_jobs.runbook.script_context import ServerIdentity

from .component import Component
from .host_keys import Bastion, meet, pinned_key
from .program_end import Refused
from .short_trace import short_trace
from .triggers import kept, triggers


@dataclass(frozen=True)
class ConnectedServer:
    """A server that tasks can run on. `connection` pins its host key; `connected` is the task that prepared it."""

    server: Server
    address: pulumi.Input[str]
    connection: command.remote.ConnectionArgs
    connected: command.remote.Command
    facts: pulumi.Output[ServerIdentity]

    @property
    def summary(self) -> dict[str, pulumi.Input[str]]:
        """The server in a stack's outputs."""
        return {
            "fqdn": self.server.fqdn,
            "role": str(self.server.role),
            "address": self.address,
            "hostKey": self.facts.apply(lambda known: known.host_key),
        }


def connection(
    ssh: Ssh, address: pulumi.Input[str], host_key: pulumi.Input[str] | None, bastion: Bastion | None
) -> command.remote.ConnectionArgs:
    """How the operator reaches the server at `address`; without `host_key` (an OpenSSH line), any key is accepted.

    `bastion` is the one on the way, if any.
    """
    key = ssh.private_key.get_secret_value() if ssh.private_key else None
    return command.remote.ConnectionArgs(
        host=address,
        port=ssh.port,
        user=ssh.user,
        private_key=key,
        host_key=host_key,
        dial_error_limit=ssh.dial_error_limit,
        per_dial_timeout=ssh.per_dial_timeout,
        proxy=None
        if bastion is None
        else command.remote.ProxyConnectionArgs(
            host=bastion.host,
            port=bastion.port,
            user=bastion.user,
            private_key=key,
            host_key=bastion.host_key,
            dial_error_limit=ssh.dial_error_limit,
            per_dial_timeout=ssh.per_dial_timeout,
        ),
    )


class ServerGroup(Component):
    """Connected `servers`, by name; `bastion` is the way to them, if there is one.

    `departures` run when a server leaves the stack, by its name; a machine that is deleted too needs none. A server's
    tasks depend on its departure, so they are deleted first: if the departure fails, the state contains no task that
    the next run would consider done.
    """

    servers: Mapping[str, ConnectedServer]
    bastion: Bastion | None
    departures: Mapping[str, pulumi.CustomResource]

    @property
    def outputs(self) -> dict[str, pulumi.Input[Any]]:
        """The servers and the bastion in a stack's outputs."""
        servers = {name: server.summary for name, server in self.servers.items()}
        return {"servers": servers, **({"bastion": self.bastion.summary} if self.bastion else {})}


@dataclass(frozen=True)
class ServerCommand:
    """A task that belongs to a server itself: `command` gets `script` as its input.

    `name` does not contain the cluster's. `fingerprint` is a digest of what it does; a different `repair` runs it
    again.
    """

    name: str
    command: str
    script: str
    fingerprint: str
    repair: str = ""


@dataclass(frozen=True)
class Reachable:
    """A server that answers SSH at `address`, and its peers at `private_address`.

    `identity` changes when another machine takes its place. `host_key` is a key, a fingerprint, or None to trust the
    first one. `connect` prepares the server for tasks and prints its copy key. `volume` is as in its facts. Its tasks
    wait for the resources in `after`.
    """

    server: Server
    address: pulumi.Input[str]
    private_address: pulumi.Input[str]
    identity: pulumi.Input[str]
    connect: ServerCommand
    host_key: str | None = None
    volume: pulumi.Input[str] = ""
    after: Sequence[pulumi.Resource] = ()


def _facts(server: str, task: str, found: tuple[str, str, str, str]) -> ServerIdentity:
    try:
        return ServerIdentity.parse(*found)
    except ValueError as error:
        raise Refused(
            f"{task}: {error}\nRule: the login shell of ssh.user must not print anything without a "
            f"terminal.\nDo:   correct its start-up files on {server}, then set repair.{task} to any new value."
        ) from None


@short_trace()
def connect(ssh: Ssh, reachable: Reachable, parent: Component, bastion: Bastion | None = None) -> ConnectedServer:
    """Finds out the server's host key, and prepares it for tasks."""
    task = reachable.connect
    host_key = meet(
        f"{parent.prefix}host-key-{reachable.server.name}",
        connection(ssh, reachable.address, pinned_key(reachable.host_key), bastion),
        reachable.identity,
        reachable.host_key,
        pulumi.ResourceOptions(parent=parent, depends_on=reachable.after),
    )
    pinned = connection(ssh, reachable.address, host_key, bastion)
    connected = command.remote.Command(
        f"{parent.prefix}{task.name}",
        connection=pinned,
        create=task.command,
        stdin=task.script,
        triggers=triggers(task.repair, reachable.identity),
        add_previous_output_in_env=False,
        logging=command.remote.Logging.NONE,
        opts=pulumi.ResourceOptions.merge(
            pulumi.ResourceOptions(parent=parent, depends_on=reachable.after), kept(task.repair)
        ),
    )
    known = pulumi.Output.all(reachable.private_address, host_key, connected.stdout, reachable.volume)
    facts = known.apply(partial(_facts, reachable.server.name, task.name))
    return ConnectedServer(reachable.server, reachable.address, pinned, connected, facts)
