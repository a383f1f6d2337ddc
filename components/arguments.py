"""Makes each component's typed arguments, from the settings and from what was created before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws

from chef_push_jobs.config.settings import Settings
from chef_push_jobs.engine.turns import Patience
from chef_push_jobs.model.topology import Role, Server
from chef_push_jobs.network.existing_network import ExistingNetwork
from chef_push_jobs.network.security_groups import egress_rules, groups, groups_of, ingress_rules
from chef_push_jobs.runbook.plan import StackPlan, TaskId

from .connection import ServerCommand
from .existing_servers import ExistingServerArgs, ExistingServersArgs
from .high_availability import HighAvailability, HighAvailabilityArgs
from .load_balancer import EXISTING_HEALTH_SECONDS, HEALTH_SECONDS, LoadBalancerArgs, ManagedLoadBalancerArgs
from .network import Network, NetworkArgs
from .rolling import RollingArgs
from .servers import BastionArgs, MachineArgs, ServerArgs, Servers, ServersArgs
from .vpc import ManagedVpcArgs, PlacedSubnet, Vpc


def existing_servers_args(plan: StackPlan) -> ExistingServersArgs:
    entries, running = plan.settings.existing, plan.topology.push_jobs_servers
    servers = [
        ExistingServerArgs(
            server=server,
            address=str(entries[server.name].address),
            private_address=entries[server.name].private_address,
            host_key=plan.settings.host_key(server.name),
            connect=_server_command(plan, "connect", server),
            check_firewall=_server_command(plan, "firewall", server) if server in running else None,
            uninstall=_server_command(plan, "uninstall", server),
        )
        for server in plan.topology.servers
    ]
    return ExistingServersArgs(servers, plan.settings.config.ssh, plan.settings.config.uninstall_on_destroy)


def _server_command(plan: StackPlan, step: str, server: Server) -> ServerCommand:
    task = plan.tasks[TaskId("", step, server.name)]
    script = task.script(plan.context).text
    return ServerCommand(
        name=str(task),
        command=task.command(script),
        script=script,
        fingerprint=task.fingerprint(plan.context),
        repair=plan.settings.repair(str(task)),
    )


def callers(settings: Settings) -> tuple[str, ...]:
    """The servers whose public addresses security group rules refer to."""
    return tuple(dict.fromkeys(rule.server for rule in ingress_rules(settings) if rule.server is not None))


def network_args(
    settings: Settings, found: ExistingNetwork, public_addresses: Mapping[str, pulumi.Input[str]]
) -> NetworkArgs:
    config = settings.config
    if config.network.vpc_id is None:
        vpc: ManagedVpcArgs | Vpc = ManagedVpcArgs(config.vpc_cidr, settings.subnets, config.network.nat, config.tags)
    else:
        vpc = _existing_vpc(settings, found)
    rules = [*ingress_rules(settings)], [*egress_rules(settings)]
    return NetworkArgs(vpc, groups(settings), *rules, config.tags, public_addresses)


def _existing_vpc(settings: Settings, found: ExistingNetwork) -> Vpc:
    network = settings.config.network

    def placed(ids: Sequence[str]) -> list[PlacedSubnet]:
        return [PlacedSubnet(id, found.subnets[id].zone) for id in ids]

    servers = {
        Role.BACKEND: placed([str(network.backend_subnet_id)]),
        Role.FRONTEND: placed(network.frontend_subnet_ids),
    }
    return Vpc(str(network.vpc_id), servers, placed(network.public_subnet_ids))


def high_availability_args(
    settings: Settings, network: Network, backends: Sequence[pulumi.Output[aws.ec2.Instance]]
) -> HighAvailabilityArgs:
    chosen, primary = settings.config.high_availability, settings.topology.primary
    assert chosen is not None and settings.vip is not None
    subnet = _subnet(settings, network, primary)
    return HighAvailabilityArgs(
        vip=settings.vip,
        volume_size=chosen.volume_size,
        device=chosen.device,
        subnet_id=subnet.id,
        availability_zone=subnet.availability_zone,
        backends=backends,
        instance_profile=chosen.instance_profile,
        permissions_boundary=chosen.permissions_boundary,
        tags=settings.config.tags,
    )


def _subnet(settings: Settings, network: Network, server: Server) -> PlacedSubnet:
    """Backends share one; frontends are spread over theirs."""
    subnets = network.vpc.servers[server.role]
    tier = [each for each in settings.topology.servers if each.role is server.role]
    return subnets[tier.index(server) % len(subnets)]


def servers_args(
    plan: StackPlan, network: Network, availability: HighAvailability | None, image_id: pulumi.Input[str]
) -> ServersArgs:
    settings, config = plan.settings, plan.settings.config

    def server_args(server: Server) -> ServerArgs:
        failover = availability if server.role is Role.BACKEND else None
        machine = MachineArgs(
            fqdn=server.fqdn,
            subnet=_subnet(settings, network, server),
            security_group_ids=[network.security_groups[tier].id for tier in groups_of(server, settings.topology)],
            instance_type=config.machines.instance_type,
            volume_size=config.machines.volume_size,
            has_public_address=settings.has_public_address(server),
            instance_profile=failover.instance_profile if failover else None,
            # Also for frontends: AWS must not give one the address that moves.
            depends_on=availability.before_machines if availability else (),
        )
        volume = failover.volume_id if failover and server == settings.topology.primary else ""
        return ServerArgs(
            server,
            machine,
            connect=_server_command(plan, "connect", server),
            host_key=settings.host_key(server.name),
            volume_id=volume,
            before_tasks=failover.before_tasks if failover else (),
        )

    return ServersArgs(
        servers=[server_args(server) for server in settings.topology.servers],
        ssh=config.ssh,
        image=config.machines.image,
        image_id=image_id,
        architecture=config.machines.architecture,
        public_key=settings.public_key,
        key_name=config.ssh.key_name,
        protect=config.protect,
        tags=config.tags,
        metadata=config.machines.metadata,
        rolling=RollingArgs(settings.topology, Patience(health=_health_seconds(settings)), config.allow_downtime),
        bastion=_bastion_args(settings, network),
    )


def _health_seconds(settings: Settings) -> int:
    if settings.config.entry.target_group_arn:
        return EXISTING_HEALTH_SECONDS
    return HEALTH_SECONDS if settings.makes_load_balancer else 0


def _bastion_args(settings: Settings, network: Network) -> BastionArgs | None:
    """The bastion is in a public subnet and has an address there, whichever one operators use."""
    bastion = settings.config.bastion
    if bastion is None:
        return None
    machine = MachineArgs(
        fqdn=settings.bastion_fqdn,
        subnet=network.vpc.public[0],
        security_group_ids=[network.security_groups["bastion"].id],
        instance_type=bastion.instance_type,
        volume_size=bastion.volume_size,
        has_public_address=True,
    )
    return BastionArgs(machine, bastion.address)


def load_balancer_args(settings: Settings, network: Network, servers: Servers) -> LoadBalancerArgs:
    entry, vpc = settings.config.entry, network.vpc
    managed = None
    if settings.makes_load_balancer:
        tier = Role.FRONTEND if settings.topology.frontends else Role.BACKEND
        managed = ManagedLoadBalancerArgs(
            internal=entry.load_balancer == "internal",
            vpc_id=vpc.id,
            subnet_ids=[subnet.id for subnet in (vpc.public if entry.load_balancer == "public" else vpc.servers[tier])],
            security_group_id=network.security_groups["load-balancer"].id,
            protect=settings.config.protect,
            targets_call=not settings.topology.frontends,
            zone_id=entry.record.zone_id if entry.record else None,
            depends_on=vpc.public[0].ready if vpc.public else (),
        )
    targets = {server.name: servers.machines[server.name].id for server in settings.entry_servers}
    return LoadBalancerArgs(settings.api_fqdn, targets, settings.config.tags, managed, entry.target_group_arn)
