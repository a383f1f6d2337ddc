"""How clients reach Chef server: a network load balancer in front of the frontends, and its name in Route 53."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from .component import Component, tags

PORTS = (443, 80)
# For all ports, a frontend is healthy if its status page says so: that page checks everything that the frontend needs.
HEALTH: aws.lb.TargetGroupHealthCheckArgsDict = {
    "protocol": "HTTPS",
    "port": "443",
    "path": "/_status",
    "interval": 10,
    "timeout": 6,
    "healthy_threshold": 3,
    "unhealthy_threshold": 3,
}
# Time until a machine that works again gets requests. AWS's defaults are assumed for an existing target group.
HEALTH_SECONDS, EXISTING_HEALTH_SECONDS = 3 * 10, 5 * 30


@dataclass(frozen=True)
class ManagedLoadBalancerArgs:
    """A load balancer to create, after `depends_on`; `zone_id` is the Route 53 zone that gets its name, if any.

    `targets_call` says that a target calls the API through the load balancer, which may send it to itself.
    """

    internal: bool
    vpc_id: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    security_group_id: pulumi.Input[str]
    protect: bool
    targets_call: bool
    zone_id: str | None = None
    depends_on: Sequence[pulumi.Resource] = ()


@dataclass(frozen=True)
class LoadBalancerArgs:
    """`targets` are the ids of the machines that answer clients, by server name; `fqdn` is the name that clients use.

    They are attached to the new load balancer, to the target group of an existing one, to both or to none.
    """

    fqdn: str
    targets: Mapping[str, pulumi.Input[str]]
    tags: Mapping[str, str]
    managed: ManagedLoadBalancerArgs | None = None
    target_group_arn: str | None = None


class LoadBalancer(Component):
    """`address` is the DNS name of a load balancer that is created, else None.

    `way_in` are the resources through which clients reach the servers behind it.
    """

    def __init__(
        self,
        name: str,
        args: LoadBalancerArgs,
        opts: pulumi.ResourceOptions | None = None,
        *,
        prefix: str | None = None,
    ) -> None:
        props = {
            "fqdn": args.fqdn,
            "targets": list(args.targets),
            "internal": args.managed and args.managed.internal,
            "zoneId": args.managed and args.managed.zone_id,
            "targetGroupArn": args.target_group_arn,
            "tags": dict(args.tags),
        }
        super().__init__("ChefEntry", name, props, opts, prefix)
        self._args = args
        self.address: pulumi.Output[str] | None = None
        self.way_in: list[pulumi.CustomResource] = []
        if args.target_group_arn:
            self._attach(f"{name}-existing", args.target_group_arn)
        if args.managed:
            balancer = self._balancer(name, args.managed)
            self.address = balancer.dns_name
            for port in PORTS:
                self._listen(f"{name}-{port}", args.managed, balancer, port)
            if args.managed.zone_id:
                self._record(name, args.managed.zone_id, balancer)
        self.register_outputs({"address": self.address} if self.address else {})

    def _balancer(self, name: str, args: ManagedLoadBalancerArgs) -> aws.lb.LoadBalancer:
        return aws.lb.LoadBalancer(
            name,
            load_balancer_type="network",
            internal=args.internal,
            subnets=args.subnet_ids,
            security_groups=[args.security_group_id],
            # Otherwise clients in a zone whose only frontend is down get no answer.
            enable_cross_zone_load_balancing=True,
            enable_deletion_protection=args.protect,
            tags=tags(self._args.tags, name),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect, depends_on=args.depends_on),
        )

    def _listen(self, name: str, args: ManagedLoadBalancerArgs, balancer: aws.lb.LoadBalancer, port: int) -> None:
        group = aws.lb.TargetGroup(
            name,
            port=port,
            protocol="TCP",
            target_type="instance",
            vpc_id=args.vpc_id,
            # A target can only reach itself if the load balancer's address replaces the caller's.
            preserve_client_ip="false" if args.targets_call else None,
            health_check=HEALTH,
            tags=tags(self._args.tags, name),
            opts=self.child_opts,
        )
        self._attach(name, group.arn)
        listener = aws.lb.Listener(
            name,
            load_balancer_arn=balancer.arn,
            port=port,
            protocol="TCP",
            default_actions=[{"type": "forward", "target_group_arn": group.arn}],
            tags=tags(self._args.tags, name),
            opts=self.child_opts,
        )
        self.way_in.append(listener)

    def _attach(self, name: str, group_arn: pulumi.Input[str]) -> None:
        for server, machine in self._args.targets.items():
            attached = aws.lb.TargetGroupAttachment(
                f"{name}-{server}", target_group_arn=group_arn, target_id=machine, opts=self.child_opts
            )
            self.way_in.append(attached)

    def _record(self, name: str, zone_id: str, balancer: aws.lb.LoadBalancer) -> None:
        alias: aws.route53.RecordAliasArgsDict = {
            "name": balancer.dns_name,
            "zone_id": balancer.zone_id,
            "evaluate_target_health": True,
        }
        record = aws.route53.Record(
            name, zone_id=zone_id, name=self._args.fqdn, type="A", aliases=[alias], opts=self.child_opts
        )
        self.way_in.append(record)
