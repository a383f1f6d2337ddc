"""What clients reach Chef server through: a network load balancer over the frontends, and its name in Route 53."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from chef_push_jobs.config.settings import Settings

from .network import ChefNetwork

PORTS = (443, 80)
# What tells that a frontend serves, whichever port is asked for: its status page, which asks all that it needs.
HEALTH: aws.lb.TargetGroupHealthCheckArgsDict = {"protocol": "HTTPS", "port": "443", "path": "/_status"}


class LoadBalancer(pulumi.ComponentResource):
    """A load balancer that is made, an existing one that the frontends are attached to, or nothing at all.

    `address` is the made one's own name, else None; `way_in` leads through it to the servers behind.
    """

    def __init__(
        self,
        name: str,
        settings: Settings,
        network: ChefNetwork,
        machines: Mapping[str, aws.ec2.Instance],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("chef-push-jobs:index:ChefEntry", name, None, opts)
        self._settings, self._network, self._machines = settings, network, machines
        self._child = pulumi.ResourceOptions(parent=self)
        self.address: pulumi.Output[str] | None = None
        self.way_in: list[pulumi.CustomResource] = []
        entry = settings.config.entry
        if entry.target_group_arn:
            self._attach(f"{name}-existing", entry.target_group_arn)
        if settings.makes_load_balancer:
            balancer = self._balancer(name)
            self.address = balancer.dns_name
            for port in PORTS:
                self._listen(f"{name}-{port}", balancer, port)
            if entry.record:
                self._record(name, entry.record.zone_id, balancer)
        self.register_outputs({})

    def _balancer(self, name: str) -> aws.lb.LoadBalancer:
        protect = self._settings.config.protect
        return aws.lb.LoadBalancer(
            name,
            load_balancer_type="network",
            internal=self._settings.config.entry.load_balancer == "internal",
            subnets=self._network.load_balancer_subnets,
            security_groups=[self._network.group("load-balancer").id],
            # Else a zone whose only frontend is down answers nobody.
            enable_cross_zone_load_balancing=True,
            enable_deletion_protection=protect,
            tags=self._settings.tags(name),
            opts=pulumi.ResourceOptions(parent=self, protect=protect, depends_on=self._network.public_subnet.ready),
        )

    def _listen(self, name: str, balancer: aws.lb.LoadBalancer, port: int) -> None:
        group = aws.lb.TargetGroup(
            name,
            port=port,
            protocol="TCP",
            target_type="instance",
            vpc_id=self._network.vpc.id,
            # A server that calls the API through the load balancer may be its own target, which works by this alone.
            preserve_client_ip=None if self._settings.topology.frontends else "false",
            health_check=HEALTH,
            tags=self._settings.tags(name),
            opts=self._child,
        )
        self._attach(name, group.arn)
        listener = aws.lb.Listener(
            name,
            load_balancer_arn=balancer.arn,
            port=port,
            protocol="TCP",
            default_actions=[{"type": "forward", "target_group_arn": group.arn}],
            tags=self._settings.tags(name),
            opts=self._child,
        )
        self.way_in.append(listener)

    def _attach(self, name: str, group_arn: pulumi.Input[str]) -> None:
        for server in self._settings.entry_servers:
            attached = aws.lb.TargetGroupAttachment(
                f"{name}-{server.name}",
                target_group_arn=group_arn,
                target_id=self._machines[server.name].id,
                opts=self._child,
            )
            self.way_in.append(attached)

    def _record(self, name: str, zone_id: str, balancer: aws.lb.LoadBalancer) -> None:
        alias: aws.route53.RecordAliasArgsDict = {
            "name": balancer.dns_name,
            "zone_id": balancer.zone_id,
            "evaluate_target_health": True,
        }
        record = aws.route53.Record(
            name, zone_id=zone_id, name=self._settings.api_fqdn, type="A", aliases=[alias], opts=self._child
        )
        self.way_in.append(record)
