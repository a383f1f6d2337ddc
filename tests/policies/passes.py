"""Rows that pass: look-alikes of what is refused that are right, and what the policies cannot see."""

from __future__ import annotations

from policy.tokens import (
    DEFAULT_GROUP,
    DEFAULT_VPC,
    EGRESS_RULE,
    ENCRYPTION_BY_DEFAULT,
    EXCLUSIVE_RULES,
    GROUP_ATTACHMENT,
    IMAGE,
    IMAGE_FROM_INSTANCE,
    METADATA_DEFAULTS,
    SNAPSHOT,
    SNAPSHOT_COPY,
    VOLUME,
    VPC,
    VPC_ASSOCIATION,
)
from tests.policies.machines import UNSAID, hops, of_image
from tests.policies.members import IN, backends
from tests.policies.networks import world
from tests.policies.parts import (
    API,
    HEARTBEAT,
    NODES,
    ROOT,
    SSH,
    TOKENS,
    WORLD,
    Made,
    Of,
    accelerator,
    classic,
    configuration,
    distribution,
    fleet,
    group,
    interface,
    listener,
    made,
    older,
    one_rule,
    port,
    prefix_list,
    row,
    rule,
    scaling_group,
    server,
    target,
    targets,
    template,
    written,
)

PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"]
FROM_TEMPLATE = {"id": Of("template"), "version": Of("template", "latestVersion")}


def frontends(*others: Made) -> tuple[Made, ...]:
    """A frontend in a group of its own."""
    return group("frontends"), server("frontend", "frontend", vpcSecurityGroupIds=[Of("frontends")]), *others


def shared(value: object) -> Made:
    return made("aws:ssm/parameter:Parameter", "parameter", type="String", value=value)


RIGHT = [
    row("the nodes' network on the heartbeat port", *one_rule(cidrIpv4=NODES[0])),
    row("every private network", group(), older(cidrBlocks=PRIVATE, ipv6CidrBlocks=["fd00::/32", "fd01::/32"])),
    row("one network as wide as may be, and private ones", group(), older(cidrBlocks=["12.0.0.0/8", *PRIVATE])),
    row(
        "a hundred networks of one company, and two of IPv6",
        group(),
        older(
            cidrBlocks=[f"198.51.{third}.0/24" for third in range(100)],
            ipv6CidrBlocks=["2001:db8:1::/48", "2001:db8:2::/48"],
        ),
    ),
    row(
        "two groups with a wide network each, on a server each",
        *(group(f"group-{first}") for first in (11, 13)),
        *(rule(f"rule-{first}", Of(f"group-{first}"), cidrIpv4=f"{first}.0.0.0/8") for first in (11, 13)),
        *(server(f"server-{first}", vpcSecurityGroupIds=[Of(f"group-{first}")]) for first in (11, 13)),
    ),
    row("a prefix list with the nodes' network", prefix_list(*NODES), *one_rule(prefixListId=Of("list"))),
    row("a prefix list of AWS on 443", *one_rule(prefixListId="pl-3b927c52", **port(443))),
    row("443 open to the world", *world(**port(443))),
    row(
        "the ports beside push jobs' open to the world",
        group(),
        older("low", cidrBlocks=WORLD, fromPort=10004, toPort=10999),
        older("high", cidrBlocks=WORLD, fromPort=11001, toPort=65535),
    ),
    row("UDP on the heartbeat port's number", *world(ipProtocol="udp")),
    row("UDP as a number: 17", *world(ipProtocol=17)),
    row("ICMP from the world", *world(ipProtocol="icmp", **port(-1))),
    row("ICMP of IPv6 from the world", *one_rule(cidrIpv6="::/0", ipProtocol="icmpv6", **port(-1))),
    row(
        "VRRP between backends: protocol 112",
        *one_rule(referencedSecurityGroupId=Of("group"), ipProtocol="112", fromPort=None, toPort=None),
    ),
    row(
        "every way out, by a rule of each kind",
        group(),
        made(EGRESS_RULE, "out", securityGroupId=Of("group")),
        older("older-out", type="egress", cidrBlocks=WORLD, protocol="-1", **port(0)),
    ),
    row(
        "the API port open to the frontends' group",
        *frontends(group(), rule(referencedSecurityGroupId=Of("frontends"), **port(API))),
    ),
    row(
        "SSH open to the bastion's group and to the operators",
        group(),
        group("bastion"),
        rule("from-bastion", referencedSecurityGroupId=Of("bastion"), **port(22)),
        rule("from-operators", cidrIpv4="10.8.0.0/24", **port(SSH)),
    ),
    row(
        "the default group, with no rule in it",
        made(VPC, "vpc"),
        made(DEFAULT_GROUP, "default", vpcId=Of("vpc"), ingress=[], egress=[]),
    ),
    row(
        "a network ACL that lets everything through: the security groups decide",
        made(
            "aws:ec2/networkAcl:NetworkAcl",
            "acl",
            vpcId="vpc-1",
            ingress=[
                {
                    "ruleNo": 100,
                    "action": "allow",
                    "protocol": "-1",
                    "cidrBlock": "0.0.0.0/0",
                    "fromPort": 0,
                    "toPort": 0,
                }
            ],
        ),
    ),
    row(
        "a backend in the backends' group, a frontend in its own",
        *backends(server(vpcSecurityGroupIds=IN), *frontends()),
    ),
    row(
        "the backends' group as a source in a rule of the frontends'",
        *backends(*frontends(rule("back", Of("frontends"), referencedSecurityGroupId=Of("backends"), **port(443)))),
    ),
    row(
        "the same in rules inside of other groups",
        *backends(
            made(VPC, "vpc"),
            group("frontends", ingress=[written(securityGroups=IN, **port(443))]),
            made(DEFAULT_GROUP, "default", vpcId=Of("vpc"), ingress=[written(securityGroups=IN, **port(443))]),
        ),
    ),
    row(
        "the backends' group in another VPC too, its ways out, and no other rules than the stack's",
        *backends(
            made(EGRESS_RULE, "out", securityGroupId=IN[0]),
            made(VPC_ASSOCIATION, "association", securityGroupId=IN[0], vpcId="vpc-1"),
            made(EXCLUSIVE_RULES, "exclusive", securityGroupId=IN[0], ingressRuleIds=[], egressRuleIds=[]),
            made(DEFAULT_VPC, "vpc"),
        ),
    ),
    row(
        "the backends' group given to a backend's network interface",
        *backends(
            server(),
            made(
                GROUP_ATTACHMENT,
                "attachment",
                securityGroupId=IN[0],
                networkInterfaceId=Of("server", "primaryNetworkInterfaceId"),
            ),
        ),
    ),
    row(
        "a backend whose launch template says all the rest",
        *backends(
            template(vpcSecurityGroupIds=IN),
            server(vpcSecurityGroupIds=None, launchTemplate=FROM_TEMPLATE, **UNSAID),
        ),
    ),
    row(
        "an autoscaling group of backends",
        *backends(template(vpcSecurityGroupIds=IN), scaling_group("backend", launchTemplate=FROM_TEMPLATE)),
    ),
    row(
        "an autoscaling group of backends, by a launch configuration",
        *backends(
            configuration(securityGroups=IN),
            scaling_group("backend", launchConfiguration=Of("configuration", "name")),
        ),
    ),
    row(
        "a fleet of backends, which the launch template tags",
        *backends(template("backend", vpcSecurityGroupIds=IN), fleet(Of("template"))),
    ),
    row(
        "a backend's second network interface, and its public address",
        *backends(
            server(vpcSecurityGroupIds=IN),
            interface(securityGroups=IN, attachments=[{"instance": Of("server"), "deviceIndex": 1}]),
            made("aws:ec2/eip:Eip", "address", networkInterface=Of("interface")),
        ),
    ),
    row(
        "a VPC endpoint in a group of its own",
        *one_rule(cidrIpv4=NODES[0], **port(443)),
        made(
            "aws:ec2/vpcEndpoint:VpcEndpoint",
            "endpoint",
            vpcId="vpc-1",
            serviceName="com.amazonaws.us-east-1.ssm",
            securityGroupIds=[Of("group")],
        ),
    ),
    row(
        "a network load balancer on 443, whatever port its health check asks",
        targets(443, healthCheck={"protocol": "TCP", "port": str(SSH)}),
        listener(443),
    ),
    row("a target group of UDP on the heartbeat port's number", targets(HEARTBEAT, protocol="UDP")),
    row("a target group of QUIC on it", targets(HEARTBEAT, protocol="QUIC")),
    row("a classic load balancer on 443", classic()),
    row("an accelerator on 443", accelerator(443, 443)),
    row("a CloudFront distribution of the frontends", distribution()),
    row("an instance without metadata", server(metadataOptions={"httpEndpoint": "disabled"})),
    row("an instance with a hop limit of 1", server(metadataOptions=hops(1))),
    row("the account's default: a session token, and one hop", made(METADATA_DEFAULTS, "defaults", **hops(1))),
    row("a spot instance as EC2 makes them today", server(instanceMarketOptions={"marketType": "spot"})),
    row(
        "a launch template of an image with another root device",
        template(blockDeviceMappings=[{**ROOT, "deviceName": "/dev/xvda"}]),
    ),
    row(
        "a launch template that takes out a disk of the image",
        template(blockDeviceMappings=[ROOT, {"deviceName": "/dev/sdb", "noDevice": "true"}]),
    ),
    row(
        "an instance that takes out a disk of the host",
        server(ephemeralBlockDevices=[{"deviceName": "/dev/sdb", "noDevice": True}]),
    ),
    row(
        "a volume, its snapshot, an encrypted copy of that, and an image of the copy",
        made(VOLUME, "volume"),
        made(SNAPSHOT, "snapshot", volumeId=Of("volume")),
        made(SNAPSHOT_COPY, "copy", sourceRegion="us-east-1", sourceSnapshotId=Of("snapshot"), encrypted=True),
        made(IMAGE, "image", ebsBlockDevices=of_image(snapshotId=Of("copy"))),
    ),
    row(
        "an image of a server of the stack", server(), made(IMAGE_FROM_INSTANCE, "image", sourceInstanceId=Of("server"))
    ),
    row("the account's default: encryption", made(ENCRYPTION_BY_DEFAULT, "default", enabled=True)),
]

UNSEEN = [
    row("a frontend whose tag `Role` says that it is a backend", *backends(server("frontend", vpcSecurityGroupIds=IN))),
    row("a server in a group of another stack, whatever rules that has", server(vpcSecurityGroupIds=["sg-3"])),
    row("the backends' group, handed to another stack", *backends(shared(Of("backends")))),
    row(
        "the API port open to a group that is not the frontends'",
        group(),
        group("clients"),
        rule(referencedSecurityGroupId=Of("clients"), **port(API)),
    ),
    row("a network as wide as may be, whoever is in it: 12.0.0.0/8", *one_rule(cidrIpv4="12.0.0.0/8")),
    row(
        "a server behind a target group of another stack, whatever port that has",
        server(),
        target(targetGroupArn="arn:aws:elasticloadbalancing:1", targetId=Of("server")),
    ),
    row(
        "a proxy on 443 that hands on to the heartbeat port", server(userData="socat TCP-LISTEN:443 TCP:backend:11000")
    ),
    row(
        "an API Gateway that asks the API port",
        made(
            "aws:apigatewayv2/integration:Integration",
            "integration",
            apiId="api-1",
            integrationType="HTTP_PROXY",
            integrationUri=f"http://chef.example.com:{API}",
        ),
    ),
    row("a hop limit that the image or the account decides", server(metadataOptions=TOKENS)),
    row("an image that brings an unencrypted second volume, or another root device", server(ami="ami-2")),
    row(
        "an older version of a launch template, which was otherwise",
        template(),
        server(launchTemplate={"id": Of("template"), "version": "1"}, **UNSAID),
    ),
    row(
        "machines that other services start: EKS, ECS, EMR, Batch, Lightsail",
        made(
            "aws:lightsail/instance:Instance",
            "small",
            availabilityZone="us-east-1a",
            blueprintId="debian_12",
            bundleId="nano_3_0",
        ),
    ),
    row(
        "disks and databases of other services: EFS, FSx, RDS",
        made("aws:efs/fileSystem:FileSystem", "files", encrypted=False),
    ),
]
