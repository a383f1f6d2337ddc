"""A cloud on a bad day: the program recovers, or fails and says what to do; destroy leaves nothing, whatever happened.

One sandbox with the small stack for all of it, one thing after the other.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from chef_push_jobs.engine.aws_advice import ADVICE
from sandbox.aws.fault_injection import Faults
from sandbox.paths import CLONE
from tests.e2e.conftest import Stack, stack
from tests.e2e.test_operators import assert_nothing_left, destroy
from tests.unit.test_aws_document import permitted

# (fault, action), at each stage of a first `up`; what else can be made is made meanwhile.
REFUSALS = (
    ("UnauthorizedOperation", "ModifyVpcAttribute"),  # the VPC is made by then
    ("RulesPerSecurityGroupLimitExceeded", "AuthorizeSecurityGroupIngress"),
    ("InsufficientInstanceCapacity", "RunInstances"),
)
# (fault, action, times): each passes by itself. Those of one action are met in this order.
BAD_DAY = (
    ("RequestLimitExceeded", "CreateVpc", 2),
    ("RequestLimitExceeded", "AuthorizeSecurityGroupIngress", 4),
    ("RequestLimitExceeded", "RunInstances", 2),
    ("InvalidParameterValue", "RunInstances", 1),  # "Invalid IAM Instance Profile name"
    ("InternalError", "CreateSubnet", 2),
    ("NotFoundYet", "CreateVpc", 3),
    ("NotFoundYet", "CreateInternetGateway", 3),
    ("NotFoundYet", "CreateRouteTable", 3),
    ("NotFoundYet", "CreateSubnet", 3),
    ("NotFoundYet", "CreateSecurityGroup", 3),
    ("NotFoundYet", "AuthorizeSecurityGroupIngress", 3),
    ("NotFoundYet", "RunInstances", 3),
    ("SlowAnswer", "AttachInternetGateway", 1),
    ("SlowAnswer", "DescribeInstances", 1),
)


@pytest.fixture(scope="module")
def cluster(root: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack("sandbox-standalone", tmp_path_factory.mktemp("strict")) as made:
        yield made


@pytest.fixture
def faults(cluster: Stack) -> Iterator[Faults]:
    store = Faults(cluster.sandbox.faults)
    yield store
    store.clear()


@pytest.mark.parametrize(("fault", "action"), REFUSALS)
def test_what_the_cloud_refuses_is_told_with_what_to_do_and_nothing_is_orphaned(
    cluster: Stack, faults: Faults, fault: str, action: str
) -> None:
    faults.inject(fault, action)
    done = cluster.up(check=False)
    told = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0 and f"api error {fault}: " in told
    assert f"failed with {fault}. Do: {' '.join(ADVICE[fault].split())}. Then run `pulumi up` again" in told
    assert "Traceback" not in told
    assert faults.waiting() == (), "it was met once, and not tried again"
    destroy(cluster)
    assert_nothing_left(cluster)


def test_what_passes_by_itself_is_not_even_noticed(cluster: Stack, faults: Faults) -> None:
    for fault, action, times in BAD_DAY:
        faults.inject(fault, action, times)
    cluster.up()
    assert faults.waiting() == (), "each was met"
    assert cluster.outputs()["test"].endswith("0 failures")
    assert {step["op"] for step in cluster.preview()} == {"same"}


def test_a_destroy_that_is_cut_short_is_finished_by_the_next(cluster: Stack, faults: Faults) -> None:
    faults.inject("RequestLimitExceeded", "TerminateInstances", 2)
    faults.inject("UnauthorizedOperation", "DeleteVpc")
    done = cluster.pulumi("destroy", "--yes", "--skip-preview", "--config-file", str(cluster.settings), check=False)
    assert done.returncode != 0 and "api error UnauthorizedOperation: " in done.stdout
    left = [each["type"] for each in cluster.state()["deployment"]["resources"] if each["type"].startswith("aws:")]
    assert left == ["aws:ec2/vpc:Vpc"], "what is left in the cloud is left in the state, and nothing else"
    destroy(cluster)
    assert_nothing_left(cluster)


# By the tests themselves, for whether the account is empty.
LOOKED = {"iam:ListRoles", "iam:ListInstanceProfiles", "route53:ListHostedZones"}


def test_the_document_permits_whatever_the_program_asked_for(cluster: Stack) -> None:
    """After an up and a destroy."""
    asked = set(cluster.sandbox.actions.read_text().split()) - LOOKED
    assert {"ec2:RunInstances", "ec2:DeleteVpc"} <= asked
    assert {action for action in asked if not permitted(action)} == set(), "docs/aws.md does not permit these"


def test_faults_are_injected_on_the_command_line(cluster: Stack, faults: Faults) -> None:
    def inject(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sandbox", "inject", *words]
        return subprocess.run(
            command, cwd=CLONE, env=cluster.environment(), capture_output=True, text=True, check=False
        )

    assert inject("VpcLimitExceeded").stdout == "waits: VpcLimitExceeded for CreateVpc, 1 times\n"
    assert "waits: RequestLimitExceeded for *, 3 times\n" in inject("RequestLimitExceeded", "3").stdout
    assert "InsufficientInstanceCapacity" in inject().stdout
    refused = inject("Meteor")
    assert refused.returncode == 1 and "fault 'Meteor': must be one of" in refused.stderr
    assert inject("clear").stdout == ""
