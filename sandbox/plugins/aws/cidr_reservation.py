"""A part of a subnet's addresses that EC2 does not assign by itself; and the look-up of instances, getInstances."""

from __future__ import annotations

from sandbox.plugins.aws.api import API
from sandbox.plugins.aws.functions import FILTERS, filters_of
from sandbox.plugins.aws.kind import Kind
from sandbox.plugins.aws.lookup import first, network_address
from sandbox.plugins.framework.table import Call, Failure, Function, Input
from sandbox.plugins.framework.values import UNKNOWN, Values

KEPT = {
    "cidrBlock": "Cidr",
    "reservationType": "ReservationType",
    "ownerId": "OwnerId",
    "description": "Description",
}


def make_reservation(call: Call) -> str:
    given = call.inputs
    described = {"Description": given["description"]} if given.get("description") else {}
    answer = API.ec2.create_subnet_cidr_reservation(
        SubnetId=given["subnetId"], Cidr=given["cidrBlock"], ReservationType=given["reservationType"], **described
    )
    return str(answer["SubnetCidrReservation"]["SubnetCidrReservationId"])


def find_reservation(call: Call, identity: str) -> Values | None:
    subnet = (call.state | call.inputs)["subnetId"]
    kept = API.ec2.get_subnet_cidr_reservations(SubnetId=subnet)["SubnetIpv4CidrReservations"]
    found = first([each for each in kept if each["SubnetCidrReservationId"] == identity])
    return found and {"subnetId": subnet, **{name: found[key] for name, key in KEPT.items() if found.get(key)}}


def check_reservation(values: Values) -> list[Failure]:
    kind = values.get("reservationType")
    known = kind is UNKNOWN or kind in ("explicit", "prefix")
    wrong = [] if known else [Failure("reservationType", f"expected explicit or prefix, not {kind}")]
    return [*wrong, *network_address(values, "cidrBlock")]


def get_instances(call: Call) -> Values:
    given = call.inputs
    states = {"Name": "instance-state-name", "Values": given.get("instanceStateNames") or ["running"]}
    found = API.ec2.describe_instances(Filters=[*filters_of(given, {}), states])
    instances = [each for reservation in found["Reservations"] for each in reservation["Instances"]]
    return {
        **given,
        "id": API.region,
        "region": API.region,
        "ids": [each["InstanceId"] for each in instances],
        "privateIps": [each["PrivateIpAddress"] for each in instances if each.get("PrivateIpAddress")],
        "publicIps": [each["PublicIpAddress"] for each in instances if each.get("PublicIpAddress")],
        "ipv6Addresses": [],
        "instanceTags": {},
    }


RESERVATION = Kind(
    "aws:ec2/subnetCidrReservation:SubnetCidrReservation",
    noun="EC2 Subnet CIDR Reservation",
    inputs={
        **dict.fromkeys(("subnetId", "cidrBlock", "reservationType"), Input(str, required=True, replaces=True)),
        "description": Input(str, replaces=True),
    },
    outputs=("ownerId",),
    make=make_reservation,
    find=find_reservation,
    remove=lambda call: API.ec2.delete_subnet_cidr_reservation(SubnetCidrReservationId=call.id),
    check=check_reservation,
    tagged=False,
)

KINDS = (RESERVATION,)
FUNCTIONS = (
    Function(
        "aws:ec2/getInstances:getInstances",
        inputs={"filters": FILTERS, "instanceStateNames": Input(list, each=Input(str))},
        run=get_instances,
    ),
)
