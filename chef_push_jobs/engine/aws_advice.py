"""What to do when AWS refuses a request: a table by error code, for what cannot be known before. Pure.

Codes as in the EC2 API's list of errors; codes of quotas as in Service Quotas.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from chef_push_jobs.model import prices
from chef_push_jobs.model.prices import Quota
from chef_push_jobs.model.problems import Problem

CODE = re.compile(r"api error ([A-Za-z]+(?:\.[A-Za-z]+)*)")
AGAIN = (
    "Then run `pulumi up` again: it continues from there. What was created is in the state; `pulumi "
    "destroy` removes it."
)


def _quota(quota: Quota, instead: str) -> str:
    return (
        f"the account has reached its quota of {quota.what} in this region. {instead}, or request more: "
        f"`aws service-quotas request-service-quota-increase --service-code {quota.service} --quota-code {quota.code} "
        "--desired-value N`"
    )


ADVICE: Mapping[str, str] = {
    "AccessDenied": (
        "the credentials lack a permission. Add the one that the error names; docs/aws.md has the whole policy"
    ),
    "AddressLimitExceeded": _quota(prices.ADDRESSES, "Release an unused one"),
    "DependencyViolation": (
        "something that this stack did not create still uses the resource. Remove it: "
        "`aws ec2 describe-network-interfaces --filters Name=vpc-id,Values=VPC` shows most of it"
    ),
    "InsufficientFreeAddressesInSubnet": (
        "the subnet has no free addresses left. Free some, or give the stack a larger network"
    ),
    "InsufficientInstanceCapacity": (
        "AWS has no capacity left for this instance type in this zone. "
        "Wait a few minutes, or change machines.instanceType"
    ),
    "InternetGatewayLimitExceeded": _quota(prices.GATEWAYS, "Delete an unused one"),
    "InvalidAMIID.NotFound": "the region has no such image. Set machines.image to an image in this region",
    "InvalidKeyPair.NotFound": (
        "the region has no such key pair. Set ssh.keyName to one that `aws ec2 describe-key-pairs` lists, "
        "or ssh.publicKeyFile"
    ),
    "NatGatewayLimitExceeded": _quota(prices.NAT_GATEWAYS, "Delete an unused one"),
    "OptInRequired": "the image is from the Marketplace. Accept its terms there, or choose another machines.image",
    "PendingVerification": (
        "AWS is still verifying the account for this region. Wait: it usually takes minutes, at most four hours"
    ),
    "RequestLimitExceeded": (
        "the account sends too many requests to AWS, and retrying for several minutes did not help. Wait"
    ),
    "RulesPerSecurityGroupLimitExceeded": _quota(prices.RULES, "Combine networks in clientCidrs and operatorCidrs"),
    "SecurityGroupLimitExceeded": _quota(prices.GROUPS, "Delete an unused one"),
    "TooManyLoadBalancers": _quota(prices.BALANCERS, "Delete an unused one"),
    "UnauthorizedOperation": "the credentials lack a permission. docs/aws.md has the whole policy",
    "VcpuLimitExceeded": _quota(prices.VCPUS, "Set machines.instanceType to a smaller type"),
    "VolumeLimitExceeded": _quota(prices.STORAGE, "Delete an unused volume"),
    "VpcLimitExceeded": _quota(prices.VPCS, "Delete an unused one"),
}


# The words with which the SDK, the engine and the plugin introduce a message about a look-up.
SAID_BY = re.compile(r"^.*\breturned an error: |^.*\binvoke of \S+ failed: ", re.DOTALL)


def refused(setting: str, error: str) -> Problem:
    """The problem for a look-up for `setting` that failed; `error` is in AWS's words."""
    code = CODE.search(error)
    remedy = ADVICE.get(str(code[1])) if code else None
    return Problem(
        setting,
        SAID_BY.sub("", error).removesuffix(" ()").strip().rstrip("."),
        "what it names is looked up in AWS before anything is made",
        remedy or "see that aws:region and the credentials are those of the account that you mean",
    )


def advice(resource: str, operation: str, errors: Sequence[str]) -> str | None:
    """What to do about a failed create, update or delete; None if the error itself says enough."""
    code = next((str(found[1]) for error in errors if (found := CODE.search(error))), "")
    if code not in ADVICE:
        return None
    return f"{resource}: {operation} failed with {code}.\nDo:   {ADVICE[code]}.\n      {AGAIN}"
