"""Existing servers: connects to them and checks their firewall. Creates and deletes none of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_command as command

from chef_push_jobs import scripts
from chef_push_jobs.config.stack_config import Ssh
from chef_push_jobs.model.topology import Server

from .bastion import existing_bastion
from .connection import ConnectedServer, Reachable, ServerCommand, ServerGroup, connect
from .one_machine_each import one_machine_each
from .short_trace import short_trace
from .triggers import kept, triggers


@dataclass(frozen=True)
class ExistingServerArgs:
    """A server at `address`, and the address at which the others reach it, if it differs.

    `host_key` is as in `Reachable`. `check_firewall` is given if push jobs runs there.
    """

    server: Server
    address: str
    private_address: str | None
    host_key: str | None
    connect: ServerCommand
    check_firewall: ServerCommand | None
    uninstall: ServerCommand


@dataclass(frozen=True)
class ExistingServersArgs:
    """If it `uninstalls`, push jobs is removed from a server together with its resources."""

    servers: Sequence[ExistingServerArgs]
    ssh: Ssh
    uninstalls: bool


class ExistingServers(ServerGroup):
    """`firewall` are the checks of the push jobs ports, one per server that runs push jobs."""

    def __init__(
        self,
        name: str,
        args: ExistingServersArgs,
        opts: pulumi.ResourceOptions | None = None,
        *,
        prefix: str | None = None,
    ) -> None:
        addresses = {each.server.name: each.address for each in args.servers}
        super().__init__("ExistingServers", name, {"servers": addresses, "uninstalls": args.uninstalls}, opts, prefix)
        self.bastion = existing_bastion(args.ssh, self)
        self.servers = one_machine_each(
            {each.server.name: connect(args.ssh, _reachable(each), self, self.bastion) for each in args.servers}
        )
        self.departures = {
            each.server.name: self._departure(each.uninstall, self.servers[each.server.name], args.uninstalls)
            for each in args.servers
        }
        self.firewall = [
            self._check(each.check_firewall, self.servers[each.server.name])
            for each in args.servers
            if each.check_firewall
        ]
        self.register_outputs(self.outputs)

    @short_trace()
    def _departure(self, task: ServerCommand, server: ConnectedServer, wanted: bool) -> command.remote.Command:
        """Removes push jobs from the server when it is deleted, if the stack says so.

        The resource exists in both cases, so that changing this setting is an update. Deleting it would act.
        """
        return command.remote.Command(
            f"{self.prefix}{task.name}",
            connection=server.connection,
            delete=task.command if wanted else None,
            stdin=task.script if wanted else None,
            add_previous_output_in_env=False,
            logging=command.remote.Logging.NONE,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[server.connected]),
        )

    @short_trace()
    def _check(self, task: ServerCommand, server: ConnectedServer) -> command.remote.Command:
        return command.remote.Command(
            f"{self.prefix}{task.name}",
            connection=server.connection,
            create=task.command,
            update=scripts.NOTHING,
            stdin=task.script,
            triggers=triggers(task.repair, task.fingerprint, server.connected.id),
            add_previous_output_in_env=False,
            logging=command.remote.Logging.NONE,
            opts=pulumi.ResourceOptions.merge(self.child_opts, kept(task.repair)),
        )


def _reachable(args: ExistingServerArgs) -> Reachable:
    identity = f"{args.address} {args.host_key or ''}".strip()
    private = args.private_address or args.address
    return Reachable(args.server, args.address, private, identity, args.connect, args.host_key)
