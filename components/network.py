"""The network of a cluster: VPC, subnets, and security groups with one resource a rule, each rule with its reason.

What there is, and why, is in `subnets.py` and `firewall.py`.
"""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_aws as aws

from components.firewall import Rule, groups, groups_of, rules, ways_out
from components.premises import Premises
from components.settings import Settings
from components.topology import Role, Server
from components.vpc import MadeVpc, Place, found_vpc


class ChefNetwork(pulumi.ComponentResource):
    """`push_jobs_rules` open the push jobs ports: the runbook's firewall step. `premises` are of an existing VPC."""

    def __init__(
        self, name: str, settings: Settings, premises: Premises, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("chef-push-jobs:index:ChefNetwork", name, None, opts)
        self._settings, self._child = settings, pulumi.ResourceOptions(parent=self)
        made = settings.file.network.vpc_id is None
        self.vpc = MadeVpc(name, settings, self._child).vpc if made else found_vpc(settings, premises)
        self._groups = {tier: self._group(tier) for tier in groups(settings)}
        self.push_jobs_rules: list[pulumi.CustomResource] = []
        for rule in rules(settings):
            ingress = self._ingress(rule)
            if rule.push_jobs:
                self.push_jobs_rules.append(ingress)
        for rule in ways_out(settings, self.vpc.inside):
            self._egress(rule)
        self.register_outputs({})

    def subnet(self, server: Server) -> Place:
        """Backends share one; frontends take turns."""
        places = self.vpc.servers[server.role]
        tier = [each for each in self._settings.topology.servers if each.role is server.role]
        return places[tier.index(server) % len(places)]

    @property
    def public_subnet(self) -> Place:
        """Where a bastion stands."""
        return self.vpc.public[0]

    @property
    def load_balancer_subnets(self) -> list[pulumi.Input[str]]:
        tier = Role.FRONTEND if self._settings.topology.frontends else Role.BACKEND
        public = self._settings.file.entry.load_balancer == "public"
        return [place.id for place in (self.vpc.public if public else self.vpc.servers[tier])]

    def groups(self, server: Server) -> list[aws.ec2.SecurityGroup]:
        return [self._groups[name] for name in groups_of(server, self._settings.topology)]

    def group(self, name: str) -> aws.ec2.SecurityGroup:
        return self._groups[name]

    def _group(self, tier: str) -> aws.ec2.SecurityGroup:
        return aws.ec2.SecurityGroup(
            tier,
            vpc_id=self.vpc.id,
            description=f"Chef server: {tier}",
            tags=self._settings.tags(tier),
            opts=self._child,
        )

    def _ingress(self, rule: Rule) -> aws.vpc.SecurityGroupIngressRule:
        return aws.vpc.SecurityGroupIngressRule(f"in-{rule.name}", **self._rule(rule))

    def _egress(self, rule: Rule) -> aws.vpc.SecurityGroupEgressRule:
        return aws.vpc.SecurityGroupEgressRule(f"out-{rule.name}", **self._rule(rule))

    def _rule(self, rule: Rule) -> dict[str, Any]:
        """The arguments, which both directions have in common."""
        other = self._groups.get(rule.source)
        return {
            "security_group_id": self._groups[rule.group].id,
            "ip_protocol": "-1" if rule.port is None else "tcp",
            "from_port": rule.port,
            "to_port": rule.port,
            "cidr_ipv4": None if other else rule.source,
            "referenced_security_group_id": other.id if other else None,
            "description": rule.reason,
            "tags": self._settings.tags(rule.name),
            "opts": self._child,
        }
