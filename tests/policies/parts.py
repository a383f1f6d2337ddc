"""Rows, and the resources in them: such as nobody has anything against, unless a row says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from policy.taggable import TAGGABLE
from policy.tokens import (
    EGRESS_RULE,
    FLEET,
    INGRESS_RULE,
    INSTANCE,
    INTERFACE,
    LAUNCH_CONFIGURATION,
    LAUNCH_TEMPLATE,
    OLDER_RULE,
    PREFIX_LIST,
    SCALING_GROUP,
    SECURITY_GROUP,
    SPOT_FLEET,
    SPOT_REQUEST,
    VOLUME,
    VPC,
)

# The stack's ports, and what it sets of them: not the defaults.
HEARTBEAT, COMMAND, API, SSH = 11000, 10003, 10002, 2222
SETTINGS: Mapping[str, Any] = {"pushJobs.heartbeatPort": HEARTBEAT, "ssh.port": SSH, "tags.team": "chef"}

WORLD = ["0.0.0.0/0"]
NODES = ["10.1.0.0/24"]
HALF_OF_THE_WORLD = [f"{first}.0.0.0/8" for first in range(1, 256, 2)]
TOKENS = {"httpTokens": "required"}
ROOT = {"deviceName": "/dev/sda1", "ebs": {"encrypted": "true"}}
LOCAL = {"deviceName": "/dev/sdb", "virtualName": "ephemeral0"}


@dataclass(frozen=True)
class Of:
    """What another resource of the row is known by, once it is made; `index` of an output that is a list."""

    name: str
    output: str = "id"
    index: int | None = None


@dataclass(frozen=True)
class Secret:
    value: object


@dataclass(frozen=True)
class Made:
    """`props` as they go over the wire."""

    type: str
    name: str
    props: Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """`refused` by these policies; by none where it passes."""

    what: str
    resources: tuple[Made, ...]
    refused: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.what


def row(what: str, *resources: Made, also: str | None = None) -> Row:
    """`also`: a second policy that refuses it."""
    return Row(what, resources, (also,) if also else ())


def refused_by(policy: str, *rows: Row) -> list[Row]:
    return [replace(each, refused=(policy, *each.refused)) for each in rows]


_MACHINE = {"metadataOptions": TOKENS, "rootBlockDevice": {"encrypted": True}, "instanceType": "m5.large"}
_ON_HEARTBEAT = {"description": "nodes", "fromPort": HEARTBEAT, "toPort": HEARTBEAT}
_GIVEN: Mapping[str, Mapping[str, Any]] = {
    SECURITY_GROUP: {"description": "servers"},
    INGRESS_RULE: {**_ON_HEARTBEAT, "ipProtocol": "tcp"},
    EGRESS_RULE: {"description": "packages", "ipProtocol": "-1", "cidrIpv4": "0.0.0.0/0"},
    OLDER_RULE: {**_ON_HEARTBEAT, "type": "ingress", "protocol": "tcp"},
    PREFIX_LIST: {"addressFamily": "IPv4", "maxEntries": 200},
    VPC: {"cidrBlock": "10.0.0.0/16"},
    INTERFACE: {"subnetId": "subnet-1", "securityGroups": ["sg-0"]},
    INSTANCE: {**_MACHINE, "ami": "ami-1", "vpcSecurityGroupIds": ["sg-0"]},
    SPOT_REQUEST: {**_MACHINE, "ami": "ami-1", "vpcSecurityGroupIds": ["sg-0"]},
    LAUNCH_CONFIGURATION: {**_MACHINE, "imageId": "ami-1", "securityGroups": ["sg-0"]},
    LAUNCH_TEMPLATE: {"metadataOptions": TOKENS, "blockDeviceMappings": [ROOT], "vpcSecurityGroupIds": ["sg-0"]},
    SCALING_GROUP: {"minSize": 0, "maxSize": 1},
    SPOT_FLEET: {"iamFleetRole": "arn:aws:iam::1:role/fleet", "targetCapacity": 1},
    FLEET: {"targetCapacitySpecification": {"defaultTargetCapacityType": "spot", "totalTargetCapacity": 1}},
    VOLUME: {"availabilityZone": "us-east-1a", "size": 8, "encrypted": True},
}


def made(token: str, name: str, **props: Any) -> Made:
    """With tags, and whatever else its type needs; what is given as None is left out."""
    tags = {"tags": tagged(name)} if token in TAGGABLE else {}
    given = {**_GIVEN.get(token, {}), **tags, **props}
    return Made(token, name, {key: value for key, value in given.items() if value is not None})


def tagged(name: str, role: str | None = None) -> dict[str, str]:
    return {"Name": name, "team": "chef"} | ({"Role": role} if role else {})


# Networks


def group(name: str = "group", **props: Any) -> Made:
    return made(SECURITY_GROUP, name, **props)


def rule(name: str = "rule", of: object = Of("group"), **props: Any) -> Made:
    """Lets nothing in but by what is given."""
    return made(INGRESS_RULE, name, securityGroupId=of, **props)


def one_rule(**props: Any) -> tuple[Made, ...]:
    return group(), rule(**props)


def older(name: str = "rule", of: object = Of("group"), **props: Any) -> Made:
    """A rule of the older kind."""
    return made(OLDER_RULE, name, securityGroupId=of, **props)


def inside(**props: Any) -> Made:
    """A group with a rule inside of it."""
    return group(ingress=[written(**props)])


def written(**props: Any) -> dict[str, Any]:
    return {**_ON_HEARTBEAT, "protocol": "tcp", **props}


def port(number: object) -> dict[str, Any]:
    return {"fromPort": number, "toPort": number}


def prefix_list(*networks: str) -> Made:
    return made(PREFIX_LIST, "list", entries=[{"cidr": each} for each in networks])


def subnet() -> tuple[Made, ...]:
    return made(VPC, "vpc"), made("aws:ec2/subnet:Subnet", "subnet", vpcId=Of("vpc"))


# Machines


def server(name: str = "server", role: str | None = "backend", **props: Any) -> Made:
    return made(INSTANCE, name, **{"tags": tagged(name, role), **props})


def frontend(**props: Any) -> Made:
    return server(role="frontend", **props)


def interface(role: str | None = "backend", **props: Any) -> Made:
    """Its role is what it says, not what it is attached to."""
    return made(INTERFACE, "interface", tags=tagged("interface", role), **props)


def template(role: str | None = None, **props: Any) -> Made:
    tags = [{"resourceType": "instance", "tags": tagged("server", role)}] if role else None
    return made(LAUNCH_TEMPLATE, "template", tagSpecifications=tags, **props)


def configuration(**props: Any) -> Made:
    return made(LAUNCH_CONFIGURATION, "configuration", **props)


def scaling_group(role: str, propagated: bool = True, **props: Any) -> Made:
    tag = {"key": "Role", "value": role, "propagateAtLaunch": propagated}
    return made(SCALING_GROUP, "scaling-group", tags=[tag], **props)


def mixed(*overrides: object) -> dict[str, Any]:
    """A mixed instances policy."""
    first = {"launchTemplateSpecification": {"launchTemplateId": Of("template")}}
    others = [{"launchTemplateSpecification": {"launchTemplateId": each}} for each in overrides]
    return {"launchTemplate": {**first, **({"overrides": others} if others else {})}}


def fleet(id: object) -> Made:
    wanted = {"launchTemplateId": id, "version": "$Latest"}
    return made(FLEET, "fleet", launchTemplateConfigs=[{"launchTemplateSpecification": wanted}])


def spot(role: str = "backend", **props: Any) -> Made:
    return made(SPOT_REQUEST, "spot", tags=tagged("spot", role), **props)


def spot_fleet(**props: Any) -> Made:
    return made(SPOT_FLEET, "fleet", **props)


def launch(**props: Any) -> list[dict[str, Any]]:
    """The launch specifications of a spot fleet."""
    given = {"ami": "ami-1", "instanceType": "m5.large", "rootBlockDevices": [{"encrypted": True}], **props}
    return [{key: value for key, value in given.items() if value is not None}]


# Load balancers and their like


def targets(number: int, *, of: str = "lb", **props: Any) -> Made:
    return made(f"aws:{of}/targetGroup:TargetGroup", "targets", **{"protocol": "TCP", "port": number, **props})


def target(*, of: str = "lb", **props: Any) -> Made:
    return made(f"aws:{of}/targetGroupAttachment:TargetGroupAttachment", "target", **{"targetId": "i-1", **props})


def listener(number: int, *, of: str = "lb") -> Made:
    forward = [{"type": "forward", "targetGroupArn": "arn:aws:elasticloadbalancing:1"}]
    props = {"loadBalancerArn": "arn:aws:elasticloadbalancing:2", "defaultActions": forward}
    return made(f"aws:{of}/listener:Listener", "listener", port=number, protocol="TCP", **props)


def classic(**ports: int) -> Made:
    listens = {"lbPort": 443, "lbProtocol": "tcp", "instancePort": 443, "instanceProtocol": "tcp", **ports}
    return made("aws:elb/loadBalancer:LoadBalancer", "balancer", listeners=[listens])


def accelerator(first: int, last: int) -> Made:
    ranges = [{"fromPort": first, "toPort": last}]
    token = "aws:globalaccelerator/listener:Listener"  # noqa: S105 - a type token
    return made(token, "listener", acceleratorArn="arn:aws:1", protocol="TCP", portRanges=ranges)


def endpoints(token: str, **props: Any) -> Made:
    """Of an accelerator."""
    return made(f"aws:globalaccelerator/{token}", "endpoints", listenerArn="arn:aws:1", **props)


def distribution(**ports: int) -> Made:
    asked = {"httpPort": 80, "httpsPort": 443, "originProtocolPolicy": "https-only", "originSslProtocols": ["TLSv1.2"]}
    methods = ["GET", "HEAD"]
    return made(
        "aws:cloudfront/distribution:Distribution",
        "distribution",
        enabled=True,
        origins=[{"originId": "chef", "domainName": "chef.example.com", "customOriginConfig": {**asked, **ports}}],
        defaultCacheBehavior={
            **{"allowedMethods": methods, "cachedMethods": methods},
            **{"targetOriginId": "chef", "viewerProtocolPolicy": "https-only"},
        },
        restrictions={"geoRestriction": {"restrictionType": "none"}},
        viewerCertificate={"cloudfrontDefaultCertificate": True},
    )
