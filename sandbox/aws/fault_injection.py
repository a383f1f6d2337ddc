"""Faults that the AWS API can return: their table, and the file with those that wait for a request.

`python -m sandbox inject` adds to that file; `request_interceptor.py` answers with them.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

SLOW, INVISIBLE = "SlowAnswer", "NotFoundYet"  # not error codes: `request_interceptor.py` implements them
ANY = "*"
SERVICES = ("ec2", "elbv2", "iam", "route53", "sts", "kms")


@dataclass(frozen=True)
class Fault:
    """An error. `action` is the request that it answers, `status` the HTTP status, as on AWS."""

    message: str
    action: str = ANY
    status: int = 400


FAULTS: Mapping[str, Fault] = {
    "RequestLimitExceeded": Fault("Request limit exceeded.", status=503),
    "InternalError": Fault("An internal error has occurred", status=500),
    "UnauthorizedOperation": Fault("You are not authorized to perform this operation.", status=403),
    SLOW: Fault("the right answer, three seconds late"),
    INVISIBLE: Fault("the next resource that this request makes is not found at first, TIMES times"),
    "InsufficientInstanceCapacity": Fault(
        "We currently do not have sufficient capacity of the requested instance type in the Availability Zone you "
        "requested (us-east-1a). Our system will be working on provisioning additional capacity.",
        "RunInstances",
        500,
    ),
    "InsufficientFreeAddressesInSubnet": Fault(
        "There are not enough free addresses in the subnet to satisfy the requested number of instances.",
        "RunInstances",
    ),
    "InvalidParameterValue": Fault(  # EC2's answer while it does not know a new instance profile yet
        "Value (backend) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name",
        "RunInstances",
    ),
    "VcpuLimitExceeded": Fault(
        "You have requested more vCPU capacity than your current vCPU limit of 5 allows for the instance bucket that "
        "the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request "
        "an adjustment to this limit.",
        "RunInstances",
    ),
    "VolumeLimitExceeded": Fault("Maximum number of volumes exceeded.", "CreateVolume"),
    "VpcLimitExceeded": Fault("The maximum number of VPCs has been reached.", "CreateVpc"),
    "InternetGatewayLimitExceeded": Fault(
        "The maximum number of internet gateways has been reached.", "CreateInternetGateway"
    ),
    "SecurityGroupLimitExceeded": Fault(
        "The maximum number of security groups has been reached.", "CreateSecurityGroup"
    ),
    "RulesPerSecurityGroupLimitExceeded": Fault(
        "The maximum number of rules per security group has been reached.", "AuthorizeSecurityGroupIngress"
    ),
    "AddressLimitExceeded": Fault("The maximum number of addresses has been reached.", "AllocateAddress"),
    "NatGatewayLimitExceeded": Fault("The maximum number of NAT Gateways has been reached.", "CreateNatGateway"),
    "TooManyLoadBalancers": Fault("The maximum number of load balancers has been reached", "CreateLoadBalancer"),
}


@dataclass(frozen=True)
class Waiting:
    """A fault for the next `times` requests for `action` (`*`: any)."""

    fault: str
    action: str
    times: int


class Faults:
    """The waiting faults, in a file that the command line and the cloud change in turn."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def inject(self, fault: str, action: str = "", times: int = 1) -> Waiting:
        """Raises ValueError for an unknown fault or action, or a combination that cannot happen."""
        if fault not in FAULTS:
            raise ValueError(f"fault {fault!r}: must be one of {', '.join(sorted(FAULTS))}")
        if action and action != ANY and action not in known_actions():
            raise ValueError(f"action {action!r}: is none of {', '.join(SERVICES)}; it is written as in RunInstances")
        own = FAULTS[fault].action
        if own not in (ANY, action or own):
            raise ValueError(f"fault {fault}: is an answer to {own}, not to {action}")
        if times < 1:
            raise ValueError(f"fault {fault}: {times} is not a number of times; use 1 or more")
        waiting = Waiting(fault, action or own, times)
        with self._locked() as rows:
            rows.append(waiting)
        return waiting

    def clear(self) -> None:
        with self._locked() as rows:
            rows.clear()

    def waiting(self) -> Sequence[Waiting]:
        with self._locked() as rows:
            return tuple(rows)

    def take(self, action: str) -> Waiting | None:
        """The fault for this request, if any.

        Counts it. NotFoundYet is taken at once, because its times count later describes.
        """
        # Without a lock, because most requests have no fault. An empty file is one that is being written.
        if not self._file.exists() or self._file.stat().st_size == len("[]"):
            return None
        with self._locked() as rows:
            at = next((at for at, row in enumerate(rows) if _meets(row, action)), None)
            if at is None:
                return None
            row = rows.pop(at)
            if row.times > 1 and row.fault != INVISIBLE:
                rows.insert(at, Waiting(row.fault, row.action, row.times - 1))
            return row

    @contextmanager
    def _locked(self) -> Iterator[list[Waiting]]:
        with self._file.open("a+") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            handle.seek(0)
            rows = [Waiting(**row) for row in json.loads(handle.read() or "[]")]
            before = list(rows)
            yield rows
            if rows != before:
                handle.seek(0)
                handle.truncate()
                json.dump([asdict(row) for row in rows], handle)


def _meets(row: Waiting, action: str) -> bool:
    if row.fault == INVISIBLE and row.action == ANY:
        return makes(action)
    return row.action in (ANY, action)


def known_actions() -> frozenset[str]:
    """The requests of the APIs, according to the client library's models."""
    from botocore.session import Session  # type: ignore[import-untyped] # noqa: PLC0415 - no types; half a second

    models = (Session().get_service_model(name) for name in SERVICES)
    return frozenset(name for model in models for name in model.operation_names)


def makes(action: str) -> bool:
    """Whether the request creates something with its own id."""
    return action.startswith(("Create", "RunInstances", "Authorize", "Import", "Allocate")) and action != "CreateTags"
