"""The backends' virtual address on this host: attach, detach, announce, as keepalived does, but without its VRRP.

An address that is the host's own (a prefix shorter than 32) is never removed.
"""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import time
from collections.abc import Iterator

from .files import StandinError

PROBE_SECONDS = 0.5
ARP = 0x0806


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StandinError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def _addresses() -> Iterator[tuple[str, str, int]]:
    """(device, address, prefix) of each IPv4 address of this host."""
    for link in json.loads(_ip("-json", "-4", "address", "show") or "[]"):
        for entry in link.get("addr_info", []):
            if "local" in entry:
                yield link["ifname"], entry["local"], entry["prefixlen"]


def has_device(device: str) -> bool:
    return device in [name for _, name in socket.if_nameindex()]


def is_here(address: str) -> bool:
    return any(local == address for _, local, _ in _addresses())


def held_elsewhere(address: str, device: str) -> bool:
    """Whether another host answers for the address, to ARP: no firewall hides that."""
    if is_here(address) or not has_device(device):
        return False
    with _arp_socket(device) as link:
        link.send(_arp(link, sender="0.0.0.0", wanted=address))  # noqa: S104  an ARP probe (RFC 5227)
        deadline = time.monotonic() + PROBE_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            link.settimeout(left)
            try:
                packet = link.recv(64)
            except TimeoutError:
                return False
            if packet[28:32] == socket.inet_aton(address):
                return True
    return False


def attach(address: str, device: str) -> None:
    if not is_here(address):
        _ip("address", "add", f"{address}/32", "dev", device)
    announce(address, device)


def detach(address: str) -> None:
    for device, local, prefix in list(_addresses()):
        if local == address and prefix == 32:
            _ip("address", "del", f"{address}/32", "dev", device)


def announce(address: str, device: str) -> None:
    """Gratuitous ARP: neighbours learn at once where the address is now."""
    with _arp_socket(device) as link:
        link.send(_arp(link, sender=address, wanted=address))


def _arp_socket(device: str) -> socket.socket:
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ARP))
    link.bind((device, ARP))
    return link


def _arp(link: socket.socket, *, sender: str, wanted: str) -> bytes:
    """An Ethernet frame that asks everybody in the subnet who has `wanted`."""
    hardware: bytes = link.getsockname()[4]
    addresses = (hardware, socket.inet_aton(sender), bytes(6), socket.inet_aton(wanted))
    request = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, *addresses)
    return b"\xff" * 6 + hardware + ARP.to_bytes(2, "big") + request
