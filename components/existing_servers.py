"""Servers that exist already, connected, their firewall checked; nothing is made, nothing is lost with the stack."""

from __future__ import annotations

import pulumi
import pulumi_command as command

from chef_push_jobs import scripts
from chef_push_jobs.config.settings import Settings
from chef_push_jobs.model.topology import Server
from chef_push_jobs.runbook import push_jobs
from chef_push_jobs.runbook.steps import fingerprint, meaning

from .connection import ConnectedServer, Reachable, ServerGroup, connect
from .short_trace import short_trace

LIMIT = 900
FIREWALL = next(step for step in push_jobs.STEPS if step.name == "firewall")


def check_firewall(settings: Settings) -> scripts.Script:
    """The script that checks the ports of push jobs on a server of the stack."""
    ports = push_jobs.ports(settings)
    if not settings.topology.frontends:
        del ports["api_port"]  # nobody but frontends comes in there
    return scripts.check_firewall(ports.values())


class ExistingServers(ServerGroup):
    """One connected server for each of the topology; `firewall` are the checks of their ports."""

    def __init__(self, name: str, settings: Settings, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("chef-push-jobs:index:ExistingServers", name, None, opts)
        self._settings = settings
        self.servers = {
            server.name: connect(settings, self._reachable(server), self) for server in settings.topology.servers
        }
        self.departures = {name: self._departure(name, server) for name, server in self.servers.items()}
        self.firewall = [self._check(server) for server in settings.topology.push_jobs_servers]
        self.register_outputs({})

    @short_trace()
    def _departure(self, name: str, server: ConnectedServer) -> command.remote.Command:
        """Push jobs leaves the server with it, if the stack says so.

        The resource is there either way, so that changing one's mind is an update: removing it would be to act.
        """
        script = scripts.uninstall().text if self._settings.config.uninstall_on_destroy else None
        return command.remote.Command(
            f"uninstall-{name}",
            connection=server.connection,
            delete=scripts.runner("uninstall", LIMIT, 0) if script else None,
            stdin=script,
            add_previous_output_in_env=False,
            logging=command.remote.Logging.NONE,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[server.connected]),
        )

    def _reachable(self, server: Server) -> Reachable:
        entry = self._settings.existing[server.name]
        address = str(entry.address)
        return Reachable(server, address, address, f"{address} {entry.host_key or ''}".strip(), entry.host_key)

    @short_trace()
    def _check(self, server: Server) -> command.remote.Command:
        connected = self.servers[server.name]
        script = check_firewall(self._settings)
        return command.remote.Command(
            f"firewall-{server.name}",
            connection=connected.connection,
            create=scripts.runner("firewall", LIMIT, 0),
            update=scripts.NOTHING,
            stdin=script.text,
            triggers=[fingerprint(meaning(FIREWALL.revision, script)), connected.connected.id],
            add_previous_output_in_env=False,
            logging=command.remote.Logging.NONE,
            opts=pulumi.ResourceOptions(parent=self),
        )
