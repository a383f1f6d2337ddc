"""Asks AWS about existing resources, before the stack creates any; `chef_push_jobs/network/` judges the answers."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from chef_push_jobs.config.settings import Settings
from chef_push_jobs.model.problems import report
from chef_push_jobs.network import existing_network
from chef_push_jobs.network.existing_network import ExistingNetwork, ExistingSubnet

from .lookups import looked_up

HAVE_ADDRESS = ["pending", "running", "stopping", "stopped"]


def fetch_existing_network(settings: Settings, parent: pulumi.Resource | None = None) -> ExistingNetwork:
    """Asks with the provider of `parent`.

    Raises pulumi.RunError with every problem, which is shown without a stack trace.
    """
    with looked_up("network.zones" if settings.config.network.vpc_id is None else "network.vpcId"):
        found = _found(settings, pulumi.InvokeOptions(parent=parent))
    if wrong := existing_network.problems(settings, found):
        raise pulumi.RunError(report(wrong))
    return found


def _found(settings: Settings, opts: pulumi.InvokeOptions) -> ExistingNetwork:
    network = settings.config.network
    if network.vpc_id is None:
        zones = aws.get_availability_zones(state="available", opts=opts).names if network.zones else []
        return ExistingNetwork(zones=zones)
    vpcs = aws.ec2.get_vpcs(filters=[{"name": "vpc-id", "values": [network.vpc_id]}], opts=opts).ids
    wanted = [id for ids in existing_network.named_subnets(settings).values() for id in ids]
    # Plural look-ups: a singular one that finds nothing would end the program with the plugin's own message.
    there = aws.ec2.get_subnets(filters=[{"name": "subnet-id", "values": wanted}], opts=opts).ids
    return ExistingNetwork(bool(vpcs), {id: _subnet(id, settings, opts) for id in there})


def _subnet(id: str, settings: Settings, opts: pulumi.InvokeOptions) -> ExistingSubnet:
    found = aws.ec2.get_subnet(id=id, opts=opts)
    ours = aws.ec2.get_instances(
        filters=[
            {"name": "subnet-id", "values": [id]},
            {
                "name": "tag:Fqdn",
                "values": [*(server.fqdn for server in settings.topology.servers), settings.bastion_fqdn],
            },
        ],
        instance_state_names=HAVE_ADDRESS,
        opts=opts,
    ).ids
    count = int(found.available_ip_address_count)
    return ExistingSubnet(id, found.vpc_id, found.availability_zone, found.cidr_block, count, len(ours))
