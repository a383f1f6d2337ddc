"""The names that hosts can look up: a small DNS server at the address of Amazon's resolver.

It knows Route 53's zones and the names of load balancers and servers. Every other name below the servers' domain leads
to the entry, as in a user's own DNS, which points `api_fqdn` at the load balancer, the frontends or the one server.
Left out: all record types but IPv4 addresses.
"""

from __future__ import annotations

import logging
import random
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from moto.ec2.models import ec2_backends
from moto.route53.models import route53_backends

from sandbox.aws import load_balancers
from sandbox.aws.amis import ACCOUNT
from sandbox.aws.moto_wrapping import LOCK
from sandbox.hosts import network
from sandbox.paths import REGION, RESOLVER

LIVE = ("pending", "running")
TTL = 1
A, ANY_CLASS = 1, 1
HEADER = struct.Struct("!6H")
RESPONSE, NO_SUCH_NAME = 0x8580, 3  # an answer with authority, recursion desired and available
LOG = logging.getLogger("sandbox.cloud")


def addresses(name: str) -> list[str]:
    """The addresses of a name; empty if nobody has it."""
    with LOCK.held():
        return list(dict.fromkeys(_addresses(name.lower().rstrip("."), depth=4)))


def _addresses(name: str, depth: int) -> Iterator[str]:
    if balancer := load_balancers.by_name(name):
        yield load_balancers.address(balancer)
        return
    records = list(_records(name)) if depth else []
    for value in records:
        if _is_address(value):
            yield value
        else:
            yield from _addresses(value, depth - 1)
    if records:
        return
    machines = _machines()
    yield from (machine.private_ip for machine in machines if _tag(machine, "Fqdn") == name)
    if name in {_tag(machine, "Fqdn") for machine in machines}:
        return
    domains = {_tag(machine, "Fqdn").partition(".")[2] for machine in machines} - {""}
    if any(name == domain or name.endswith(f".{domain}") for domain in domains):
        yield from _entry(machines)


def _is_address(value: str) -> bool:
    try:
        IPv4Address(value)
    except ValueError:
        return False
    return True


def _records(name: str) -> Iterator[str]:
    """The values of Route 53's records: addresses, and names that are aliases."""
    for zone in route53_backends[ACCOUNT]["aws"].zones.values():
        for record in zone.rrsets:
            if record.name.rstrip(".").lower() != name or record.type not in ("A", "CNAME"):
                continue
            if record.alias_target:
                yield str(record.alias_target["DNSName"]).lower().rstrip(".").removeprefix("dualstack.")
            yield from (str(value).rstrip(".").lower() for value in record.records or [])


def _machines() -> list[Any]:
    reservations = ec2_backends[ACCOUNT][REGION].reservations.values()
    return [instance for reservation in reservations for instance in reservation.instances if instance.state in LIVE]


def _tag(machine: Any, key: str) -> str:
    return next((str(tag["value"]) for tag in machine.get_tags() if tag["key"] == key), "")


def _entry(machines: Sequence[Any]) -> Iterator[str]:
    balancers = load_balancers.all_of_them()
    if balancers:
        yield from map(load_balancers.address, balancers)
        return
    roles = [_tag(machine, "Role") for machine in machines]
    wanted = "frontend" if "frontend" in roles else "backend"
    yield from (machine.private_ip for machine, role in zip(machines, roles, strict=True) if role == wanted)


def answer(question: bytes) -> bytes:
    """The response to a query for one name (RFC 1035). Raises ValueError if it is not a query."""
    if len(question) < HEADER.size:
        raise ValueError("too short")
    number, _, count, *_ = HEADER.unpack_from(question)
    if count != 1:
        raise ValueError("not one question")
    labels, at = [], HEADER.size
    while length := question[at]:
        labels.append(question[at + 1 : at + 1 + length].decode("ascii"))
        at += 1 + length
    kind, _ = struct.unpack_from("!2H", question, at + 1)
    asked = question[HEADER.size : at + 5]
    found = addresses(".".join(labels))
    random.shuffle(found)
    given = found if kind == A else []
    body = b"".join(struct.pack("!3HIH4s", 0xC00C, A, ANY_CLASS, TTL, 4, IPv4Address(each).packed) for each in given)
    code = RESPONSE | (0 if found else NO_SUCH_NAME)
    return HEADER.pack(number, code, 1, len(given), 0, 0) + asked + body


def start(router: Path) -> None:
    """Starts serving in the network namespace `router`."""

    def listen() -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((RESOLVER, 53))
        return made

    server = network.inside(router, listen)
    threading.Thread(target=_serve, args=(server,), daemon=True).start()


def _serve(server: socket.socket) -> None:
    while True:
        question, asking = server.recvfrom(512)
        try:
            server.sendto(answer(question), asking)
        except (ValueError, IndexError, OSError) as error:
            LOG.warning("a name was asked for that cannot be answered: %s", error)
