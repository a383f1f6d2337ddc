"""Rows of who is let in: ways to write the world, and the networks that are refused."""

from __future__ import annotations

from policy.tokens import DEFAULT_GROUP, PREFIX_LIST, PREFIX_LIST_ENTRY, VPC
from tests.policies.parts import (
    API,
    COMMAND,
    HALF_OF_THE_WORLD,
    HEARTBEAT,
    NODES,
    SSH,
    WORLD,
    Made,
    Of,
    Secret,
    group,
    inside,
    made,
    older,
    one_rule,
    port,
    prefix_list,
    refused_by,
    row,
    rule,
    server,
    written,
)

ALL = "ssh-closed-to-the-world"  # what opens every port opens SSH
WIDE = (11, 13, 15)  # each the first part of a network as wide as may be


def default_group(**props: object) -> Made:
    return made(DEFAULT_GROUP, "default", vpcId=Of("vpc"), ingress=[written(cidrBlocks=WORLD, **props)])


def world(**props: object) -> tuple[Made, ...]:
    return one_rule(cidrIpv4="0.0.0.0/0", **props)


REFUSED = [
    *refused_by(
        "push-jobs-closed-to-the-world",
        row("the heartbeat port open to 0.0.0.0/0", *world()),
        row("the command port open to ::/0", *one_rule(cidrIpv6="::/0", **port(COMMAND))),
        row("half of the world: 128.0.0.0/1", *one_rule(cidrIpv4="128.0.0.0/1")),
        row("twice as wide as a network may be: 12.0.0.0/7", *one_rule(cidrIpv4="12.0.0.0/7")),
        row("all of IPv6 that is in use: 2000::/3", *one_rule(cidrIpv6="2000::/3")),
        row("IPv6 networks of two providers: 2001:db8::/31", *one_rule(cidrIpv6="2001:db8::/31")),
        row("the world as the network of a host: 10.1.2.3/0", *one_rule(cidrIpv4="10.1.2.3/0")),
        row("the world of IPv4 as IPv6: ::ffff:0.0.0.0/96", *one_rule(cidrIpv6="::ffff:0.0.0.0/96")),
        row("the world in short: 0/0", *one_rule(cidrIpv4="0/0")),
        row("the world as a secret", *one_rule(cidrIpv4=Secret("0.0.0.0/0"))),
        row("every protocol: `-1`", *world(ipProtocol="-1", fromPort=None, toPort=None), also=ALL),
        row("every protocol: -1, a number", group(), older(cidrBlocks=WORLD, protocol=-1, **port(0)), also=ALL),
        row("every protocol: `all`", group(), older(cidrBlocks=WORLD, protocol="all", **port(0)), also=ALL),
        row("every protocol: `ALL`", inside(protocol="ALL", cidrBlocks=WORLD), also=ALL),
        row("a protocol that nobody knows: `any`", *world(ipProtocol="any"), also=ALL),
        row("TCP as a number: 6", *world(ipProtocol=6)),
        row("TCP as `6`", group(), older(cidrBlocks=WORLD, protocol="6")),
        row("TCP as `TCP`", inside(protocol="TCP", cidrBlocks=WORLD)),
        row("the port as text: `11000`", *world(**port(str(HEARTBEAT)))),
        row("a range that the port is in: 10900 to 11100", *world(fromPort=10900, toPort=11100)),
        row("every port: 0 to 65535", *world(fromPort=0, toPort=65535), also=ALL),
        row("every port the wrong way round: 65535 to 0", *world(fromPort=65535, toPort=0), also=ALL),
        row("no port given: every port", *world(fromPort=None, toPort=None), also=ALL),
        row("by a rule of the older kind (`aws.ec2.SecurityGroupRule`)", group(), older(cidrBlocks=WORLD)),
        row("by a rule of the older kind, IPv6", group(), older(ipv6CidrBlocks=["::/0"])),
        row("by a rule inside of the group", inside(cidrBlocks=WORLD)),
        row("the wide network second in a list", inside(cidrBlocks=[*NODES, *WORLD])),
        row("by a rule of the default group (`aws.ec2.DefaultSecurityGroup`)", made(VPC, "vpc"), default_group()),
        row(
            "by a rule for `vpc.default_security_group_id`",
            made(VPC, "vpc"),
            rule(of=Of("vpc", "defaultSecurityGroupId"), cidrIpv4="0.0.0.0/0"),
        ),
        row("by a rule for a group of another stack", rule(of="sg-1", cidrIpv4="0.0.0.0/0")),
        row("the API port open to the nodes", *one_rule(cidrIpv4=NODES[0], **port(API))),
        row("the API port open to one IPv6 address", *one_rule(cidrIpv6="2001:db8::1/128", **port(API))),
        row("the API port in a range for the nodes", *one_rule(cidrIpv4=NODES[0], fromPort=10000, toPort=10010)),
        row("the API port open to a prefix list", *one_rule(prefixListId="pl-1", **port(API))),
    ),
    *refused_by(
        "ssh-closed-to-the-world",
        row("port 22 open to 0.0.0.0/0", *world(**port(22))),
        row("the stack's own SSH port open to 0.0.0.0/0", *world(**port(SSH))),
        row("port 22 open to ::/0 by a rule of the older kind", group(), older(ipv6CidrBlocks=["::/0"], **port(22))),
        row("the ports below 1024", inside(cidrBlocks=WORLD, fromPort=0, toPort=1023)),
        row("port 22 open in the default group", made(VPC, "vpc"), default_group(**port(22))),
    ),
    *refused_by(
        "prefix-lists-in-sight",
        row("a prefix list with 0.0.0.0/0 in it", prefix_list("0.0.0.0/0"), *one_rule(prefixListId=Of("list"))),
        row(
            "a prefix list whose entries are resources, one of them 0.0.0.0/0",
            made(PREFIX_LIST, "list"),
            made(PREFIX_LIST_ENTRY, "entry", prefixListId=Of("list"), cidr="0.0.0.0/0"),
            *one_rule(prefixListId=Of("list")),
        ),
        row("a prefix list of another stack", *one_rule(prefixListId="pl-1")),
        row("a prefix list of another stack, for SSH", *one_rule(prefixListId="pl-1", **port(22))),
        row("a prefix list in a rule of the older kind", group(), older(prefixListIds=["pl-1"])),
        row("a prefix list in a rule inside of the group", inside(prefixListIds=["pl-1"])),
    ),
    *refused_by(
        "networks-few-in-sum",
        row("128 networks in one rule: half of the world", group(), older(cidrBlocks=HALF_OF_THE_WORLD)),
        row(
            "wide networks in a rule each",
            group(),
            *(rule(f"rule-{first}", cidrIpv4=f"{first}.0.0.0/8") for first in WIDE),
        ),
        row(
            "wide networks in a rule each of a group of another stack",
            *(rule(f"rule-{first}", "sg-4", cidrIpv4=f"{first}.0.0.0/8") for first in WIDE),
        ),
        row(
            "wide networks in a group each, all of them on one server",
            *(group(f"group-{first}") for first in WIDE),
            *(rule(f"rule-{first}", Of(f"group-{first}"), cidrIpv4=f"{first}.0.0.0/8") for first in WIDE),
            server(vpcSecurityGroupIds=[Of(f"group-{first}") for first in WIDE]),
        ),
        row(
            "IPv6 networks of three providers",
            group(),
            older(ipv6CidrBlocks=["2001:db8::/32", "2a00:1::/32", "2600:1::/32"]),
        ),
        row(
            "half of the world in a prefix list of the stack",
            prefix_list(*HALF_OF_THE_WORLD),
            *one_rule(prefixListId=Of("list")),
        ),
        row(
            "SSH, by ranges that meet at port 22",
            group(),
            older("low", cidrBlocks=HALF_OF_THE_WORLD[::2], fromPort=0, toPort=22),
            older("high", cidrBlocks=HALF_OF_THE_WORLD[1::2], fromPort=22, toPort=80),
        ),
    ),
]
