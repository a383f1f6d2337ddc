"""The table of moto's methods that the sandbox patches, to be as strict as EC2 and to run a host for each instance.

Without the checks, a program that deletes in the wrong order, or uses something that does not exist, passes on the
sandbox and fails on AWS. Import this only after moto's settings are set, as `api_server.serve` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

from moto.ec2.models import ec2_backends
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.responses import instances as instance_requests
from moto.ec2.responses.subnets import Subnets
from moto.elbv2.models import ELBv2Backend
from moto.server import ThreadedMotoServer

from sandbox.aws import host_firewalls, instances, load_balancers, moto_fixes, request_interceptor
from sandbox.aws.amis import ACCOUNT
from sandbox.aws.ec2_validation import attachments, compute, edge, networks
from sandbox.aws.fault_injection import Faults
from sandbox.aws.host_firewalls import HostFirewalls
from sandbox.aws.instances import Instances
from sandbox.aws.moto_wrapping import Wrap, install
from sandbox.paths import ACTIONS_FILE, FAULTS_FILE, REGION

LOCKED = (  # not changed, but must not run while something else changes what they iterate over
    *("describe_network_interfaces", "describe_route_tables", "describe_security_groups", "describe_subnets"),
    *("describe_security_group_rules", "disassociate_route_table", "replace_route_table_association", "create_tags"),
    *("delete_route", "delete_key_pair", "delete_network_interface", "create_volume", "delete_volume"),
)


class Hosts(host_firewalls.Hosts, instances.Hosts, Protocol):
    """The part of `sandbox.hosts.host.Hosts` that the cloud uses."""


def methods(lifecycle: Instances, firewalls: HostFirewalls) -> Mapping[str, Wrap]:
    """Every patched method of EC2, with its checks and fixes."""
    refresh = firewalls.refresh
    return {
        **{name: Wrap() for name in LOCKED},
        "create_vpc": Wrap(networks.network_address),
        "delete_vpc": Wrap(networks.vpc_unused),
        "create_subnet": Wrap(networks.subnet_sized),
        "delete_subnet": Wrap(edge.subnet_without_balancer, fix=moto_fixes.subnet_forgotten),
        "attach_internet_gateway": Wrap(networks.vpc_without_gateway),
        "detach_internet_gateway": Wrap(edge.gateway_without_balancer),
        "create_nat_gateway": Wrap(edge.nat_possible, fix=edge.nat_addressed),
        "delete_nat_gateway": Wrap(edge.nat_exists, fix=edge.nat_forgotten),
        "release_address": Wrap(edge.address_unused),
        "delete_route_table": Wrap(networks.route_table_not_main),
        "associate_route_table": Wrap(networks.association_new),
        "create_route": Wrap(networks.gateway_reachable),
        "replace_route": Wrap(networks.gateway_reachable),
        "attach_volume": Wrap(attachments.volume_free),
        "detach_volume": Wrap(attachments.volume_attached, fix=lifecycle.volume_detached),
        "assign_private_ip_addresses": Wrap(attachments.address_movable, fix=attachments.address_moved, then=refresh),
        "import_key_pair": Wrap(compute.key_usable),
        "create_security_group": Wrap(compute.security_group_in_vpc),
        "delete_security_group": Wrap(edge.security_group_without_balancer),
        "authorize_security_group_ingress": Wrap(compute.ingress_rule_new, then=refresh),
        "authorize_security_group_egress": Wrap(compute.egress_rule_new, then=refresh),
        "revoke_security_group_ingress": Wrap(then=refresh),
        "revoke_security_group_egress": Wrap(then=refresh),
        "modify_security_group_rules": Wrap(compute.rules_exist, instead=moto_fixes.modify_rules, then=refresh),
        "run_instances": Wrap(
            compute.instance_possible, fix=(moto_fixes.interface_of_instance, lifecycle.launched), then=refresh
        ),
        "terminate_instances": Wrap(instead=lifecycle.terminate),
        "stop_instances": Wrap(compute.instances_stoppable, instead=lifecycle.stop, then=refresh),
        "start_instances": Wrap(instead=lifecycle.start),
        "reboot_instances": Wrap(instead=lifecycle.reboot),
        "modify_instance_attribute": Wrap(compute.instance_stopped),
        "modify_instance_security_groups": Wrap(
            compute.security_groups_of_instance, fix=moto_fixes.groups_of_interface, then=refresh
        ),
    }


BALANCER_METHODS = {
    "create_load_balancer": Wrap(edge.balancer_possible),
    "delete_load_balancer": Wrap(edge.balancer_unprotected),
}


def start(hosts: Hosts, address: str, port: int, directory: Path, router: str = "") -> ThreadedMotoServer:
    """Starts serving; returns when requests are answered. Call it once per process.

    `directory` contains the interceptor's files. `router` is the network namespace in which load balancers listen;
    without it, none does.
    """
    moto_fixes.images_without_alias(
        ec2_backends[ACCOUNT][REGION]
    )  # also creates the backend: slow, so before any request
    attachments.instances_found_by_volume()
    firewalls = HostFirewalls(hosts)
    requests = instance_requests.InstanceResponse
    setattr(requests, "run_instances", moto_fixes.launch_protected(requests.run_instances))  # noqa: B010 - moto's own
    setattr(instance_requests, "parse_user_data", moto_fixes.user_data)  # noqa: B010 - moto does not export it
    reserve = moto_fixes.described_reservation(Subnets.create_subnet_cidr_reservation)
    setattr(Subnets, "create_subnet_cidr_reservation", reserve)  # noqa: B010 - moto's own
    associated = partial(moto_fixes.association, told=vars(NetworkInterface)["association"].fget)
    setattr(NetworkInterface, "association", property(associated))  # noqa: B010 - mypy knows moto's as read-only
    setattr(SecurityGroupRule, "__init__", moto_fixes.with_ports(SecurityGroupRule.__init__))  # noqa: B010 - as above
    setattr(SecurityGroupRule, "description", property(moto_fixes.description))  # noqa: B010 - moto's has no setter
    install(methods(Instances(hosts, firewalls), firewalls))
    request_interceptor.install(
        request_interceptor.RequestInterceptor(Faults(directory / FAULTS_FILE), directory / ACTIONS_FILE)
    )
    install(BALANCER_METHODS, ELBv2Backend)
    if router:
        load_balancers.Traffic(router, firewalls).start()
    server = ThreadedMotoServer(address, port, verbose=False)
    server.start()
    return server
