"""Servers that exist already, connected, their firewall checked; nothing is made, nothing is lost with the stack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_command as command

from chef_push_jobs import scripts
from chef_push_jobs.config.stack_config import ServerEntry
from chef_push_jobs.model.topology import Server

from .connection import ConnectArgs, ConnectedServer, Reachable, ServerGroup, ServerTask, connect
from .short_trace import short_trace


@dataclass(frozen=True)
class ExistingServersArgs:
    """`servers` have an address each. `checks` look at the firewall of those that run push jobs, by their names.

    `departures` take push jobs off a server that leaves the stack; with `uninstall` only.
    """

    servers: Sequence[ServerEntry]
    connect: ConnectArgs
    checks: Mapping[str, ServerTask]
    departures: Mapping[str, ServerTask]
    uninstall: bool


class ExistingServers(ServerGroup):
    """`firewall` are the checks of the push jobs ports, one a server that runs it."""

    def __init__(
        self,
        name: str,
        args: ExistingServersArgs,
        opts: pulumi.ResourceOptions | None = None,
        *,
        prefix: str | None = None,
    ) -> None:
        props = {
            "servers": {entry.name: str(entry.address) for entry in args.servers},
            "uninstall": args.uninstall,
        }
        super().__init__("ExistingServers", name, props, opts, prefix)
        self._args = args
        self.servers = {entry.name: connect(args.connect, _reachable(entry), self) for entry in args.servers}
        self.departures = {name: self._departure(name, server) for name, server in self.servers.items()}
        self.firewall = [self._check(server, task) for server, task in args.checks.items()]
        self.register_outputs({"servers": self.summary})

    @short_trace()
    def _departure(self, name: str, server: ConnectedServer) -> command.remote.Command:
        """Push jobs leaves the server with it, if the stack says so.

        The resource is there either way, so that changing one's mind is an update: removing it would be to act.
        """
        task, wanted = self._args.departures[name], self._args.uninstall
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
    def _check(self, server: str, task: ServerTask) -> command.remote.Command:
        connected = self.servers[server]
        return command.remote.Command(
            f"{self.prefix}{task.name}",
            connection=connected.connection,
            create=task.command,
            update=scripts.NOTHING,
            stdin=task.script,
            triggers=[*task.triggers, connected.connected.id],
            add_previous_output_in_env=False,
            logging=command.remote.Logging.NONE,
            opts=self.child_opts,
        )


def _reachable(entry: ServerEntry) -> Reachable:
    address, server = str(entry.address), Server(entry.name, entry.fqdn, entry.role)
    return Reachable(server, address, address, f"{address} {entry.host_key or ''}".strip(), entry.host_key)
