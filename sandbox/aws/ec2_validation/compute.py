"""Security groups, instances and key pairs: what EC2 refuses and moto does not."""

from __future__ import annotations

import ipaddress
from typing import Any

from sandbox.aws.ec2_validation.refusals import Arguments, group_of, refuse
from sandbox.aws.moto_fixes import WITH_PORTS, ports

RESERVED_ADDRESSES = 4  # network, router, DNS, and one for later use; and the last one, broadcast
MAX_USER_DATA = 16384  # bytes, decoded
MAX_PORT = 65535
MAX_PROTOCOL = 255
MAX_GROUPS = 5  # a new account's quota of security groups per interface
STOPPED_ATTRIBUTES = ("user_data", "instance_type", "ebs_optimized", "kernel", "ramdisk")


# Security groups


def security_group_in_vpc(backend: Any, arguments: Arguments) -> None:
    if arguments["vpc_id"]:
        backend.get_vpc(arguments["vpc_id"])


def ingress_rule_new(backend: Any, arguments: Arguments) -> None:
    _rule_new(backend, arguments, group_of(backend, arguments["group_name_or_id"]).ingress_rules)


def egress_rule_new(backend: Any, arguments: Arguments) -> None:
    _rule_new(backend, arguments, group_of(backend, arguments["group_name_or_id"]).egress_rules)


def _rule_new(backend: Any, arguments: Arguments, existing: list[Any]) -> None:
    """Moto finds duplicates among CIDRs. Among referenced groups, it misses those with a different description."""
    group = group_of(backend, arguments["group_name_or_id"])
    protocol, first, last = str(arguments["ip_protocol"]).lower(), arguments["from_port"], arguments["to_port"]
    _ports_valid(protocol, first, last)
    wanted = ports(protocol, first, last)
    for source in arguments["source_groups"] or []:
        other = group_of(backend, source["GroupId"])
        if other.vpc_id != group.vpc_id:
            refuse(
                "InvalidGroup.NotFound",
                f"You have specified two resources that belong to different networks: {group.id}, {other.id}",
            )
        alike = (rule for rule in existing if rule.source_group.get("GroupId") == other.id)
        if any(
            (rule.ip_protocol, ports(protocol, rule.from_port, rule.to_port)) == (protocol, wanted) for rule in alike
        ):
            refuse("InvalidPermission.Duplicate", f'the specified rule "peer: {other.id}, {protocol}" already exists')


def _ports_valid(protocol: str, first: Any, last: Any) -> None:
    if not (protocol in WITH_PORTS or protocol == "-1" or (protocol.isdigit() and int(protocol) <= MAX_PROTOCOL)):
        refuse("InvalidParameterValue", f"Invalid value '{protocol}' for IP protocol. Unknown protocol.")
    if protocol not in WITH_PORTS:
        return
    if first is None or last is None:
        refuse("MissingParameter", "The request must contain the parameter fromPort and toPort")
    if protocol in ("tcp", "udp", "6", "17") and not 0 <= int(first) <= int(last) <= MAX_PORT:
        refuse("InvalidParameterValue", f"Invalid value '{first}-{last}' for portRange.")


def rules_exist(backend: Any, arguments: Arguments) -> None:
    group = group_of(backend, arguments["group_id"])
    for rule_id in arguments["rules"]:
        if group.get_rule(rule_id) is None:
            refuse("InvalidSecurityGroupRuleId.NotFound", f"The security group rule ID '{rule_id}' does not exist")


def security_groups_of_instance(backend: Any, arguments: Arguments) -> None:
    instance = backend.get_instance(arguments["instance_id"])
    _groups_in_vpc(backend, arguments["new_group_id_list"], instance.vpc_id)


def _groups_in_vpc(backend: Any, group_ids: list[str], vpc_id: str) -> None:
    if len(set(group_ids)) > MAX_GROUPS:
        message = "The maximum number of security groups per interface has been reached."
        refuse("SecurityGroupsPerInterfaceLimitExceeded", message)
    for group_id in group_ids:
        if group_of(backend, group_id).vpc_id != vpc_id:
            refuse("InvalidParameter", f"Security group {group_id} and the instance belong to different networks.")


# Instances and their keys


def key_usable(backend: Any, arguments: Arguments) -> None:
    """EC2 accepts RSA and Ed25519 keys; moto accepts any key."""
    kind = bytes(arguments["public_key_material"]).split(b" ", 1)[0].strip()
    if kind not in (b"ssh-rsa", b"ssh-ed25519"):
        refuse("InvalidKey.Format", "Key is not in valid OpenSSH public key format")


def instance_possible(backend: Any, arguments: Arguments) -> None:
    subnet_id, address = arguments.get("subnet_id"), arguments.get("private_ip")
    nics = arguments.get("nics") or []
    for nic in nics:
        subnet_id, address = nic.get("SubnetId", subnet_id), nic.get("PrivateIpAddress", address)
    if len(nics) > 1 or arguments["count"] != 1:
        refuse("UnsupportedOperation", "one instance with one network interface a request is all that there is here")
    if not subnet_id:
        refuse("MissingInput", "No subnets found for the default VPC. Please specify a subnet.")
    subnet = backend.get_subnet(subnet_id)
    groups = [*(arguments.get("security_group_ids") or []), *(group for nic in nics for group in nic.get("Groups", []))]
    _groups_in_vpc(backend, groups, subnet.vpc_id)
    if address:
        _address_free(backend, subnet, address)
    if subnet.available_ip_address_count < 1:
        message = (
            f"There are not enough free addresses in subnet '{subnet_id}' to satisfy the requested number of instances."
        )
        refuse("InsufficientFreeAddressesInSubnet", message)
    if arguments["user_data"] is not None and len(arguments["user_data"].decode("latin-1")) > MAX_USER_DATA:
        refuse("InvalidParameterValue", f"User data is limited to {MAX_USER_DATA} bytes")


def address_usable(subnet: Any, address: str) -> None:
    wanted, network = ipaddress.IPv4Address(address), subnet.cidr
    if wanted not in network:
        refuse("InvalidParameterValue", f"Address {address} does not fall within the subnet's address range")
    if int(wanted) - int(network.network_address) < RESERVED_ADDRESSES or wanted == network.broadcast_address:
        refuse("InvalidParameterValue", f"Address {address} is in subnet's reserved address range")


def _address_free(backend: Any, subnet: Any, address: str) -> None:
    address_usable(subnet, address)
    taken = {interface.private_ip_address for interface in backend.enis.values() if interface.subnet.id == subnet.id}
    if address in taken:
        refuse("InvalidIPAddress.InUse", f"Address {address} is in use.")


def instances_stoppable(backend: Any, arguments: Arguments) -> None:
    for instance in backend.get_multi_instances_by_id(arguments["instance_ids"]):
        if instance.state not in ("running", "stopping", "stopped"):
            message = f"The instance '{instance.id}' is not in a state from which it can be stopped."
            refuse("IncorrectInstanceState", message)


def instance_stopped(backend: Any, arguments: Arguments) -> None:
    instance = backend.get_instance(arguments["instance_id"])
    if arguments["key"] in STOPPED_ATTRIBUTES and instance.state != "stopped":
        refuse("IncorrectInstanceState", f"The instance '{instance.id}' is not in the 'stopped' state.")
