"""What to do when AWS refuses: a table by its error codes, for what cannot be known before it is tried. Pure.

Codes as in the EC2 API's list of errors; codes of quotas as in Service Quotas.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

CODE = re.compile(r"api error ([A-Za-z]+(?:\.[A-Za-z]+)*)")
AGAIN = "Then run `pulumi up` again: it goes on from there. What was made is in the state; `pulumi destroy` removes it."


def _quota(what: str, service: str, code: str, instead: str) -> str:
    return (
        f"the account has reached its quota of {what} in this region. {instead}, or ask for more: "
        f"`aws service-quotas request-service-quota-increase --service-code {service} --quota-code {code} "
        "--desired-value N`"
    )


ADVICE: Mapping[str, str] = {
    "AccessDenied": "the credentials lack a permission. Add what the error names; the whole policy is in docs/aws.md",
    "AddressLimitExceeded": _quota("Elastic IP addresses", "ec2", "L-0263D0A3", "Release one that is not used"),
    "DependencyViolation": (
        "something that this stack did not make still uses the resource. Remove it: "
        "`aws ec2 describe-network-interfaces --filters Name=vpc-id,Values=VPC` shows most of it"
    ),
    "InsufficientFreeAddressesInSubnet": (
        "the subnet has no free address left. End what else uses it, or give the stack a larger network"
    ),
    "InsufficientInstanceCapacity": (
        "AWS has no machine of this type left in this zone. Wait some minutes, or set another machines.instanceType"
    ),
    "InternetGatewayLimitExceeded": _quota("internet gateways", "vpc", "L-A4707A72", "Delete one that is not used"),
    "InvalidAMIID.NotFound": "the region has no such image. Set machines.image to one that it has",
    "InvalidKeyPair.NotFound": (
        "the region has no such key pair. Set ssh.keyName to one that `aws ec2 describe-key-pairs` lists, "
        "or ssh.publicKeyFile"
    ),
    "NatGatewayLimitExceeded": _quota("NAT gateways", "vpc", "L-FE5A380F", "Delete one that is not used"),
    "OptInRequired": "the image is one of the Marketplace. Accept its terms there, or choose another machines.image",
    "PendingVerification": "AWS still verifies the account for this region. Wait: it takes minutes, at most four hours",
    "RequestLimitExceeded": "the account sends AWS too many requests, and trying again for minutes did not help. Wait",
    "RulesPerSecurityGroupLimitExceeded": _quota(
        "rules of a security group", "vpc", "L-0EA8095F", "Join networks in clientCidrs and operatorCidrs"
    ),
    "SecurityGroupLimitExceeded": _quota("security groups", "vpc", "L-E79EC296", "Delete one that is not used"),
    "TooManyLoadBalancers": _quota(
        "network load balancers", "elasticloadbalancing", "L-69A177A2", "Delete one that is not used"
    ),
    "UnauthorizedOperation": "the credentials lack a permission. The whole policy is in docs/aws.md",
    "VcpuLimitExceeded": _quota("vCPUs", "ec2", "L-1216C47A", "Set a smaller machines.instanceType"),
    "VolumeLimitExceeded": _quota("volumes' storage", "ebs", "L-7A658B76", "Delete a volume that is not used"),
    "VpcLimitExceeded": _quota("VPCs", "vpc", "L-F678F1CE", "Delete one that is not used"),
}


def advice(resource: str, operation: str, errors: Sequence[str]) -> str | None:
    """What to do about a failed create, update or delete; None where the error is told well enough by itself."""
    code = next((str(found[1]) for error in errors if (found := CODE.search(error))), "")
    if code not in ADVICE:
        return None
    return f"{resource}: {operation} failed with {code}.\nDo:   {ADVICE[code]}.\n      {AGAIN}"
