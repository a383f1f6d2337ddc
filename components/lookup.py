"""Asks AWS for what the stack takes as given, before anything is made; what must hold of it is in `premises.py`."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components import premises
from components.premises import FoundSubnet, Premises
from components.problems import report
from components.settings import Settings

HAVE_ADDRESS = ["pending", "running", "stopping", "stopped"]


def look_up(settings: Settings) -> Premises:
    """Raises pulumi.RunError, which is shown without a stack trace, with every problem."""
    found = _found(settings)
    if wrong := premises.problems(settings, found):
        raise pulumi.RunError(report(wrong))
    return found


def _found(settings: Settings) -> Premises:
    network = settings.file.network
    if network.vpc_id is None:
        zones = aws.get_availability_zones(state="available").names if network.zones else []
        return Premises(zones=zones)
    vpcs = aws.ec2.get_vpcs(filters=[{"name": "vpc-id", "values": [network.vpc_id]}]).ids
    wanted = [id for ids in premises.named_subnets(settings).values() for id in ids]
    # Those that there are: the look-up of one that there is not would end the program with the plugin's own words.
    there = aws.ec2.get_subnets(filters=[{"name": "subnet-id", "values": wanted}]).ids
    return Premises(bool(vpcs), {id: _subnet(id, settings) for id in there})


def _subnet(id: str, settings: Settings) -> FoundSubnet:
    found = aws.ec2.get_subnet(id=id)
    ours = aws.ec2.get_instances(
        filters=[
            {"name": "subnet-id", "values": [id]},
            {
                "name": "tag:Fqdn",
                "values": [*(server.fqdn for server in settings.topology.servers), settings.bastion_fqdn],
            },
        ],
        instance_state_names=HAVE_ADDRESS,
    ).ids
    count = int(found.available_ip_address_count)
    return FoundSubnet(id, found.vpc_id, found.availability_zone, found.cidr_block, count, len(ours))
