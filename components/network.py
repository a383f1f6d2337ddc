"""The network of a cluster: VPC, subnets, and security groups with one resource a rule, each rule with its reason.

What there is, and why, is in `model/subnets.py`, `model/flows.py` and `network/security_groups.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_aws as aws

from chef_push_jobs.config.settings import Settings
from chef_push_jobs.model.flows import ICMP
from chef_push_jobs.model.topology import Role, Server
from chef_push_jobs.network.existing_network import ExistingNetwork
from chef_push_jobs.network.security_groups import (
    NAT_ADDRESS,
    SecurityGroupRule,
    egress_rules,
    groups,
    groups_of,
    ingress_rules,
)

from .vpc import ManagedVpc, Place, found_vpc


class ChefNetwork(pulumi.ComponentResource):
    """`push_jobs_rules` open the push jobs ports: the runbook's firewall step. `premises` are of an existing VPC."""

    def __init__(
        self, name: str, settings: Settings, premises: ExistingNetwork, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("chef-push-jobs:index:ChefNetwork", name, None, opts)
        self._settings, self._child = settings, pulumi.ResourceOptions(parent=self)
        made = settings.config.network.vpc_id is None
        self.vpc = ManagedVpc(name, settings, self._child).vpc if made else found_vpc(settings, premises)
        self._groups = {tier: self._group(tier) for tier in groups(settings)}
        self.push_jobs_rules: list[pulumi.CustomResource] = []
        for rule in ingress_rules(settings):
            if rule.server is None:
                self._let_in(rule)
        for rule in egress_rules(settings):
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
        public = self._settings.config.entry.load_balancer == "public"
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

    def let_in(self, machines: Mapping[str, aws.ec2.Instance]) -> None:
        """The rules for public addresses of `machines`, which are known once those are made."""
        for rule in ingress_rules(self._settings):
            if rule.server is not None:
                self._let_in(rule, machines[rule.server].public_ip)

    def _let_in(self, rule: SecurityGroupRule, address: pulumi.Input[str] | None = None) -> None:
        made = aws.vpc.SecurityGroupIngressRule(f"in-{rule.name}", **self._rule(rule, address))
        if rule.push_jobs:
            self.push_jobs_rules.append(made)

    def _egress(self, rule: SecurityGroupRule) -> aws.vpc.SecurityGroupEgressRule:
        return aws.vpc.SecurityGroupEgressRule(f"out-{rule.name}", **self._rule(rule))

    def _rule(self, rule: SecurityGroupRule, address: pulumi.Input[str] | None = None) -> dict[str, Any]:
        """The arguments, which both directions have in common; `address` is that of a source which AWS chose."""
        other = self._groups.get(rule.source)
        network: pulumi.Input[str] = rule.source
        if rule.source == NAT_ADDRESS:
            address = self.vpc.nat
        if address is not None:
            network = pulumi.Output.format("{0}/32", address)
        return {
            "security_group_id": self._groups[rule.group].id,
            "ip_protocol": rule.protocol,
            "from_port": -1 if rule.protocol == ICMP else rule.port,
            "to_port": -1 if rule.protocol == ICMP else rule.port,
            "cidr_ipv4": None if other else network,
            "referenced_security_group_id": other.id if other else None,
            "description": rule.reason,
            "tags": self._settings.tags(rule.name),
            "opts": self._child,
        }
