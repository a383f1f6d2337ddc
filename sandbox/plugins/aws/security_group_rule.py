"""One rule of a security group, in either direction. Leaves out IPv6 and prefix lists."""

from __future__ import annotations

from functools import partial
from typing import Any

from sandbox.plugins.aws.api import API, found_tags, listed, retag, wanted_tags
from sandbox.plugins.aws.kind import Kind, exactly_one
from sandbox.plugins.aws.lookup import described, network_address
from sandbox.plugins.framework.table import Call, Failure, Input
from sandbox.plugins.framework.values import UNKNOWN, Values

SOURCES = ("cidrIpv4", "referencedSecurityGroupId")
PROTOCOLS = ("tcp", "udp", "icmp", "-1")


def make_rule(direction: str, call: Call) -> str:
    given = call.inputs
    authorize = getattr(API.ec2, f"authorize_security_group_{direction}")
    answer = authorize(GroupId=given["securityGroupId"], IpPermissions=[_permission(given)])
    return str(answer["SecurityGroupRules"][0]["SecurityGroupRuleId"])


def _permission(given: Values) -> dict[str, Any]:
    described_as = {"Description": given["description"]} if given.get("description") else {}
    source: dict[str, Any] = (
        {"IpRanges": [{"CidrIp": given["cidrIpv4"], **described_as}]}
        if given.get("cidrIpv4")
        else {"UserIdGroupPairs": [{"GroupId": given["referencedSecurityGroupId"], **described_as}]}
    )
    return {"IpProtocol": given["ipProtocol"], **_ports(given), **source}


def _ports(given: Values) -> dict[str, int]:
    named = {"FromPort": given.get("fromPort"), "ToPort": given.get("toPort")}
    return {key: port for key, port in named.items() if port is not None}


def finish_rule(call: Call, identity: str) -> None:
    tags = wanted_tags(call)
    if tags:
        API.ec2.create_tags(Resources=[identity], Tags=listed(tags))


def change_rule(call: Call) -> None:
    given = call.inputs
    names = ("ipProtocol", "fromPort", "toPort", "description", *SOURCES)
    if any(given.get(name) != call.state.get(name) for name in names):
        source = {"CidrIpv4": given.get("cidrIpv4"), "ReferencedGroupId": given.get("referencedSecurityGroupId")}
        rule = {
            "IpProtocol": given["ipProtocol"],
            "Description": given.get("description", ""),
            **_ports(given),
            **{key: value for key, value in source.items() if value},
        }
        API.ec2.modify_security_group_rules(
            GroupId=given["securityGroupId"],
            SecurityGroupRules=[{"SecurityGroupRuleId": call.id, "SecurityGroupRule": rule}],
        )
    retag(call, call.id)


def find_rule(egress: bool, call: Call, identity: str) -> Values | None:
    rule = described("describe_security_group_rules", "SecurityGroupRules", SecurityGroupRuleIds=[identity])
    if rule is None or rule["IsEgress"] != egress:
        return None
    ports = {"fromPort": rule.get("FromPort", -1), "toPort": rule.get("ToPort", -1)}
    optional = {
        "cidrIpv4": rule.get("CidrIpv4"),
        "referencedSecurityGroupId": _referenced(rule.get("ReferencedGroupInfo") or {}),
        "description": rule.get("Description"),
        **{name: port for name, port in ports.items() if port != -1 or call.inputs.get(name) is not None},
    }
    return {
        "arn": API.arn(f"security-group-rule/{identity}"),
        "securityGroupRuleId": identity,
        "securityGroupId": rule["GroupId"],
        "ipProtocol": rule["IpProtocol"],
        **{name: value for name, value in optional.items() if value not in (None, "")},
        **found_tags(call, rule.get("Tags")),
    }


def _referenced(group: Values) -> str | None:
    """With its account before the id, if that differs from the account that the provider knows, or if it knows none."""
    foreign = group.get("UserId") not in (None, API.account)
    return f"{group['UserId']}/{group['GroupId']}" if foreign else group.get("GroupId")


def remove_rule(direction: str, call: Call) -> None:
    revoke = getattr(API.ec2, f"revoke_security_group_{direction}")
    try:
        revoke(GroupId=call.state["securityGroupId"], SecurityGroupRuleIds=[call.id])
    except API.ec2.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "InvalidPermission.NotFound":
            raise


def check_rule(values: Values) -> list[Failure]:
    protocol = values.get("ipProtocol")
    known = protocol is UNKNOWN or protocol in PROTOCOLS or str(protocol).isdigit()
    return [
        *exactly_one(values, *SOURCES),
        *network_address(values, "cidrIpv4"),
        *(
            []
            if known
            else [Failure("ipProtocol", f"this stand-in implements {', '.join(PROTOCOLS)} and numbers, not {protocol}")]
        ),
        *(_port_failures(values) if protocol in ("tcp", "udp") else []),
    ]


def _port_failures(values: Values) -> list[Failure]:
    ports = {name: values.get(name) for name in ("fromPort", "toPort")}
    missing = [Failure(name, "is needed for tcp and udp") for name, port in ports.items() if port is None]
    wrong = [
        Failure(name, f"expected a value between 0 and 65535, not {port}")
        for name, port in ports.items()
        if isinstance(port, int) and not 0 <= port <= 65535
    ]
    return [*missing, *wrong]


def rule_kind(token: str, direction: str) -> Kind:
    return Kind(
        token,
        noun=f"EC2 Security Group {direction.title()} Rule",
        inputs={
            "securityGroupId": Input(str, required=True, replaces=True),
            "ipProtocol": Input(str, required=True),
            "fromPort": Input(int),
            "toPort": Input(int),
            "description": Input(str),
            **dict.fromkeys(SOURCES, Input(str)),
        },
        outputs=("arn", "securityGroupRuleId"),
        sources=SOURCES,
        make=partial(make_rule, direction),
        finish=finish_rule,
        find=partial(find_rule, direction == "egress"),
        change=change_rule,
        remove=partial(remove_rule, direction),
        check=check_rule,
    )


RULES = (
    rule_kind("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "ingress"),
    rule_kind("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "egress"),
)
