"""The rules that join the settings of network, bastion and entry; what only AWS can tell is in
`network/existing_network.py`. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from chef_push_jobs.config.parser import Values, is_given
from chef_push_jobs.model.problems import Problem, without_use
from chef_push_jobs.model.ssh_keys import is_fingerprint
from chef_push_jobs.model.subnets import planned, room
from chef_push_jobs.model.topology import Role, Server

BASTION = "bastion"
MADE = ("vpcCidr", "network.private", "network.nat", "network.zones")
FOUND = (
    *("network.backendSubnetId", "network.frontendSubnetIds", "network.publicSubnetIds"),
    "network.natAddresses",
)
# Families whose attributes, after the number, have a g are Graviton's (EC2 user guide, "Naming conventions").
ARM64 = re.compile(r"(a1|[a-z]+\d+[a-z]*g[a-z]*)\.")


def problems(raw: Mapping[str, object], values: Values, servers: Sequence[Server]) -> list[Problem]:
    """`raw` is the stack's file, `values` are the settings in it that were understood."""
    if any(getattr(entry, "address", None) for entry in _list(values, "servers")):
        # None of the other settings apply to existing servers, and that is already reported.
        return list(_met_bastion(values, servers))
    frontends = any(server.role is Role.FRONTEND for server in servers)
    vpc = _found_vpc if values.get("network.vpcId") else _made_vpc
    return [
        *vpc(raw, values, frontends),
        *_bastion(values, servers),
        *_met_bastion(values, servers),
        *_balancer(values),
        *_backends_at_entry(values, servers),
        *_name(values),
        *_architecture(values),
    ]


def _list(values: Values, setting: str) -> list[object]:
    value = values.get(setting)
    return value if isinstance(value, list) else []


def _found_vpc(raw: Mapping[str, object], values: Values, frontends: bool) -> Iterator[Problem]:
    yield from without_use(
        [name for name in MADE if is_given(raw, name)], "it only applies to a VPC that the stack creates"
    )
    needs = {
        "backendSubnetId": (True, "backends are"),
        "frontendSubnetIds": (frontends, "frontends are"),
        "publicSubnetIds": (
            _makes(values, "bastion") or values.get("entry.loadBalancer") == "public",
            "a bastion and a public load balancer are",
        ),
    }
    for name, (needed, who) in needs.items():
        setting = f"network.{name}"
        if needed and setting in values and not values[setting]:
            yield Problem(setting, "not given", f"{who} in a subnet of the VPC set in vpcId", f"give {name}")
        for subnet, count in Counter(_list(values, setting)).items():
            if count > 1:
                yield Problem(setting, f"'{subnet}', twice", "each subnet may be listed only once", "remove one")


def _made_vpc(raw: Mapping[str, object], values: Values, frontends: bool) -> Iterator[Problem]:
    rule = "it only applies to an existing VPC, set in vpcId"
    if "network.vpcId" in values:
        yield from without_use([name for name in FOUND if is_given(raw, name)], rule)
    private, zones, vpc = (values.get(name) for name in ("network.private", "network.zones", "vpcCidr"))
    if values.get("network.nat") and private == "none":
        rule = "a NAT gateway is only useful for servers in private subnets"
        yield Problem("network.nat", "true, without private servers", rule, "set network.private, or remove it")
    if values.get("ssh.address") == "public" and private in ("backends", "servers"):
        rule = "servers in private subnets have no public address"
        yield Problem(
            "ssh.address", f"public, with network.private {private}", rule, "set it to private, and add a bastion"
        )
    for zone, count in Counter(_list(values, "network.zones")).items():
        if count > 1:
            yield Problem("network.zones", f"'{zone}', twice", "each zone may be listed only once", "remove one")
    if not isinstance(private, str) or not isinstance(zones, list) or not isinstance(vpc, str):
        return
    internet = _makes(values, "bastion") or bool(values.get("network.nat"))
    balancer = values.get("entry.loadBalancer") == "public"
    wanted = planned(private, zones, frontends=frontends, balancer=balancer, internet=internet)
    most = max(subnet.number for subnet in wanted) + 1
    if ipaddress.IPv4Network(vpc).prefixlen <= 24 and most > room(vpc):
        rule = f"it has room for {room(vpc)} subnets, but these zones and tiers need {most}"
        yield Problem("vpcCidr", f"'{vpc}'", rule, "choose a larger network or fewer zones")


def _makes(values: Values, section: str) -> bool:
    """Whether the stack has this section."""
    return any(name.startswith(f"{section}.") for name in values)


def _bastion(values: Values, servers: Sequence[Server]) -> Iterator[Problem]:
    if not _makes(values, "bastion"):
        return
    if _makes(values, "ssh.proxy"):
        rule = "connections can only go through one bastion"
        yield Problem(
            "bastion", "set together with ssh.proxy", rule, "remove ssh.proxy if the stack should create the bastion"
        )
    if any(server.name == BASTION for server in servers):
        rule = "the bastion that the stack creates has that name"
        yield Problem("servers", f"name '{BASTION}'", rule, "rename the server")


def _met_bastion(values: Values, servers: Sequence[Server]) -> Iterator[Problem]:
    key = str(values.get("ssh.proxy.hostKey") or "")
    met = _makes(values, "ssh.proxy") and (not key or is_fingerprint(key))
    if met and any(server.name == BASTION for server in servers):
        rule = "connect-bastion is the task that pins the host key of ssh.proxy"
        yield Problem("servers", f"name '{BASTION}'", rule, "rename the server")


def _balancer(values: Values) -> Iterator[Problem]:
    made, group = values.get("entry.loadBalancer"), values.get("entry.targetGroupArn")
    cidrs = values.get("entry.loadBalancerCidrs")
    if group and made in ("public", "internal"):
        rule = "clients use one load balancer: either a new one or an existing one"
        yield Problem("entry", f"loadBalancer {made} and targetGroupArn", rule, "remove one of the two")
    if group and cidrs == []:
        rule = "the firewall must allow the existing load balancer's networks"
        yield Problem(
            "entry.loadBalancerCidrs", "not given", rule, "set it to the networks of the load balancer's subnets"
        )
    if cidrs and "entry.targetGroupArn" in values and not group:
        rule = "it only applies to an existing load balancer, set in targetGroupArn"
        yield from without_use(["entry.loadBalancerCidrs"], rule)


CALLS = "the backends call the Chef server API as clients do (https://API_FQDN)"


def _backends_at_entry(values: Values, servers: Sequence[Server]) -> Iterator[Problem]:
    """Backends that have no way to the entry: push jobs there could not call the API."""
    made, private, vpc = (values.get(name) for name in ("entry.loadBalancer", "network.private", "network.vpcId"))
    if made == "public" and values.get("ssh.address") == "private":
        if vpc and values.get("network.natAddresses") == []:
            rule = f"{CALLS}, and reach a public load balancer from the addresses of the NAT gateways"
            remedy = "set it to the public addresses of the VPC's NAT gateways, or set entry.loadBalancer to internal"
            yield Problem("network.natAddresses", "not given", rule, remedy)
        if not vpc and private is not None and values.get("network.nat") is False:
            rule = f"{CALLS}, but without NAT or public addresses they cannot reach a public load balancer"
            remedy = "set network.private and network.nat, or entry.loadBalancer to internal"
            yield Problem("entry.loadBalancer", "public", rule, remedy)
    only, api = servers[0] if len(servers) == 1 else None, values.get("chefServer.apiFqdn")
    if only and values.get("entry.targetGroupArn") and api not in (None, only.fqdn):
        rule = f"{CALLS}, but a server cannot reach itself through a load balancer that preserves client addresses"
        remedy = (
            f"set chefServer.apiFqdn to {only.fqdn}, which the server resolves to itself, or have the stack create "
            "a load balancer"
        )
        yield Problem("entry.targetGroupArn", "given for one server", rule, remedy)


def _name(values: Values) -> Iterator[Problem]:
    made, api = values.get("entry.loadBalancer"), values.get("chefServer.apiFqdn")
    if "chefServer.apiFqdn" not in values or made is None:
        return
    record = _makes(values, "entry.record")
    name = values.get("entry.record.name")
    if record and made == "none":
        yield from without_use(["entry.record"], "it is an alias for a load balancer that the stack creates")
    if record and api and name and api != name:
        rule = "clients reach Chef server under one name, the one in its certificate"
        yield Problem("entry.record.name", f"'{name}', with apiFqdn {api}", rule, "set the name only once")
    if made != "none" and not api and not name and (not record or "entry.record.name" in values):
        rule = "clients need a name for Chef server that stays the same when the load balancer is replaced"
        yield Problem("chefServer.apiFqdn", "not given", rule, "set it, or set entry.record.name")


def _architecture(values: Values) -> Iterator[Problem]:
    wanted = values.get("machines.architecture")
    for setting in ("machines.instanceType", "bastion.instanceType"):
        kind = values.get(setting)
        if not isinstance(kind, str) or wanted is None:
            continue
        found = "arm64" if ARM64.match(kind) else "amd64"
        if found != wanted:
            rule = f"the servers, their image and packages are {wanted} (machines.architecture)"
            example = {"amd64": "m5.large or t3.micro", "arm64": "m6g.large or t4g.micro"}[str(wanted)]
            remedy = f"choose a type for {wanted}, for example {example}, or change machines.architecture"
            yield Problem(setting, f"'{kind}', which is {found}", rule, remedy)
