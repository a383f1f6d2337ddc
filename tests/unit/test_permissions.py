"""What the sandbox's IAM lets a machine do: as its role's policies say, and nothing that they do not name."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from chef_push_jobs.network import failover_policy
from sandbox.aws import iam_policies, metadata_service

HERE = "arn:aws:ec2:us-east-1:123456789012"
MACHINES = {f"{HERE}:instance/i-a": "eni-a", f"{HERE}:instance/i-b": "eni-b"}
POLICY = failover_policy.permissions(f"{HERE}:volume/vol-1", MACHINES)

TABLE = [
    ("DescribeInstances", {}, None),
    ("AttachVolume", {"VolumeId": "vol-1", "InstanceId": "i-b"}, None),
    ("AttachVolume", {"VolumeId": "vol-2", "InstanceId": "i-b"}, "volume/vol-2"),
    ("DetachVolume", {"VolumeId": "vol-1", "InstanceId": "i-c"}, "instance/i-c"),
    ("AssignPrivateIpAddresses", {"NetworkInterfaceId": "eni-a"}, None),
    ("AssignPrivateIpAddresses", {"NetworkInterfaceId": "eni-c"}, "network-interface/eni-c"),
    ("TerminateInstances", {"InstanceId.1": "i-a"}, "instance/i-a"),
]


@pytest.mark.parametrize(("action", "parameters", "denied"), TABLE)
def test_a_request_is_allowed_on_every_resource_that_it_is_about_or_refused_with_the_first_other(
    action: str, parameters: dict[str, str], denied: str | None
) -> None:
    arns = iam_policies.resources(action, parameters, HERE)
    assert iam_policies.denied([POLICY], action, arns) == (denied and f"{HERE}:{denied}")


def test_a_machine_without_policies_may_do_nothing() -> None:
    assert iam_policies.denied([], "DescribeInstances", ["*"]) == "*"


def test_what_one_policy_denies_no_other_allows() -> None:
    deny = json.dumps({"Statement": {"Effect": "Deny", "Action": "ec2:Attach*", "Resource": "*"}})
    arns = iam_policies.resources("AttachVolume", {"VolumeId": "vol-1", "InstanceId": "i-a"}, HERE)
    assert iam_policies.denied([POLICY, deny], "AttachVolume", arns) == arns[0]


def test_what_is_not_implemented_of_a_policy_is_refused() -> None:
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {}}
    with pytest.raises(ValueError, match="Condition"):
        iam_policies.denied([json.dumps({"Statement": [statement]})], "DescribeInstances", ["*"])


@pytest.mark.parametrize(("tokens", "answers"), [("optional", True), ("required", False)])
def test_metadata_is_told_without_a_token_where_the_machine_says_so(tokens: str, answers: bool) -> None:
    machine = SimpleNamespace(metadata_options=SimpleNamespace(http_tokens=tokens))
    assert metadata_service.needs_no_token(machine) is answers
