"""What a sandbox's account has before any stack, with ids that stacks can name: a hosted zone and another team's VPC.

The VPC has the tag `Owner: network-team`, by which a test distinguishes it from a stack's. Import this only after
moto's settings are set.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moto.ec2.models import ec2_backends, subnets, vpcs
from moto.route53 import models as hosted_zones
from moto.route53.models import route53_backends

from sandbox.aws.amis import ACCOUNT
from sandbox.paths import REGION

OWNER = {"Owner": "network-team"}
TAGS = [{"Key": key, "Value": value} for key, value in OWNER.items()]
ZONE, ZONE_ID = "chef.test", "ZSANDBOX"
VPC_ID, VPC_CIDR = "vpc-0e57a7e000000001", "10.40.0.0/16"
# id: (block, zone, whether its route table leads to the internet gateway)
SUBNETS = {
    "subnet-0e57a7e00000000a": ("10.40.0.0/24", "a", False),
    "subnet-0e57a7e00000000b": ("10.40.1.0/24", "a", False),
    "subnet-0e57a7e00000000c": ("10.40.2.0/24", "b", False),
    "subnet-0e57a7e00000000d": ("10.40.3.0/24", "a", True),
    "subnet-0e57a7e00000000e": ("10.40.4.0/28", "b", True),
}


def create() -> None:
    """Call it once per process."""
    with _named(hosted_zones, "create_route53_zone_id", ZONE_ID):
        route53_backends[ACCOUNT]["aws"].create_hosted_zone(ZONE, private_zone=False)
    _network(ec2_backends[ACCOUNT][REGION])


def _network(backend: Any) -> None:
    with _named(vpcs, "random_vpc_id", VPC_ID):
        backend.create_vpc(VPC_CIDR, tags=TAGS)
    gateway = backend.create_internet_gateway(tags=TAGS)
    backend.attach_internet_gateway(gateway.id, VPC_ID)
    table = backend.create_route_table(VPC_ID, tags=TAGS)
    backend.create_route(table.id, "0.0.0.0/0", gateway_id=gateway.id)
    for subnet_id, (block, zone, public) in SUBNETS.items():
        with _named(subnets, "random_subnet_id", subnet_id):
            backend.create_subnet(VPC_ID, block, availability_zone=f"{REGION}{zone}", tags={"subnet": OWNER})
        if public:
            backend.associate_route_table(table.id, subnet_id=subnet_id)


@contextmanager
def _named(module: Any, function: str, identity: str) -> Iterator[None]:
    """The next id that moto assigns is this one."""
    original = getattr(module, function)
    setattr(module, function, lambda **_: identity)
    try:
        yield
    finally:
        setattr(module, function, original)
