"""Rows of load balancers and their like, of tags, and of descriptions."""

from __future__ import annotations

from policy.tokens import EGRESS_RULE, VOLUME
from tests.policies.parts import (
    API,
    COMMAND,
    HEARTBEAT,
    NODES,
    SSH,
    Of,
    accelerator,
    classic,
    distribution,
    endpoints,
    group,
    inside,
    listener,
    made,
    older,
    one_rule,
    refused_by,
    row,
    server,
    target,
    targets,
)

REFUSED = [
    *refused_by(
        "load-balancers-lead-elsewhere",
        row("a target group on the heartbeat port", targets(HEARTBEAT)),
        row("a target group on the API port, by its other name `aws.alb`", targets(API, of="alb", protocol="HTTP")),
        row("a target group on port 22", targets(22, protocol="TCP_UDP")),
        row(
            "a target on the stack's SSH port, in a target group on 443",
            targets(443),
            target(targetGroupArn=Of("targets", "arn"), port=SSH),
        ),
        row("a listener on the command port, to targets of another stack", listener(COMMAND)),
        row("a listener of `aws.alb` on the heartbeat port", listener(HEARTBEAT, of="alb")),
        row("a target of `aws.alb` on port 22", target(of="alb", targetGroupArn="arn:aws:1", port=22)),
        row("a classic load balancer that leads 443 to port 22", classic(instancePort=22)),
        row("a classic load balancer on the heartbeat port", classic(lbPort=HEARTBEAT)),
        row("an accelerator on every port", accelerator(1, 65535)),
        row(
            "an accelerator that leads 443 to port 22",
            endpoints("endpointGroup:EndpointGroup", portOverrides=[{"listenerPort": 443, "endpointPort": 22}]),
        ),
        row(
            "an accelerator with routing of its own, to a range",
            endpoints(
                "customRoutingEndpointGroup:CustomRoutingEndpointGroup",
                destinationConfigurations=[{"fromPort": 10000, "toPort": 12000, "protocols": ["TCP"]}],
            ),
        ),
        row(
            "a target group of VPC Lattice on the API port",
            made(
                "aws:vpclattice/targetGroup:TargetGroup",
                "targets",
                type="INSTANCE",
                config={"port": API, "protocol": "HTTP", "vpcIdentifier": "vpc-1"},
            ),
        ),
        row(
            "a target of VPC Lattice on port 22",
            made(
                "aws:vpclattice/targetGroupAttachment:TargetGroupAttachment",
                "target",
                targetGroupIdentifier="tg-1",
                target={"id": "i-1", "port": 22},
            ),
        ),
        row(
            "a listener of VPC Lattice on the command port",
            made(
                "aws:vpclattice/listener:Listener",
                "listener",
                serviceIdentifier="svc-1",
                protocol="HTTPS",
                port=COMMAND,
                defaultAction={"forwards": [{"targetGroups": [{"targetGroupIdentifier": "tg-1"}]}]},
            ),
        ),
        row(
            "a resource of VPC Lattice with the ports `10000-10003`",
            made(
                "aws:vpclattice/resourceConfiguration:ResourceConfiguration",
                "shared",
                portRanges=["10000-10003"],
                protocol="TCP",
            ),
        ),
        row("a CloudFront distribution of the API", distribution(httpPort=API)),
        row(
            "a CloudFront origin in the VPC, on the API port",
            made(
                "aws:cloudfront/vpcOrigin:VpcOrigin",
                "origin",
                vpcOriginEndpointConfig={
                    **{"name": "chef", "arn": "arn:aws:ec2:1", "originProtocolPolicy": "http-only"},
                    **{"originSslProtocols": {"items": ["TLSv1.2"], "quantity": 1}, "httpPort": API, "httpsPort": 443},
                },
            ),
        ),
    ),
    *refused_by(
        "tags-present",
        row("a server without a `Name`", server(tags={"Role": "backend", "team": "chef"})),
        row("a server without the stack's tags", server(tags={"Role": "backend", "Name": "server"})),
        row("a volume without any tags", made(VOLUME, "volume", tags=None)),
    ),
    *refused_by(
        "rules-described",
        row("a security group without a description", group(description=None)),
        row("a rule without a description", *one_rule(cidrIpv4=NODES[0], description=None)),
        row("a rule of the older kind without one", group(), older(cidrBlocks=NODES, description=None)),
        row("a rule inside of a group without one", inside(cidrBlocks=NODES, description="")),
        row(
            "a way out without a description",
            group(),
            made(EGRESS_RULE, "out", securityGroupId=Of("group"), description=None),
        ),
    ),
]
