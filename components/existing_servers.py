"""Servers that exist already, connected, their firewall checked; nothing is made, nothing is lost with the stack."""

from __future__ import annotations

import pulumi
import pulumi_command as command

from chef_push_jobs import scripts
from chef_push_jobs.model.topology import Server
from chef_push_jobs.runbook.plan import StackPlan, TaskId

from .connection import ConnectedServer, Reachable, ServerGroup, connect
from .short_trace import short_trace


class ExistingServers(ServerGroup):
    """One connected server for each of the topology; `firewall` are the checks of their ports."""

    def __init__(self, name: str, plan: StackPlan, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("chef-push-jobs:index:ExistingServers", name, None, opts)
        self._plan, topology = plan, plan.topology
        self.servers = {server.name: connect(plan, self._reachable(server), self) for server in topology.servers}
        self.departures = {name: self._departure(name, server) for name, server in self.servers.items()}
        self.firewall = [self._check(server) for server in topology.push_jobs_servers]
        self.register_outputs({})

    @short_trace()
    def _departure(self, name: str, server: ConnectedServer) -> command.remote.Command:
        """Push jobs leaves the server with it, if the stack says so.

        The resource is there either way, so that changing one's mind is an update: removing it would be to act.
        """
        task, wanted = self._plan.tasks[TaskId("", "uninstall", name)], self._plan.settings.config.uninstall_on_destroy
        return command.remote.Command(
            str(task),
            connection=server.connection,
            delete=task.command if wanted else None,
            stdin=task.script(self._plan.context).text if wanted else None,
            add_previous_output_in_env=False,
            logging=command.remote.Logging.NONE,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[server.connected]),
        )

    def _reachable(self, server: Server) -> Reachable:
        entry = self._plan.settings.existing[server.name]
        address = str(entry.address)
        return Reachable(server, address, address, f"{address} {entry.host_key or ''}".strip(), entry.host_key)

    @short_trace()
    def _check(self, server: Server) -> command.remote.Command:
        connected = self.servers[server.name]
        task = self._plan.tasks[TaskId("", "firewall", server.name)]
        return command.remote.Command(
            str(task),
            connection=connected.connection,
            create=task.command,
            update=scripts.NOTHING,
            stdin=task.script(self._plan.context).text,
            triggers=[task.fingerprint(self._plan.context), connected.connected.id],
            add_previous_output_in_env=False,
            logging=command.remote.Logging.NONE,
            opts=pulumi.ResourceOptions(parent=self),
        )
