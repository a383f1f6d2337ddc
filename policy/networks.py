"""Which networks are too wide to name somebody, alone or together. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Any

from policy.known import WIDEST_NETWORK

Network = IPv4Network | IPv6Network

BITS = {4: 32, 6: 128}
# Nobody comes from these except through a network that somebody runs.
PRIVATE = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")))
EVERYWHERE = ip_network("0.0.0.0/0")


def network(text: str) -> Network:
    """An unreadable network may be any; an IPv4 network written as IPv6 counts as IPv4."""
    try:
        given = ip_network(text.strip(), strict=False)
    except ValueError:
        return EVERYWHERE
    mapped = given.network_address.ipv4_mapped if isinstance(given, IPv6Network) else None
    return IPv4Network((mapped, max(given.prefixlen - 96, 0)), strict=False) if mapped else given


def is_wide(text: str) -> bool:
    given = network(text)
    return given.prefixlen < WIDEST_NETWORK[given.version]


def width(networks: Iterable[str]) -> str | None:
    """Their total width as one prefix, if together they are wider than one network may be.

    Private addresses do not count.
    """
    given = [network(text) for text in networks]
    for version, widest in WIDEST_NETWORK.items():
        same: list[Any] = [each for each in given if each.version == version]
        addresses = sum(map(_public, collapse_addresses(same)))
        if addresses > 2 ** (BITS[version] - widest):
            return f"an IPv{version} /{BITS[version] - (addresses - 1).bit_length()}"
    return None


def _public(given: Network) -> int:
    """The number of its public addresses. If two networks overlap, the smaller one is their overlap."""
    private = (each for each in PRIVATE if each.version == given.version and each.overlaps(given))
    return given.num_addresses - sum(min(given.num_addresses, each.num_addresses) for each in private)
