"""The network of a cluster: VPC, subnets, and security groups with one resource a rule, each rule with its reason."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.chef_ports import BACKEND_PORTS, ENTRY_PORTS, REPLICATION_PORTS
from components.settings import Settings
from components.topology import Role, Server, Topology


@dataclass(frozen=True)
class Rule:
    """TCP to `port` of the members of `group` is allowed from `source`: a network, or the name of a group."""

    name: str
    group: str
    port: int
    source: str
    reason: str
    push_jobs: bool = False


def rules(settings: Settings) -> Iterator[Rule]:
    """Every way into the cluster. The groups are `backend`, `frontend` (where there are frontends) and `primary`.

    Names have the port and the network, so that another network concerns no rule but its own, and another push jobs
    port is opened before the tasks run, while the old one is closed after them.
    """
    file, topology = settings.file, settings.topology
    tiers = ("backend", "frontend") if topology.frontends else ("backend",)
    entry = tiers[-1]
    clients = {
        file.push_jobs.heartbeat_port: "push jobs heartbeat",
        file.push_jobs.command_port: "push jobs commands",
    }
    for cidr in file.client_cidrs:
        for port, reason in clients.items():
            name = f"push-jobs-{port}-{_slug(cidr)}"
            yield Rule(name, "backend", port, cidr, f"{reason} from clients", push_jobs=True)
        for port, reason in ENTRY_PORTS.items():
            yield Rule(f"entry-{port}-{_slug(cidr)}", entry, port, cidr, f"{reason} from clients")
    for tier in tiers:
        for cidr in file.operator_cidrs:
            yield Rule(f"ssh-{tier}-{_slug(cidr)}", tier, file.ssh.port, cidr, "SSH from operators")
    yield from _between(settings, topology, tiers)


def _slug(cidr: str) -> str:
    return cidr.replace("/", "-")


def _between(settings: Settings, topology: Topology, tiers: Sequence[str]) -> Iterator[Rule]:
    """What the servers use among themselves."""
    port = settings.file.ssh.port
    if topology.others:
        for tier in tiers:
            yield Rule(f"copy-{tier}", "primary", port, tier, "SSH for the copy from the primary")
    if topology.frontends:
        api = settings.file.push_jobs.api_port
        yield Rule(f"api-{api}", "backend", api, "frontend", "push jobs API from frontends", push_jobs=True)
        for number, reason in {**BACKEND_PORTS, **ENTRY_PORTS}.items():
            yield Rule(f"backend-{number}", "backend", number, "frontend", f"{reason} from frontends")
    if len(topology.backends) > 1:
        for number, reason in {**BACKEND_PORTS, **REPLICATION_PORTS}.items():
            yield Rule(f"peer-{number}", "backend", number, "backend", f"{reason} between backends")


class ChefNetwork(pulumi.ComponentResource):
    """A VPC with a subnet for each tier. `push_jobs_rules` open the push jobs ports: the runbook's firewall step."""

    def __init__(self, name: str, settings: Settings, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("chef-push-jobs:index:ChefNetwork", name, None, opts)
        self._settings, self._child = settings, pulumi.ResourceOptions(parent=self)
        self._vpc(name)
        self._groups = {tier: self._group(tier) for tier in self._tiers()}
        self.push_jobs_rules: list[pulumi.CustomResource] = []
        for rule in rules(settings):
            made = self._ingress(rule)
            if rule.push_jobs:
                self.push_jobs_rules.append(made)
        for tier in self._groups:
            if tier != "primary":
                self._egress(tier)
        self.register_outputs({})

    def subnet(self, server: Server) -> aws.ec2.Subnet:
        return self._subnets[server.role]

    def groups(self, server: Server) -> list[aws.ec2.SecurityGroup]:
        names = ["primary"] if server == self._settings.topology.primary and "primary" in self._groups else []
        return [self._groups[name] for name in (str(server.role), *names)]

    def _tags(self, name: str) -> dict[str, str]:
        return {**self._settings.file.tags, "Name": name}

    def _tiers(self) -> list[str]:
        topology = self._settings.topology
        return ["backend", *(["frontend"] if topology.frontends else []), *(["primary"] if topology.others else [])]

    def _vpc(self, name: str) -> None:
        file, child = self._settings.file, self._child
        self.vpc = aws.ec2.Vpc(
            name, cidr_block=file.vpc_cidr, enable_dns_hostnames=True, tags=self._tags(name), opts=child
        )
        gateway = aws.ec2.InternetGateway(f"{name}-internet", vpc_id=self.vpc.id, tags=self._tags(name), opts=child)
        routes = aws.ec2.RouteTable(f"{name}-routes", vpc_id=self.vpc.id, tags=self._tags(name), opts=child)
        aws.ec2.Route(
            f"{name}-to-internet",
            route_table_id=routes.id,
            destination_cidr_block="0.0.0.0/0",
            gateway_id=gateway.id,
            opts=child,
        )
        self._subnets = {}
        for number, role in enumerate(Role):
            if role is Role.FRONTEND and not self._settings.topology.frontends:
                continue
            block = _subnet_block(file.vpc_cidr, number)
            tier = f"{name}-{role}"
            subnet = aws.ec2.Subnet(tier, vpc_id=self.vpc.id, cidr_block=block, tags=self._tags(tier), opts=child)
            aws.ec2.RouteTableAssociation(tier, subnet_id=subnet.id, route_table_id=routes.id, opts=child)
            self._subnets[role] = subnet

    def _group(self, tier: str) -> aws.ec2.SecurityGroup:
        return aws.ec2.SecurityGroup(
            tier,
            vpc_id=self.vpc.id,
            description=f"Chef server: {tier}",
            tags=self._tags(tier),
            opts=self._child,
        )

    def _ingress(self, rule: Rule) -> aws.vpc.SecurityGroupIngressRule:
        source = self._groups.get(rule.source)
        return aws.vpc.SecurityGroupIngressRule(
            f"in-{rule.name}",
            security_group_id=self._groups[rule.group].id,
            ip_protocol="tcp",
            from_port=rule.port,
            to_port=rule.port,
            cidr_ipv4=None if source else rule.source,
            referenced_security_group_id=source.id if source else None,
            description=rule.reason,
            tags=self._tags(rule.name),
            opts=self._child,
        )

    def _egress(self, tier: str) -> None:
        """Out: anywhere inside the VPC, and the web for packages."""
        ways: dict[str, tuple[str, int | None, str]] = {
            "vpc": ("-1", None, "to the other servers"),
            "https": ("tcp", 443, "packages"),
            "http": ("tcp", 80, "packages"),
        }
        for name, (protocol, port, reason) in ways.items():
            aws.vpc.SecurityGroupEgressRule(
                f"out-{tier}-{name}",
                security_group_id=self._groups[tier].id,
                ip_protocol=protocol,
                from_port=port,
                to_port=port,
                cidr_ipv4=self._settings.file.vpc_cidr if protocol == "-1" else "0.0.0.0/0",
                description=reason,
                tags=self._tags(f"{tier}-{name}"),
                opts=self._child,
            )


def _subnet_block(vpc: str, number: int) -> str:
    """The subnet of tier `number`: a quarter of a small VPC, a /20 of a large one."""
    network = ipaddress.IPv4Network(vpc)
    blocks = network.subnets(new_prefix=max(20, network.prefixlen + 2))
    return str(next(block for position, block in enumerate(blocks) if position == number))
