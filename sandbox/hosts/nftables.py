"""Security groups as an nftables script for one host: stateful, IPv4, closed by default both ways. Applies nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, collapse_addresses

TABLE = "inet security_groups"
ANYWHERE = IPv4Network("0.0.0.0/0")
MAX_PORT = 65535
MAX_PROTOCOL = 255


@dataclass(frozen=True)
class Rule:
    """A rule as in EC2. Ports are the first and last one; for "icmp", the type and code (-1 or None: any)."""

    protocol: str  # "tcp", "udp", "icmp", another protocol's number, or "-1" (everything)
    from_port: int | None
    to_port: int | None
    sources: tuple[str, ...]  # IPv4 CIDRs; the destinations of an egress rule


def ruleset(ingress: Sequence[Rule], egress: Sequence[Rule]) -> str:
    """A script for `nft -f -` that replaces the whole table at once. Raises ValueError for what EC2 refuses."""
    return "\n".join(
        [
            f"table {TABLE}",
            f"delete table {TABLE}",
            f"table {TABLE} {{",
            *_chain("input", "iif lo", "saddr", ingress),
            *_chain("output", "oif lo", "daddr", egress),
            "}",
            "",
        ]
    )


def _chain(hook: str, loopback: str, side: str, rules: Sequence[Rule]) -> list[str]:
    return [
        f"\tchain {hook} {{",
        f"\t\ttype filter hook {hook} priority filter; policy drop;",
        f"\t\t{loopback} accept",
        "\t\tct state established,related accept",
        *dict.fromkeys(f"\t\t{_addresses(rule, side)} {_traffic(rule)}accept" for rule in rules if rule.sources),
        "\t}",
    ]


def _addresses(rule: Rule, side: str) -> str:
    try:
        networks = list(collapse_addresses(IPv4Network(source, strict=False) for source in rule.sources))
    except ValueError as error:
        raise ValueError(f"addresses in {rule}: must be IPv4 CIDRs: {error}") from None
    if networks == [ANYWHERE]:
        return "meta nfproto ipv4"
    if len(networks) == 1:
        return f"ip {side} {networks[0]}"
    return f"ip {side} {{ {', '.join(map(str, networks))} }}"


def _traffic(rule: Rule) -> str:
    match rule.protocol:
        case "-1":
            return ""
        case "icmp":
            return _icmp(rule)
        case "tcp" | "udp":
            return f"{rule.protocol} dport {_ports(rule)} "
        case number if number.isdigit() and int(number) <= MAX_PROTOCOL:
            return f"meta l4proto {number} "
    raise ValueError(f"protocol {rule.protocol!r} in {rule}: must be tcp, udp, icmp, a number or -1")


def _ports(rule: Rule) -> str:
    first, last = rule.from_port, rule.to_port
    if first is None or last is None or not 0 <= first <= last <= MAX_PORT:
        raise ValueError(f"ports in {rule}: must be a first and a last one, 0 to {MAX_PORT}, in this order")
    return str(first) if first == last else f"{first}-{last}"


def _icmp(rule: Rule) -> str:
    kind, code = (-1 if number is None else number for number in (rule.from_port, rule.to_port))
    if not (-1 <= kind <= 255 and -1 <= code <= 255):
        raise ValueError(f"ICMP type or code in {rule}: must be 0 to 255, or -1 for any")
    if kind == -1:
        return "meta l4proto icmp "
    return f"icmp type {kind} " + ("" if code == -1 else f"icmp code {code} ")
