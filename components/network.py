"""The network of a cluster: VPC, subnets, and security groups with one resource a rule, each rule with its reason.

Which subnets and rules, and why: `subnets.py` and `flows.py` in `chef_push_jobs/model/`, and
`chef_push_jobs/network/security_groups.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_aws as aws

from chef_push_jobs.model.flows import ICMP
from chef_push_jobs.network.security_groups import NAT_ADDRESS, SecurityGroupRule

from .component import Component, tags
from .vpc import ManagedVpc, ManagedVpcArgs, Vpc


@dataclass(frozen=True)
class NetworkArgs:
    """`vpc` is a VPC to create, or an existing one. Rules refer to `security_groups` by name.

    `public_addresses` are the addresses of servers that a rule's source names, by server.
    """

    vpc: ManagedVpcArgs | Vpc
    security_groups: Sequence[str]
    ingress_rules: Sequence[SecurityGroupRule]
    egress_rules: Sequence[SecurityGroupRule]
    tags: Mapping[str, str]
    public_addresses: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)


class Network(Component):
    """`push_jobs_rules` open the push jobs ports: the runbook's firewall step. An existing VPC is not changed."""

    def __init__(
        self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None, *, prefix: str | None = None
    ) -> None:
        made = args.vpc if isinstance(args.vpc, ManagedVpcArgs) else None
        props = {
            "cidr": made and made.cidr,
            "subnets": [subnet.name for subnet in made.subnets] if made else [],
            "vpcId": None if isinstance(args.vpc, ManagedVpcArgs) else args.vpc.id,
            "securityGroups": list(args.security_groups),
            "tags": dict(args.tags),
        }
        super().__init__("ChefNetwork", name, props, opts, prefix)
        self._tags, self._public_addresses = args.tags, args.public_addresses
        self.vpc = ManagedVpc(name, args.vpc, self.child_opts).vpc if isinstance(args.vpc, ManagedVpcArgs) else args.vpc
        self.security_groups = {tier: self._group(tier) for tier in args.security_groups}
        self.push_jobs_rules: list[pulumi.CustomResource] = []
        for rule in args.ingress_rules:
            ingress = self._ingress(rule)
            if rule.push_jobs:
                self.push_jobs_rules.append(ingress)
        for rule in args.egress_rules:
            self._egress(rule)
        groups = {tier: group.id for tier, group in self.security_groups.items()}
        self.register_outputs({"vpcId": self.vpc.id, "securityGroupIds": groups})

    def _group(self, tier: str) -> aws.ec2.SecurityGroup:
        name = f"{self.prefix}{tier}"
        return aws.ec2.SecurityGroup(
            name,
            vpc_id=self.vpc.id,
            description=f"Chef server: {tier}",
            tags=tags(self._tags, name),
            opts=self.child_opts,
        )

    def _ingress(self, rule: SecurityGroupRule) -> aws.vpc.SecurityGroupIngressRule:
        return aws.vpc.SecurityGroupIngressRule(f"{self.prefix}in-{rule.name}", **self._rule(rule))

    def _egress(self, rule: SecurityGroupRule) -> aws.vpc.SecurityGroupEgressRule:
        return aws.vpc.SecurityGroupEgressRule(f"{self.prefix}out-{rule.name}", **self._rule(rule))

    def _rule(self, rule: SecurityGroupRule) -> dict[str, Any]:
        """The arguments that both directions share."""
        other = self.security_groups.get(rule.source)
        return {
            "security_group_id": self.security_groups[rule.group].id,
            "ip_protocol": rule.protocol,
            "from_port": -1 if rule.protocol == ICMP else rule.port,
            "to_port": -1 if rule.protocol == ICMP else rule.port,
            "cidr_ipv4": None if other else self._network(rule),
            "referenced_security_group_id": other.id if other else None,
            "description": rule.reason,
            "tags": tags(self._tags, f"{self.prefix}{rule.name}"),
            "opts": self.child_opts,
        }

    def _network(self, rule: SecurityGroupRule) -> pulumi.Input[str]:
        """The network of a rule, also if AWS assigns its address."""
        if rule.server is not None:
            return pulumi.Output.format("{0}/32", self._public_addresses[rule.server])
        if rule.source == NAT_ADDRESS:
            assert self.vpc.nat is not None
            return pulumi.Output.format("{0}/32", self.vpc.nat)
        return rule.source
