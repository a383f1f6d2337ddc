"""AWS's prices for what a stack contains, and the initial quotas of an account: two tables. Pure.

They are the source of the tables in docs/aws.md, `chef-push-jobs plan --costs`, and the advice if a quota is reached.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

# List prices in US dollars, without tax, for On-Demand Linux.
DATE, REGION = "2025", "us-east-1"
HOURS_A_MONTH = 730  # as in AWS's own calculator

# Per hour, by family and size.
_SIZES: Mapping[str, Mapping[str, float]] = {
    "t3": {"micro": 0.0104, "small": 0.0208, "medium": 0.0416, "large": 0.0832, "xlarge": 0.1664, "2xlarge": 0.3328},
    "t4g": {"micro": 0.0084, "small": 0.0168, "medium": 0.0336, "large": 0.0672, "xlarge": 0.1344, "2xlarge": 0.2688},
    "m5": {"large": 0.096, "xlarge": 0.192, "2xlarge": 0.384, "4xlarge": 0.768},
    "m6i": {"large": 0.096, "xlarge": 0.192, "2xlarge": 0.384, "4xlarge": 0.768},
    "m6g": {"large": 0.077, "xlarge": 0.154, "2xlarge": 0.308, "4xlarge": 0.616},
    "m7i": {"large": 0.1008, "xlarge": 0.2016, "2xlarge": 0.4032, "4xlarge": 0.8064},
    "m7g": {"large": 0.0816, "xlarge": 0.1632, "2xlarge": 0.3264, "4xlarge": 0.6528},
    "c5": {"large": 0.085, "xlarge": 0.17, "2xlarge": 0.34, "4xlarge": 0.68},
    "r5": {"large": 0.126, "xlarge": 0.252, "2xlarge": 0.504, "4xlarge": 1.008},
}
INSTANCES: Mapping[str, float] = {
    f"{family}.{size}": usd for family, sizes in _SIZES.items() for size, usd in sizes.items()
}


@dataclass(frozen=True)
class Price:
    """`times` says in words what the price is multiplied by."""

    what: str
    usd: float
    unit: str
    times: str


VOLUME = Price(
    "gp3",
    0.08,
    "per GB and month",
    "`machines.volumeSize` of each server, `highAvailability.volumeSize`, `bastion.volumeSize`",
)
ADDRESS = Price(
    "public IPv4 address",
    0.005,
    "per hour",
    "servers with `ssh.address: public`, NAT gateway, bastion, zones of a public load balancer",
)
NAT = Price("NAT gateway", 0.045, "per hour", "1, with `network.nat`")
BALANCER = Price("network load balancer", 0.0225, "per hour", "1, with `entry.loadBalancer`")
# Costs of traffic, which no stack file contains.
TRAFFIC = (
    Price("traffic through the NAT gateway", 0.045, "per GB", "packages and other downloads of private servers"),
    Price("load balancer's capacity unit", 0.006, "per hour", "800 new connections or 1 GB per hour, each"),
    Price("traffic between zones", 0.01, "per GB in each direction", "frontends in different zones from the backends"),
    Price("traffic to the internet", 0.09, "per GB", "downloads by clients outside AWS"),
)


@dataclass(frozen=True)
class Quota:
    """An account may have `at_first` of `what`; a cluster of two backends and two frontends `needs` this many."""

    name: str
    what: str
    service: str
    code: str
    at_first: str
    needs: str


VCPUS = Quota(
    "Running On-Demand Standard instances (vCPUs)",
    "vCPUs",
    "ec2",
    "L-1216C47A",
    "5 to 32",
    "8, plus 2 for a bastion",
)
VPCS = Quota("VPCs per Region", "VPCs", "vpc", "L-F678F1CE", "5", "1")
GATEWAYS = Quota("Internet gateways per Region", "internet gateways", "vpc", "L-A4707A72", "5", "1")
NAT_GATEWAYS = Quota("NAT gateways per Availability Zone", "NAT gateways", "vpc", "L-FE5A380F", "5", "1")
ADDRESSES = Quota("Elastic IPs", "Elastic IP addresses", "ec2", "L-0263D0A3", "5", "1")
GROUPS = Quota("Security groups per Region", "security groups", "vpc", "L-E79EC296", "2,500", "5")
RULES = Quota(
    "Inbound rules per security group",
    "rules of a security group",
    "vpc",
    "L-0EA8095F",
    "60",
    "about 20, and one more for each network and port",
)
BALANCERS = Quota(
    "Network Load Balancers per Region", "network load balancers", "elasticloadbalancing", "L-69A177A2", "50", "1"
)
STORAGE = Quota("Storage for gp3 volumes (TiB)", "volumes' storage", "ebs", "L-7A658B76", "50", "0.3")
QUOTAS = (VCPUS, VPCS, GATEWAYS, NAT_GATEWAYS, ADDRESSES, GROUPS, RULES, BALANCERS, STORAGE)


def hourly(price: Price, amount: int = 1) -> float:
    """The hourly price of something that is paid by the hour, or by GB and month."""
    return amount * price.usd / (HOURS_A_MONTH if "month" in price.unit else 1)


def prices_table() -> str:
    """A Markdown table with its date; instances by family at the end."""
    rows = [(one.what, f"{one.usd:g} {one.unit}", one.times) for one in (VOLUME, ADDRESS, NAT, BALANCER, *TRAFFIC)]
    said = f"List prices in {DATE} for On-Demand Linux instances in {REGION}, in US dollars:"
    return f"{said}\n\n{_markdown(('what', 'price', 'multiply by'), [*rows, *_families()])}"


def _families() -> Iterable[tuple[str, ...]]:
    for family, sizes in _SIZES.items():
        each = ", ".join(f"{size} {usd:g}" for size, usd in sizes.items())
        yield f"{family}, per hour", each, "servers (`machines.instanceType`), plus 1 for a bastion"


def quotas_table() -> str:
    """A Markdown table."""
    rows = [(one.name, f"{one.service} {one.code}", one.at_first, one.needs) for one in QUOTAS]
    return _markdown(("quota", "code", "new account", "a cluster of 2 + 2 needs"), rows)


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])
