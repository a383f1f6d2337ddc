"""What moto's EC2 does wrongly, corrected after or instead of it. `ec2_validation` has what it fails to refuse."""

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
    """A deleted subnet leaves its route table; in moto that could never be deleted afterwards."""
    for table in backend.route_tables.values():
        kept = {key: target for key, target in table._associations.items() if target != subnet.id}
        table._associations = kept


def images_without_alias(backend: Any) -> None:
    """Moto says that each image in its file is Amazon's own, so that `owners=["amazon"]` would find Ubuntu's."""
    for image in backend.amis.values():
        image.owner_alias = None


def interface_of_instance(backend: Any, arguments: Arguments, reservation: Any) -> None:
    """The interface goes with its instance; both have the same groups: the VPC's default one where none is given."""
    for instance in reservation.instances:
        interface = instance.nics[0]
        interface.delete_on_termination = True
        interface._group_set = list(dict.fromkeys(interface._group_set))
        instance.security_groups = list(interface._group_set)


def launch_protected(run_instances: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """RunInstances: moto's ignores DisableApiTermination."""

    @wraps(run_instances)
    def protecting(request: Any) -> Any:
        answer = run_instances(request)
        for instance in answer.result.instances:
            instance.disable_api_termination = bool(request._get_param("DisableApiTermination"))
        return answer

    return protecting


def described_reservation(create: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """CreateSubnetCidrReservation: moto's forgets the description."""

    @wraps(create)
    def describing(request: Any) -> Any:
        answer = create(request)
        answer.result["SubnetCidrReservation"].description = request._get_param("Description")
        return answer

    return describing


def association(interface: Any, told: Callable[[Any], Any]) -> Any:
    """Of an interface without a public address moto tells an empty one."""
    return told(interface) or None


def groups_of_interface(backend: Any, arguments: Arguments, instance: Any) -> None:
    """Moto leaves the interface with the groups that the instance had."""
    instance.nics[0]._group_set = list(instance.security_groups)


def user_data(value: Any) -> Base64EncodedString | None:
    """ModifyInstanceAttribute: moto has decoded the value already, and decodes it again."""
    return Base64EncodedString.from_raw_bytes(value) if isinstance(value, bytes) else parse_user_data(value)


def description(rule: Any) -> str | None:
    """Moto gives a rule's description only where its source is a network."""
    text = rule.ip_range.get("Description") or rule.source_group.get("Description")
    return None if text is None else str(text)


def ports(protocol: str, first: Any, last: Any) -> tuple[int, int]:
    """Of a rule as EC2 keeps it: only TCP, UDP and ICMP have ports (types), all else is for the whole protocol."""
    return (int(first), int(last)) if protocol.lower() in WITH_PORTS else (-1, -1)


def with_ports(create: Callable[..., None]) -> Callable[..., None]:
    """Moto wants ports of every protocol but "-1"."""

    @wraps(create)
    def creating(rule: Any, *arguments: Any, **named: Any) -> None:
        bound = inspect.signature(create).bind(rule, *arguments, **named)
        given = bound.arguments
        given["from_port"], given["to_port"] = ports(str(given["ip_protocol"]), given["from_port"], given["to_port"])
        create(*bound.args, **bound.kwargs)

    return creating


def modify_rules(backend: Any, arguments: Arguments) -> None:
    """ModifySecurityGroupRules: moto's knows no group references, and no rule for all protocols."""
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
