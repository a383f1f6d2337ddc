"""What the operator's policy in docs/aws.md is good for: for the stack, and not for whoever would misuse it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from chef_push_jobs.network import failover_policy
from sandbox.aws import iam_policies

ROOT = Path(__file__).parents[2]
POLICY, BOUNDARY = (
    re.findall(r"```json\n(.*?)```", (ROOT / "docs" / name).read_text(), re.DOTALL)[0]
    for name in ("aws.md", "failover.md")
)
Tags = Mapping[str, str]
OURS, THEIRS, NONE = {"stack": "production"}, {"stack": "staging"}, dict[str, str]()
DATA = {**OURS, "Name": "availability-data"}
OURS_NOW = {"aws:RequestTag/stack": "production"}
BOUND = {"iam:PermissionsBoundary": "arn:aws:iam::1:policy/chef-push-jobs-boundary-production"}
TO_EC2 = {"iam:PassedToService": "ec2.amazonaws.com"}
ROLE = "arn:aws:iam::1:role/chef-push-jobs/production/availability-backend-0a1b2c3"
PROFILE = "arn:aws:iam::1:instance-profile/chef-push-jobs/production/availability-backend-0a1b2c3"
STAGING = "arn:aws:iam::1:role/chef-push-jobs/staging/availability-backend-0a1b2c3"
NAMESAKE = "arn:aws:iam::1:role/availability-admin"
ADMIN = "arn:aws:iam::1:role/admin"
BALANCER = "arn:aws:elasticloadbalancing:r:1:loadbalancer/net/entry-0a1b2c3/1"
LISTENER = "arn:aws:elasticloadbalancing:r:1:listener/net/entry-0a1b2c3/1/2"
GROUP = "arn:aws:elasticloadbalancing:r:1:targetgroup/entry-443-0a1b2c3/1"
ZONE = "arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ"
OTHER_ZONE = "arn:aws:route53:::hostedzone/Z9876543210ABCDEFGHIJ"
# What is being made has no tags yet.
NEW_MACHINE = {"instance": NONE, "network-interface": NONE, "volume": NONE, "image": NONE, "key-pair": NONE}


def refused(action: str, resources: Mapping[str, Tags], says: Mapping[str, str] = NONE, policy: str = POLICY) -> bool:
    """Whether a request is: resources are ARNs, or kinds of EC2's, with their tags; `says` is the rest of it."""
    tags = {kind if ":" in kind else arn_of(kind): its_tags for kind, its_tags in resources.items()}

    def said(arn: str) -> dict[str, str]:
        return {**says, **{f"aws:ResourceTag/{key}": value for key, value in tags[arn].items()}}

    return iam_policies.denied([policy], action, tags, said) is not None


def arn_of(kind: str) -> str:
    return f"arn:aws:ec2:r:{'' if kind in ('image', 'snapshot') else '1'}:{kind}/x-1"


# What an attacker with this policy may try. An action without a service is one of EC2.
TRIED: dict[str, tuple[str, Mapping[str, Tags], Mapping[str, str]]] = {
    # To become an administrator
    "an administrator's role for a machine": ("iam:PassRole", {ADMIN: NONE}, TO_EC2),
    "a role that is called as ours are for a machine": ("iam:PassRole", {NAMESAKE: OURS}, TO_EC2),
    "another stack's role for a machine": ("iam:PassRole", {STAGING: THEIRS}, TO_EC2),
    "the role for another service": ("iam:PassRole", {ROLE: OURS}, {"iam:PassedToService": "lambda.amazonaws.com"}),
    "a role without a boundary": ("iam:CreateRole", {ROLE: NONE}, OURS_NOW),
    "a role with a wider boundary": (
        "iam:CreateRole",
        {ROLE: NONE},
        {"iam:PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"},
    ),
    "another stack's boundary": (
        "iam:CreateRole",
        {ROLE: NONE},
        {"iam:PermissionsBoundary": "arn:aws:iam::1:policy/chef-push-jobs-boundary-staging"},
    ),
    "a wider boundary afterwards": (
        "iam:PutRolePermissionsBoundary",
        {ROLE: OURS},
        {"iam:PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"},
    ),
    "no boundary afterwards": ("iam:DeleteRolePermissionsBoundary", {ROLE: OURS}, BOUND),
    "another text of the boundary": ("iam:CreatePolicyVersion", {BOUND["iam:PermissionsBoundary"]: NONE}, NONE),
    "a managed policy for the role": ("iam:AttachRolePolicy", {ROLE: OURS}, BOUND),
    "more for a role without a boundary": ("iam:PutRolePolicy", {ROLE: OURS}, NONE),
    "to be let into a role that is called as ours are": ("iam:UpdateAssumeRolePolicy", {NAMESAKE: NONE}, NONE),
    "the tag on a role of others": ("iam:TagRole", {NAMESAKE: NONE}, OURS_NOW),
    "another role in a profile of others": (
        "iam:AddRoleToInstanceProfile",
        {PROFILE.replace("chef-push-jobs/production/", ""): NONE},
        NONE,
    ),
    "a user with a key": ("iam:CreateAccessKey", {"arn:aws:iam::1:user/root": NONE}, NONE),
    "to assume a role": ("sts:AssumeRole", {ADMIN: NONE}, NONE),
    "passwords in others' user data": ("DescribeInstanceAttribute", {"instance": THEIRS}, NONE),
    "passwords in the user data of those without tags": ("DescribeInstanceAttribute", {"instance": NONE}, NONE),
    "passwords in launch templates": ("DescribeLaunchTemplateVersions", {"*": NONE}, NONE),
    "keys of VPNs": ("DescribeVpnConnections", {"*": NONE}, NONE),
    # Other people's machines
    "to stop a machine of others": ("StopInstances", {"instance": THEIRS}, NONE),
    "another user data for a machine without tags": ("ModifyInstanceAttribute", {"instance": NONE}, NONE),
    "the tag on a machine of others": ("CreateTags", {"instance": NONE}, OURS_NOW),
    "the tag on a group of others": ("CreateTags", {"security-group": THEIRS}, OURS_NOW),
    "the tag on a volume of another stack": ("CreateTags", {"volume": THEIRS}, OURS_NOW),
    "a rule in a group of others": ("AuthorizeSecurityGroupIngress", {"security-group": NONE}, NONE),
    "a rule of others": ("ModifySecurityGroupRules", {"security-group": THEIRS, "security-group-rule": OURS}, NONE),
    "our group for a machine of others, made in their VPC": (
        "CreateSecurityGroup",
        {"security-group": NONE, "vpc": THEIRS},
        OURS_NOW,
    ),
    "a group of others for an interface": (
        "ModifyNetworkInterfaceAttribute",
        {"network-interface": NONE, "security-group": NONE},
        NONE,
    ),
    "a machine in a group of others": (
        "RunInstances",
        {**NEW_MACHINE, "subnet": OURS, "security-group": THEIRS},
        OURS_NOW,
    ),
    "a machine in a subnet of others": (
        "RunInstances",
        {**NEW_MACHINE, "subnet": NONE, "security-group": OURS},
        OURS_NOW,
    ),
    "a subnet in a VPC of others": ("CreateSubnet", {"subnet": NONE, "vpc": NONE}, OURS_NOW),
    "routes in a VPC of others": ("CreateRouteTable", {"route-table": NONE, "vpc": THEIRS}, OURS_NOW),
    "another way for a subnet of others": ("AssociateRouteTable", {"route-table": OURS, "subnet": NONE}, NONE),
    "the address of others for a NAT gateway": (
        "CreateNatGateway",
        {"natgateway": NONE, "subnet": OURS, "elastic-ip": NONE},
        OURS_NOW,
    ),
    "to take the address of others away": (
        "DisassociateAddress",
        {"elastic-ip": NONE, "network-interface": NONE},
        NONE,
    ),
    "an address reserved in a subnet of others": ("CreateSubnetCidrReservation", {"subnet": NONE}, NONE),
    # Other people's disks
    "a machine of a snapshot of others": (
        "RunInstances",
        {**NEW_MACHINE, "subnet": OURS, "security-group": OURS, "snapshot": NONE},
        OURS_NOW,
    ),
    "a volume of a snapshot of others": ("CreateVolume", {"volume": NONE, "snapshot": THEIRS}, OURS_NOW),
    "a volume of others on a machine": ("AttachVolume", {"volume": NONE, "instance": OURS}, NONE),
    "the same once it has the tag": ("AttachVolume", {"volume": {**OURS, "Name": "db"}, "instance": OURS}, NONE),
    "to take it off their machine": ("DetachVolume", {"volume": OURS, "instance": NONE}, NONE),
    "to delete it": ("DeleteVolume", {"volume": OURS}, NONE),
    "to make it the data volume": (
        "CreateTags",
        {"volume": NONE},
        {**OURS_NOW, "aws:RequestTag/Name": "availability-data"},
    ),
    "the same in two steps": ("CreateTags", {"volume": OURS}, {"aws:RequestTag/Name": "availability-data"}),
    # Other people's names and load balancers
    "a record in another zone": ("route53:ChangeResourceRecordSets", {OTHER_ZONE: NONE}, NONE),
    "a target in another stack's entry": ("elasticloadbalancing:RegisterTargets", {GROUP: THEIRS}, NONE),
    "another stack's listener": ("elasticloadbalancing:ModifyListener", {LISTENER: THEIRS}, NONE),
    "a listener of another stack's entry": ("elasticloadbalancing:CreateListener", {BALANCER: THEIRS}, NONE),
    "the tag on an entry without it": ("elasticloadbalancing:AddTags", {BALANCER: NONE}, OURS_NOW),
    "a load balancer that is not the entry": (
        "elasticloadbalancing:DeleteLoadBalancer",
        {BALANCER.replace("entry", "shop"): OURS},
        NONE,
    ),
}
# What the stack does with what is its own.
MAKING = {"ec2:CreateAction": "…"}
MAKING_ENTRY = {"elasticloadbalancing:CreateAction": "…"}
DONE: list[tuple[str, Mapping[str, Tags], Mapping[str, str]]] = [
    ("DescribeInstances", {"*": NONE}, NONE),
    ("DescribeInstanceAttribute", {"instance": OURS}, NONE),
    ("CreateVpc", {"vpc": NONE}, OURS_NOW),
    ("CreateSubnet", {"subnet": NONE, "vpc": OURS}, OURS_NOW),
    ("CreateRouteTable", {"route-table": NONE, "vpc": OURS}, OURS_NOW),
    ("AssociateRouteTable", {"route-table": OURS, "subnet": OURS}, NONE),
    ("CreateInternetGateway", {"internet-gateway": NONE}, OURS_NOW),
    ("AttachInternetGateway", {"internet-gateway": OURS, "vpc": OURS}, NONE),
    ("AllocateAddress", {"elastic-ip": NONE}, OURS_NOW),
    ("CreateNatGateway", {"natgateway": NONE, "subnet": OURS, "elastic-ip": OURS, "vpc": OURS}, OURS_NOW),
    ("DisassociateAddress", {"elastic-ip": OURS, "network-interface": NONE}, NONE),
    ("CreateSecurityGroup", {"security-group": NONE, "vpc": OURS}, OURS_NOW),
    ("AuthorizeSecurityGroupEgress", {"security-group": OURS}, NONE),
    ("CreateSubnetCidrReservation", {"subnet": OURS}, NONE),
    ("DeleteSubnetCidrReservation", {"*": NONE}, NONE),
    ("ImportKeyPair", {"key-pair": NONE}, OURS_NOW),
    ("RunInstances", {**NEW_MACHINE, "subnet": OURS, "security-group": OURS}, OURS_NOW),
    ("CreateTags", {"instance": NONE}, {**OURS_NOW, **MAKING}),
    ("CreateTags", {"volume": NONE}, {**OURS_NOW, "aws:RequestTag/Name": "backend-0"}),
    ("CreateTags", {"volume": NONE}, {**OURS_NOW, **MAKING, "aws:RequestTag/Name": "availability-data"}),
    ("CreateTags", {"volume": DATA}, {"aws:RequestTag/cost-centre": "1"}),
    ("CreateTags", {"security-group-rule": NONE}, OURS_NOW),
    ("ModifyNetworkInterfaceAttribute", {"network-interface": NONE, "security-group": OURS, "instance": OURS}, NONE),
    ("TerminateInstances", {"instance": OURS}, NONE),
    ("CreateVolume", {"volume": NONE}, OURS_NOW),
    ("AttachVolume", {"volume": DATA, "instance": OURS}, NONE),
    ("DeleteVolume", {"volume": DATA}, NONE),
    ("ModifyVolume", {"volume": OURS}, NONE),
    ("elasticloadbalancing:CreateLoadBalancer", {BALANCER: NONE}, OURS_NOW),
    ("elasticloadbalancing:CreateTargetGroup", {GROUP: NONE}, OURS_NOW),
    ("elasticloadbalancing:AddTags", {LISTENER: NONE}, {**OURS_NOW, **MAKING_ENTRY}),
    ("elasticloadbalancing:CreateListener", {BALANCER: OURS}, OURS_NOW),
    ("elasticloadbalancing:RegisterTargets", {GROUP: OURS}, NONE),
    ("elasticloadbalancing:DeleteListener", {LISTENER: OURS}, NONE),
    ("route53:ChangeResourceRecordSets", {ZONE: NONE}, NONE),
    ("iam:CreateRole", {ROLE: NONE}, {**OURS_NOW, **BOUND}),
    ("iam:TagRole", {ROLE: NONE}, OURS_NOW),
    ("iam:PutRolePolicy", {ROLE: OURS}, BOUND),
    ("iam:DeleteRolePolicy", {ROLE: OURS}, BOUND),
    ("iam:CreateInstanceProfile", {PROFILE: NONE}, OURS_NOW),
    ("iam:AddRoleToInstanceProfile", {PROFILE: OURS}, NONE),
    ("iam:PassRole", {ROLE: OURS}, TO_EC2),
    ("iam:DeleteRole", {ROLE: OURS}, BOUND),
]


@pytest.mark.parametrize("what", TRIED)
def test_what_an_attacker_tries_is_refused(what: str) -> None:
    assert refused(*TRIED[what])


@pytest.mark.parametrize(("action", "resources", "says"), DONE, ids=lambda value: value if type(value) is str else "")
def test_what_the_stack_does_is_allowed(action: str, resources: Mapping[str, Tags], says: Mapping[str, str]) -> None:
    assert not refused(action, resources, says)


@pytest.mark.parametrize(
    ("action", "resources", "is_refused"),
    [
        ("AttachVolume", {"volume": DATA, "instance": OURS}, False),
        ("DescribeVolumes", {"*": NONE}, False),
        ("AssignPrivateIpAddresses", {"network-interface": NONE}, False),
        ("DetachVolume", {"volume": THEIRS, "instance": THEIRS}, True),
        ("AttachVolume", {"volume": NONE, "instance": OURS}, True),
        ("TerminateInstances", {"instance": OURS}, True),
        ("iam:PassRole", {ROLE: OURS}, True),
    ],
)
def test_a_role_moves_no_disk_of_others_whatever_its_own_policy_says(
    action: str, resources: Mapping[str, Tags], is_refused: bool
) -> None:
    assert refused(action, resources, policy=BOUNDARY) is is_refused


def test_the_boundary_has_all_that_the_role_is_given() -> None:
    given = json.loads(failover_policy.permissions("arn:aws:ec2:r:1:volume/v", {"arn:aws:ec2:r:1:instance/i": "eni"}))
    actions = {action for statement in given["Statement"] for action in statement["Action"]}
    assert {action for each in json.loads(BOUNDARY)["Statement"] for action in each["Action"]} == actions
