"""Network load balancer, with its tags and attributes. Left out: other types, given addresses, and IPv6."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.plugins.aws.api import API, POLL_SECONDS, found_tags, listed, wanted_tags
from sandbox.plugins.aws.kind import Kind, generated_name, only
from sandbox.plugins.aws.lookup import described
from sandbox.plugins.framework.table import Call, Failure, Input
from sandbox.plugins.framework.values import Values, contains_unknown

SWITCHES = {
    "enableCrossZoneLoadBalancing": "load_balancing.cross_zone.enabled",
    "enableDeletionProtection": "deletion_protection.enabled",
}
ATTRIBUTES = {**SWITCHES, "dnsRecordClientRoutingPolicy": "dns_record.client_routing_policy"}
MOST_LETTERS = 32


def elb() -> Any:
    return API.client("elbv2")


def tagged(call: Call) -> dict[str, Any]:
    """The argument that tags a new resource at its creation."""
    tags = listed(wanted_tags(call))
    return {"Tags": tags} if tags else {}


def retag_arn(call: Call, arn: str) -> None:
    new, old = wanted_tags(call), dict(call.state.get("tagsAll") or {})
    dropped = sorted(old.keys() - new.keys())
    changed = {key: value for key, value in new.items() if old.get(key) != value}
    if dropped:
        elb().remove_tags(ResourceArns=[arn], TagKeys=dropped)
    if changed:
        elb().add_tags(ResourceArns=[arn], Tags=listed(changed))


def tags_of_arn(call: Call, arn: str) -> Values:
    return found_tags(call, described("describe_tags", "TagDescriptions", service="elbv2", ResourceArns=[arn])["Tags"])


def attributes_as_text(values: Mapping[str, Any], names: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": str(values[name]).lower()} for name, key in names.items() if name in values]


def check_name(values: Values) -> list[Failure]:
    name = values.get("name")
    if isinstance(name, str) and (len(name) > MOST_LETTERS or name.startswith("internal-")):
        return [Failure("name", f'"name" cannot be longer than {MOST_LETTERS} characters, nor begin with "internal-"')]
    return []


def make_balancer(call: Call) -> str:
    given = call.inputs
    answer = elb().create_load_balancer(
        Name=given["name"],
        Type="network",
        Scheme="internal" if given["internal"] else "internet-facing",
        Subnets=given["subnets"],
        **({"SecurityGroups": given["securityGroups"]} if given.get("securityGroups") else {}),
        **tagged(call),
    )
    return str(answer["LoadBalancers"][0]["LoadBalancerArn"])


def finish_balancer(call: Call, identity: str) -> None:
    while (balancer := _described(identity)) and balancer["State"]["Code"] == "provisioning":
        call.wait(POLL_SECONDS)
    _set_attributes(call, identity)


def _set_attributes(call: Call, identity: str) -> None:
    attributes = attributes_as_text(call.inputs, ATTRIBUTES)
    elb().modify_load_balancer_attributes(LoadBalancerArn=identity, Attributes=attributes)


def _described(identity: str) -> Any:
    return described("describe_load_balancers", "LoadBalancers", service="elbv2", LoadBalancerArns=[identity])


def change_balancer(call: Call) -> None:
    new, old = call.inputs, call.state
    if sorted(new["subnets"]) != sorted(old.get("subnets") or []):
        elb().set_subnets(LoadBalancerArn=call.id, Subnets=new["subnets"])
    if sorted(new.get("securityGroups") or []) != sorted(old.get("securityGroups") or []):
        elb().set_security_groups(LoadBalancerArn=call.id, SecurityGroups=new["securityGroups"])
    _set_attributes(call, call.id)
    retag_arn(call, call.id)


def find_balancer(call: Call, identity: str) -> Values | None:
    balancer = _described(identity)
    if balancer is None:
        return None
    answer = elb().describe_load_balancer_attributes(LoadBalancerArn=identity)["Attributes"]
    attributes = {each["Key"]: each["Value"] for each in answer}
    return {
        "arn": identity,
        "arnSuffix": identity.split(":loadbalancer/", 1)[1],
        "name": balancer["LoadBalancerName"],
        "loadBalancerType": balancer["Type"],
        "internal": balancer["Scheme"] == "internal",
        "subnets": sorted(zone["SubnetId"] for zone in balancer["AvailabilityZones"]),
        "securityGroups": sorted(balancer.get("SecurityGroups") or []),
        "dnsName": balancer["DNSName"],
        "zoneId": balancer["CanonicalHostedZoneId"],
        "vpcId": balancer["VpcId"],
        "ipAddressType": balancer["IpAddressType"],
        "dnsRecordClientRoutingPolicy": attributes.get(ATTRIBUTES["dnsRecordClientRoutingPolicy"], ""),
        **{name: attributes.get(key) == "true" for name, key in SWITCHES.items()},
        **tags_of_arn(call, identity),
    }


def remove_balancer(call: Call) -> None:
    elb().delete_load_balancer(LoadBalancerArn=call.id)


def groups_come_or_go(olds: Values, news: Values) -> bool:
    """A network load balancer that was created without security groups can never have any, and vice versa."""
    groups = news.get("securityGroups")
    return not contains_unknown(groups) and bool(groups) != bool(olds.get("securityGroups"))


def subnets_lost(olds: Values, news: Values) -> bool:
    """The provider replaces a network load balancer whose subnets change, unless it gets more than it had."""
    subnets = news["subnets"]
    return not contains_unknown(subnets) and len(subnets) <= len(olds["subnets"])


def check_balancer(values: Values) -> list[Failure]:
    return [*check_name(values), *only(values, loadBalancerType="network")]


BALANCER = Kind(
    "aws:lb/loadBalancer:LoadBalancer",
    noun="ELBv2 Load Balancer",
    inputs={
        "name": Input(str, default=generated_name, replaces=True),
        "loadBalancerType": Input(str, required=True, replaces=True),
        "internal": Input(bool, default=False, replaces=True),
        "subnets": Input(list, required=True, each=Input(str), unordered=True, replaces=subnets_lost),
        "securityGroups": Input(list, each=Input(str), unordered=True, replaces=groups_come_or_go),
        "dnsRecordClientRoutingPolicy": Input(str, default="any_availability_zone"),
        **dict.fromkeys(SWITCHES, Input(bool, default=False)),
    },
    computed=("securityGroups",),
    outputs=("arn", "arnSuffix", "dnsName", "zoneId", "vpcId", "ipAddressType"),
    named="name",
    make=make_balancer,
    finish=finish_balancer,
    find=find_balancer,
    change=change_balancer,
    remove=remove_balancer,
    check=check_balancer,
)
