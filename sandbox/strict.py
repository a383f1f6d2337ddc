"""The methods of moto that the sandbox changes: as strict as EC2, and instances that are hosts. All of them here.

Without the guards a program that deletes in the wrong order, or uses what is not there, passes on the sandbox and
fails on AWS. Imported after moto's settings are made: by `cloud.serve`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from moto.ec2.models import ec2_backends
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.responses import instances as instance_requests
from moto.elbv2.models import ELBv2Backend
from moto.server import ThreadedMotoServer

from sandbox import attachments, filtering, gate, guards, guards_entry, guards_instances, instances, repairs
from sandbox.faults import Faults
from sandbox.filtering import Filtering
from sandbox.images import ACCOUNT
from sandbox.instances import Instances
from sandbox.paths import ACTIONS_FILE, FAULTS_FILE, REGION
from sandbox.wrapping import Wrap, install

LOCKED = (  # not changed, but they must not run while something else changes what they go through
    *("describe_network_interfaces", "describe_route_tables", "describe_security_groups", "describe_subnets"),
    *("describe_security_group_rules", "disassociate_route_table", "replace_route_table_association", "create_tags"),
    *("delete_route", "delete_key_pair", "delete_network_interface", "create_volume", "delete_volume"),
)


class Hosts(filtering.Hosts, instances.Hosts, Protocol):
    """The part of `sandbox.hosts.Hosts` that the cloud uses."""


def methods(lifecycle: Instances, filters: Filtering) -> Mapping[str, Wrap]:
    """Every wrapped method, and what with."""
    refresh = filters.refresh
    return {
        **{name: Wrap() for name in LOCKED},
        "create_vpc": Wrap(guards.network_address),
        "delete_vpc": Wrap(guards.vpc_unused),
        "create_subnet": Wrap(guards.subnet_sized),
        "delete_subnet": Wrap(guards_entry.subnet_without_balancer, repair=repairs.subnet_forgotten),
        "attach_internet_gateway": Wrap(guards.vpc_without_gateway),
        "detach_internet_gateway": Wrap(guards_entry.gateway_without_balancer),
        "create_nat_gateway": Wrap(guards_entry.nat_possible, repair=guards_entry.nat_addressed),
        "delete_nat_gateway": Wrap(guards_entry.nat_exists, repair=guards_entry.nat_forgotten),
        "release_address": Wrap(guards_entry.address_unused),
        "delete_route_table": Wrap(guards.route_table_not_main),
        "associate_route_table": Wrap(guards.association_new),
        "create_route": Wrap(guards.gateway_reachable),
        "replace_route": Wrap(guards.gateway_reachable),
        "attach_volume": Wrap(attachments.volume_free),
        "detach_volume": Wrap(attachments.volume_attached),
        "assign_private_ip_addresses": Wrap(attachments.address_movable, repair=attachments.address_moved),
        "import_key_pair": Wrap(guards_instances.key_usable),
        "create_security_group": Wrap(guards_instances.security_group_named),
        "delete_security_group": Wrap(guards_entry.security_group_without_balancer),
        "authorize_security_group_ingress": Wrap(guards_instances.ingress_rule_new, then=refresh),
        "authorize_security_group_egress": Wrap(guards_instances.egress_rule_new, then=refresh),
        "revoke_security_group_ingress": Wrap(then=refresh),
        "revoke_security_group_egress": Wrap(then=refresh),
        "modify_security_group_rules": Wrap(guards_instances.rules_exist, instead=repairs.modify_rules, then=refresh),
        "run_instances": Wrap(
            guards_instances.instance_possible, repair=(repairs.interface_of_instance, lifecycle.launched), then=refresh
        ),
        "terminate_instances": Wrap(instead=lifecycle.terminate),
        "stop_instances": Wrap(guards_instances.instances_stoppable, then=refresh),
        "start_instances": Wrap(instead=lifecycle.start),
        "reboot_instances": Wrap(instead=lifecycle.reboot),
        "modify_instance_attribute": Wrap(guards_instances.instance_stopped),
        "modify_instance_security_groups": Wrap(
            guards_instances.security_groups_of_instance, repair=repairs.groups_of_interface, then=refresh
        ),
    }


BALANCER_METHODS = {
    "create_load_balancer": Wrap(guards_entry.balancer_possible),
    "delete_load_balancer": Wrap(guards_entry.balancer_unprotected),
}


def start(hosts: Hosts, address: str, port: int, directory: Path) -> ThreadedMotoServer:
    """Serve; returns when requests are answered. Once a process. The files of `gate.py` are in the directory."""
    repairs.images_without_alias(ec2_backends[ACCOUNT][REGION])  # makes the backend, too: slow, so before any request
    attachments.instances_found_by_volume()
    filters = Filtering(hosts)
    requests = instance_requests.InstanceResponse
    setattr(requests, "run_instances", repairs.launch_protected(requests.run_instances))  # noqa: B010 - moto's own
    setattr(instance_requests, "parse_user_data", repairs.user_data)  # noqa: B010 - moto does not export it
    setattr(SecurityGroupRule, "description", property(repairs.description))  # noqa: B010 - moto's has no setter
    install(methods(Instances(hosts, filters), filters))
    gate.install(gate.Gate(Faults(directory / FAULTS_FILE), directory / ACTIONS_FILE))
    install(BALANCER_METHODS, ELBv2Backend)
    server = ThreadedMotoServer(address, port, verbose=False)
    server.start()
    return server
