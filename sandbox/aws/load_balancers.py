"""The traffic of network load balancers: each has an address in the router and forwards connections to its targets.

Connections come from the load balancer's address, so rules that name its security group allow them. If the target group
preserves client addresses (the default, unless `preserve_client_ip.enabled` is false), a target that connects to itself
gets no answer. Left out: health checks; a target that accepts no connection is skipped.
"""

from __future__ import annotations

import logging
import random
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends

from sandbox.aws.amis import ACCOUNT
from sandbox.aws.host_firewalls import HostFirewalls
from sandbox.aws.moto_wrapping import LOCK
from sandbox.hosts import network
from sandbox.paths import NAMESPACES, REGION

POOL = IPv4Network("100.64.0.0/24")  # shared address space (RFC 6598), which no user's network contains
LOOK_SECONDS = 0.3
CONNECT_SECONDS = 2.0
LOG = logging.getLogger("sandbox.cloud")


@dataclass(frozen=True)
class Member:
    """A load balancer in the form in which `HostFirewalls` knows machines: an address with security groups."""

    id: str
    private_ip: str
    security_groups: list[Any]
    state: str = "running"
    nics: Mapping[str, Any] = field(default_factory=dict)


def all_of_them() -> list[Any]:
    return list(elbv2_backends[ACCOUNT][REGION].load_balancers.values())


def by_name(name: str) -> Any:
    """The load balancer with this DNS name, or None."""
    return next((each for each in all_of_them() if str(each.dns_name).lower() == name), None)


def address(balancer: Any) -> str:
    """Each load balancer keeps its address."""
    known = _ADDRESSES.setdefault(str(balancer.arn), str(POOL[10 + len(_ADDRESSES)]))
    return known


_ADDRESSES: dict[str, str] = {}


class Traffic:
    """Watches load balancers and listeners, and listens for them in the router."""

    def __init__(self, router: str, firewalls: HostFirewalls) -> None:
        self._router, self._router_path, self._firewalls = router, NAMESPACES / router, firewalls
        self._listening: dict[tuple[str, int], socket.socket] = {}
        self._members: dict[str, Member] = {}

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                self._look()
            except Exception:
                LOG.exception("load balancers")
            time.sleep(LOOK_SECONDS)

    def _look(self) -> None:
        with LOCK.held():
            balancers = {str(each.arn): each for each in all_of_them()}
            wanted = {
                (arn, int(listener.port)) for arn, each in balancers.items() for listener in each.listeners.values()
            }
            members = {arn: _member(each) for arn, each in balancers.items()}
        for arn in members.keys() - self._members.keys():
            network.batch(self._router, f"addr replace {members[arn].private_ip}/32 dev lo\n")
            self._firewalls.add(members[arn])
        for arn in self._members.keys() - members.keys():
            self._firewalls.remove(arn)
        if members.keys() != self._members.keys():
            self._members = members
            self._firewalls.refresh()
        for key in self._listening.keys() - wanted:
            self._listening.pop(key).close()
        for arn, port in wanted - self._listening.keys():
            self._listen(arn, port)

    def _listen(self, arn: str, port: int) -> None:
        where = (self._members[arn].private_ip, port)
        server = network.inside(self._router_path, lambda: socket.create_server(where, backlog=128))
        self._listening[arn, port] = server
        threading.Thread(target=self._accept, args=(arn, port, server), daemon=True).start()

    def _accept(self, arn: str, port: int, server: socket.socket) -> None:
        while True:
            try:
                client, (source, _) = server.accept()
            except OSError:
                return  # it was closed: the listener is gone
            threading.Thread(target=self._serve, args=(arn, port, client, source), daemon=True).start()

    def _serve(self, arn: str, port: int, client: socket.socket, source: str) -> None:
        with client:
            with LOCK.held():
                balancer = elbv2_backends[ACCOUNT][REGION].load_balancers.get(arn)
                if balancer is None or not _lets_in(balancer, source, port):
                    return
                targets, keeps = _targets(balancer, port)
            own = self._members[arn].private_ip
            for target, target_port in targets:
                if target == source and keeps:
                    _hold(client)  # its answer would bypass the load balancer
                    return
                try:
                    server = network.inside(
                        self._router_path,
                        lambda: socket.create_connection((target, target_port), CONNECT_SECONDS, (own, 0)),  # noqa: B023
                    )
                except OSError:
                    continue
                _join(client, server)
                return


def _member(balancer: Any) -> Member:
    backend = ec2_backends[ACCOUNT][REGION]
    groups = [backend.get_security_group_from_id(each) for each in balancer.security_groups or []]
    return Member(str(balancer.arn), address(balancer), [group for group in groups if group])


def _lets_in(balancer: Any, source: str, port: int) -> bool:
    """Whether its security groups allow the client, if it has any."""
    groups = _member(balancer).security_groups
    if not groups:
        return True
    instances = [i for r in ec2_backends[ACCOUNT][REGION].reservations.values() for i in r.instances]
    if balancer.scheme == "internet-facing":
        source = _from_outside(source, instances)
    return any(_matches(rule, source, port, instances) for group in groups for rule in group.ingress_rules)


def _from_outside(source: str, instances: list[Any]) -> str:
    """A machine's address on the internet: its own public one, or its NAT gateway's."""
    machine = next((each for each in instances if each.private_ip == source), None)
    if machine is None:
        return source
    gateways: list[Any] = list(ec2_backends[ACCOUNT][REGION].nat_gateways.values())
    behind = next((each._eni.public_ip for each in gateways if each.vpc_id == machine.vpc_id), None)
    return str(getattr(machine, "public_ip", None) or behind or source)


def _matches(rule: Any, source: str, port: int, instances: list[Any]) -> bool:
    if rule.ip_protocol != "-1" and not (rule.ip_protocol == "tcp" and rule.from_port <= port <= rule.to_port):
        return False
    if group := rule.source_group.get("GroupId"):
        return any(i.private_ip == source and group in [g.id for g in i.security_groups] for i in instances)
    network_allowed = rule.ip_range.get("CidrIp")
    return bool(network_allowed) and IPv4Address(source) in IPv4Network(network_allowed, strict=False)


def _targets(balancer: Any, port: int) -> tuple[list[tuple[str, int]], bool]:
    """Addresses and ports in random order, and whether the targets see the client's address."""
    elb, ec2 = elbv2_backends[ACCOUNT][REGION], ec2_backends[ACCOUNT][REGION]
    for listener in balancer.listeners.values():
        if int(listener.port) != port:
            continue
        arn = listener.default_actions[0].data["TargetGroupArn"]
        group = elb.target_groups[arn]
        found = []
        for target in group.targets.values():
            instance = ec2.get_instance(target["Id"])
            found.append((str(instance.private_ip), int(target.get("Port") or group.port)))
        random.shuffle(found)
        return found, str(group.attributes.get("preserve_client_ip.enabled", "true")) == "true"
    return [], False


def _hold(client: socket.socket) -> None:
    """Keeps the connection open until the client gives up."""
    client.settimeout(60)
    try:
        while client.recv(4096):
            pass
    except OSError:
        return


def _join(one: socket.socket, other: socket.socket) -> None:
    """Forwards data in both directions until both sides have ended."""

    def copy(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            for each in (source, target):
                each.close()

    with other:
        other.settimeout(None)
        thread = threading.Thread(target=copy, args=(other, one), daemon=True)
        thread.start()
        copy(one, other)
        thread.join()
