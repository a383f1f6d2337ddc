"""Corrections of what moto's EC2 does wrongly. `ec2_validation` contains what it fails to refuse."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from moto.core.types import Base64EncodedString
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.utils import parse_user_data

Arguments = Mapping[str, Any]

WITH_PORTS = ("tcp", "6", "udp", "17", "icmp", "1", "icmpv6", "58")
SOURCES = ("CidrIpv4", "CidrIpv6", "PrefixListId", "ReferencedGroupId")


def subnet_forgotten(backend: Any, arguments: Arguments, subnet: Any) -> None:
    """In moto, a deleted subnet stays in its route table, which then could never be deleted."""
    for table in backend.route_tables.values():
        kept = {key: target for key, target in table._associations.items() if target != subnet.id}
        table._associations = kept


def images_without_alias(backend: Any) -> None:
    """Moto says that Amazon owns every image in its file, so `owners=["amazon"]` would find Ubuntu's."""
    for image in backend.amis.values():
        image.owner_alias = None


def interface_of_instance(backend: Any, arguments: Arguments, reservation: Any) -> None:
    """The interface is deleted with its instance and has the same groups; without any, the VPC's default one."""
    for instance in reservation.instances:
        interface = instance.nics[0]
        interface.delete_on_termination = True
        interface._group_set = list(dict.fromkeys(interface._group_set))
        instance.security_groups = list(interface._group_set)


def launch_protected(run_instances: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """RunInstances: moto ignores DisableApiTermination."""

    @wraps(run_instances)
    def protecting(request: Any) -> Any:
        answer = run_instances(request)
        for instance in answer.result.instances:
            instance.disable_api_termination = bool(request._get_param("DisableApiTermination"))
        return answer

    return protecting


def described_reservation(create: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """CreateSubnetCidrReservation: moto forgets the description."""

    @wraps(create)
    def describing(request: Any) -> Any:
        answer = create(request)
        answer.result["SubnetCidrReservation"].description = request._get_param("Description")
        return answer

    return describing


def association(interface: Any, told: Callable[[Any], Any]) -> Any:
    """For an interface without a public address, moto returns an empty association."""
    return told(interface) or None


def groups_of_interface(backend: Any, arguments: Arguments, instance: Any) -> None:
    """Moto does not change the interface's groups with the instance's."""
    instance.nics[0]._group_set = list(instance.security_groups)


def user_data(value: Any) -> Base64EncodedString | None:
    """ModifyInstanceAttribute: moto has already decoded the value, and decodes it again."""
    return Base64EncodedString.from_raw_bytes(value) if isinstance(value, bytes) else parse_user_data(value)


def description(rule: Any) -> str | None:
    """Moto only returns a rule's description if its source is a network."""
    text = rule.ip_range.get("Description") or rule.source_group.get("Description")
    return None if text is None else str(text)


def ports(protocol: str, first: Any, last: Any) -> tuple[int, int]:
    """A rule's ports as EC2 stores them.

    Only TCP, UDP and ICMP have ports (types); other rules are for the whole protocol.
    """
    return (int(first), int(last)) if protocol.lower() in WITH_PORTS else (-1, -1)


def with_ports(create: Callable[..., None]) -> Callable[..., None]:
    """Moto requires ports for every protocol but "-1"."""

    @wraps(create)
    def creating(rule: Any, *arguments: Any, **named: Any) -> None:
        bound = inspect.signature(create).bind(rule, *arguments, **named)
        given = bound.arguments
        given["from_port"], given["to_port"] = ports(str(given["ip_protocol"]), given["from_port"], given["to_port"])
        create(*bound.args, **bound.kwargs)

    return creating


def modify_rules(backend: Any, arguments: Arguments) -> None:
    """ModifySecurityGroupRules: moto supports neither group references nor rules for all protocols."""
    group = backend.get_security_group_from_id(arguments["group_id"])
    for rule_id, wanted in arguments["rules"].items():
        _modify_rule(group.get_rule(rule_id), wanted, backend.account_id)


def _modify_rule(rule: Any, wanted: Mapping[str, Any], account: str) -> None:
    given = [name for name in SOURCES if wanted.get(name)]
    had = _source_kind(rule)
    if given != [had]:
        raise EC2ClientError(
            "InvalidParameterValue",
            f"You may not specify {' and '.join(given) or 'no source'} for the existing {had} rule '{rule.id}'.",
        )
    described = {"Description": wanted["Description"]} if wanted.get("Description") else {}
    rule.ip_protocol = str(wanted["IpProtocol"])
    rule.from_port, rule.to_port = ports(rule.ip_protocol, wanted.get("FromPort"), wanted.get("ToPort"))
    if had == "ReferencedGroupId":
        rule.source_group = {"GroupId": wanted[had], "UserId": account, "OwnerId": account} | described
    else:
        rule.ip_range = {{"CidrIpv4": "CidrIp"}.get(had, had): wanted[had]} | described


def _source_kind(rule: Any) -> str:
    if rule.source_group:
        return "ReferencedGroupId"
    if rule.prefix_list_id:
        return "PrefixListId"
    return "CidrIpv6" if "CidrIpv6" in rule.ip_range else "CidrIpv4"
