"""Servers that exist already, connected, their firewall checked; nothing is made, nothing is lost with the stack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_command as command

from chef_push_jobs import scripts
from chef_push_jobs.config.stack_config import ServerEntry
from chef_push_jobs.model.topology import Server
from chef_push_jobs.runbook.steps import fingerprint

from .connection import ConnectArgs, ConnectedServer, Reachable, ServerGroup, connect
from .short_trace import short_trace

LIMIT = 900


@dataclass(frozen=True)
class ExistingServersArgs:
    """`servers` have an address each. `checked_ports` must be open on those of them that are in `checked_servers`.

    `uninstall`: push jobs leaves a server with it.
    """

    servers: Sequence[ServerEntry]
    connect: ConnectArgs
    checked_servers: Sequence[Server]
    checked_ports: Sequence[int]
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
            "ports": list(args.checked_ports),
            "uninstall": args.uninstall,
        }
        super().__init__("ExistingServers", name, props, opts, prefix)
        self._args = args
        self.servers = {entry.name: connect(args.connect, _reachable(entry), self) for entry in args.servers}
        self.departures = {name: self._departure(name, server) for name, server in self.servers.items()}
        self.firewall = [self._check(server) for server in args.checked_servers]
        self.register_outputs({"servers": self.summary})

    @short_trace()
    def _departure(self, name: str, server: ConnectedServer) -> command.remote.Command:
        """Push jobs leaves the server with it, if the stack says so.

        The resource is there either way, so that changing one's mind is an update: removing it would be to act.
        """
        script = scripts.uninstall() if self._args.uninstall else None
        return command.remote.Command(
            f"{self.prefix}uninstall-{name}",
            connection=server.connection,
            delete=scripts.runner("uninstall", LIMIT, 0) if script else None,
            stdin=script,
            add_previous_output_in_env=False,
            logging=command.remote.Logging.NONE,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[server.connected]),
        )

    @short_trace()
    def _check(self, server: Server) -> command.remote.Command:
        connected = self.servers[server.name]
        script = scripts.check_firewall(self._args.checked_ports)
        return command.remote.Command(
            f"{self.prefix}firewall-{server.name}",
            connection=connected.connection,
            create=scripts.runner("firewall", LIMIT, 0),
            update=scripts.NOTHING,
            stdin=script,
            triggers=[fingerprint(script), connected.connected.id],
            add_previous_output_in_env=False,
            logging=command.remote.Logging.NONE,
            opts=self.child_opts,
        )


def _reachable(entry: ServerEntry) -> Reachable:
    address, server = str(entry.address), Server(entry.name, entry.fqdn, entry.role)
    return Reachable(server, address, address, f"{address} {entry.host_key or ''}".strip(), entry.host_key)
