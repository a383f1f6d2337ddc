"""Rows of who gets into a group that push jobs is open in."""

from __future__ import annotations

from policy.tokens import DEFAULT_GROUP, GROUP_ATTACHMENT, INTERFACE_ATTACHMENT
from tests.policies.parts import (
    NODES,
    Made,
    Of,
    configuration,
    fleet,
    frontend,
    group,
    interface,
    launch,
    made,
    mixed,
    port,
    refused_by,
    row,
    rule,
    scaling_group,
    server,
    spot,
    spot_fleet,
    subnet,
    tagged,
    template,
    written,
)

IN = [Of("backends")]
SPOT = "imdsv2-required"  # whatever else is wrong with a spot request


def backends(*others: Made) -> tuple[Made, ...]:
    """Their group, with the heartbeat port open to nodes, and who gets into it."""
    return group("backends"), rule(of=Of("backends"), cidrIpv4=NODES[0]), *others


NO_GROUP = frontend(vpcSecurityGroupIds=None, subnetId=Of("subnet"))


def balancer(**props: object) -> Made:
    return made("aws:lb/loadBalancer:LoadBalancer", "balancer", **props)


def attached(token: str, **props: object) -> Made:
    return made(token, "attachment", **props)


REFUSED = refused_by(
    "push-jobs-on-backends-only",
    row("a frontend in the backends' group, as an argument", *backends(frontend(vpcSecurityGroupIds=IN))),
    row(
        "a frontend in the groups that a backend is in (`backend.vpc_security_group_ids`)",
        *backends(
            server("backend", vpcSecurityGroupIds=IN),
            frontend(vpcSecurityGroupIds=Of("backend", "vpcSecurityGroupIds")),
        ),
    ),
    row("a server without a tag `Role` in it", *backends(server(role=None, vpcSecurityGroupIds=IN))),
    row("a frontend in it by the group's name", *backends(frontend(securityGroups=[Of("backends", "name")]))),
    row(
        "a frontend's network interface in it, as an argument",
        *backends(
            interface(securityGroups=IN),
            frontend(networkInterfaces=[{"deviceIndex": 0, "networkInterfaceId": Of("interface")}]),
        ),
    ),
    row(
        "a frontend's primary network interface in it",
        *backends(
            interface(securityGroups=IN),
            frontend(primaryNetworkInterface={"networkInterfaceId": Of("interface")}),
        ),
    ),
    row(
        "a network interface in it, attached to a frontend by a resource",
        *backends(
            interface(securityGroups=IN),
            frontend(),
            attached(INTERFACE_ATTACHMENT, deviceIndex=1, instanceId=Of("server"), networkInterfaceId=Of("interface")),
        ),
    ),
    row(
        "a network interface in it that attaches itself to a frontend",
        *backends(
            frontend(),
            interface(securityGroups=IN, attachments=[{"instance": Of("server"), "deviceIndex": 1}]),
        ),
    ),
    row("a network interface in it that anybody may attach", *backends(interface(None, securityGroups=IN))),
    row(
        "the group given to a frontend's network interface (`NetworkInterfaceSecurityGroupAttachment`)",
        *backends(
            frontend(),
            attached(
                GROUP_ATTACHMENT, securityGroupId=IN[0], networkInterfaceId=Of("server", "primaryNetworkInterfaceId")
            ),
        ),
    ),
    row(
        "the group given to a network interface of another stack",
        *backends(attached(GROUP_ATTACHMENT, securityGroupId=IN[0], networkInterfaceId="eni-1")),
    ),
    row(
        "a frontend from a launch template with the group",
        *backends(template(vpcSecurityGroupIds=IN), frontend(launchTemplate={"id": Of("template")})),
    ),
    row(
        "an autoscaling group of frontends, by a launch template's network interface",
        *backends(
            template(vpcSecurityGroupIds=None, networkInterfaces=[{"securityGroups": IN}]),
            scaling_group("frontend", launchTemplate={"id": Of("template"), "version": "$Latest"}),
        ),
    ),
    row(
        "an autoscaling group of frontends, by a mixed instances policy, from a launch template that says backend",
        *backends(template("backend", vpcSecurityGroupIds=IN), scaling_group("frontend", mixedInstancesPolicy=mixed())),
    ),
    row(
        "an autoscaling group of frontends, by a launch configuration",
        *backends(
            configuration(securityGroups=IN),
            scaling_group("frontend", launchConfiguration=Of("configuration", "name")),
        ),
    ),
    row(
        "an autoscaling group whose machines do not get its tag `Role`",
        *backends(
            template(vpcSecurityGroupIds=IN),
            scaling_group("backend", propagated=False, launchTemplate={"id": Of("template")}),
        ),
    ),
    row(
        "a launch template for frontends that nobody uses yet",
        *backends(template("frontend", vpcSecurityGroupIds=IN)),
    ),
    row(
        "an EC2 fleet, by a launch template without a tag `Role`",
        *backends(template(vpcSecurityGroupIds=IN), fleet(Of("template"))),
    ),
    row("a spot instance that is a frontend", *backends(spot("frontend", vpcSecurityGroupIds=IN)), also=SPOT),
    row(
        "a spot fleet of frontends, by a launch template",
        *backends(
            template("frontend", vpcSecurityGroupIds=IN),
            spot_fleet(launchTemplateConfigs=[{"launchTemplateSpecification": {"id": Of("template"), "version": "1"}}]),
        ),
    ),
    row(
        "a spot fleet of frontends, by its own launch specification",
        *backends(
            spot_fleet(launchSpecifications=launch(vpcSecurityGroupIds=IN, tags=tagged("fleet", "frontend"))),
        ),
        also=SPOT,
    ),
    row(
        "a load balancer in the group, with the tag of a backend",
        *backends(balancer(securityGroups=IN, tags=tagged("balancer", "backend"))),
    ),
    row(
        "a function of Lambda in the group",
        *backends(
            made(
                "aws:lambda/function:Function",
                "function",
                role="arn:aws:iam::1:role/function",
                vpcConfig={"securityGroupIds": IN, "subnetIds": ["subnet-1"]},
            )
        ),
    ),
    row(
        "a VPC endpoint in the group, by a resource of its own",
        *backends(
            attached(
                "aws:ec2/securityGroupAssociation:SecurityGroupAssociation",
                securityGroupId=IN[0],
                vpcEndpointId="vpce-1",
            )
        ),
    ),
    row(
        "the port open in the frontends' own group",
        group("frontends"),
        rule(of=Of("frontends"), cidrIpv4=NODES[0]),
        frontend(vpcSecurityGroupIds=[Of("frontends")]),
    ),
    row(
        "the port open in the group that a frontend is in (`frontend.vpc_security_group_ids[0]`)",
        group("frontends"),
        frontend(vpcSecurityGroupIds=[Of("frontends")]),
        rule(of=Of("server", "vpcSecurityGroupIds", 0), cidrIpv4=NODES[0]),
    ),
    row(
        "every port open between the frontends",
        group("frontends", ingress=[written(self=True, protocol="-1", **port(0))]),
        frontend(vpcSecurityGroupIds=[Of("frontends")]),
    ),
    row(
        "the port and a frontend in a group of another stack",
        rule(of="sg-2", cidrIpv4=NODES[0]),
        frontend(vpcSecurityGroupIds=["sg-2"]),
    ),
    row(
        "the port open in the default group, and a frontend that has no other one",
        *subnet(),
        made(DEFAULT_GROUP, "default", vpcId=Of("vpc"), ingress=[written(cidrBlocks=NODES)]),
        NO_GROUP,
    ),
    row(
        "the same by a rule for `vpc.default_security_group_id`",
        *subnet(),
        rule(of=Of("vpc", "defaultSecurityGroupId"), cidrIpv4=NODES[0]),
        NO_GROUP,
    ),
    row(
        "the same by a rule for the `DefaultSecurityGroup`",
        *subnet(),
        made(DEFAULT_GROUP, "default", vpcId=Of("vpc")),
        rule(of=Of("default"), cidrIpv4=NODES[0]),
        NO_GROUP,
    ),
    row(
        "a network interface that says no group, where the default one has the port open",
        *subnet(),
        rule(of=Of("vpc", "defaultSecurityGroupId"), cidrIpv4=NODES[0]),
        interface(None, securityGroups=None, subnetId=Of("subnet")),
    ),
    row(
        "a launch template whose network interface says no group, likewise",
        *subnet(),
        rule(of=Of("vpc", "defaultSecurityGroupId"), cidrIpv4=NODES[0]),
        template(vpcSecurityGroupIds=None, networkInterfaces=[{"subnetId": Of("subnet")}]),
    ),
)
