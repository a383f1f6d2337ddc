"""What an operator is told to do when AWS refuses."""

from __future__ import annotations

import pytest

from chef_push_jobs.engine.aws_advice import ADVICE, advice, refused

REFUSED = (
    "creating EC2 VPC: operation error EC2: CreateVpc, https response error StatusCode: 400, RequestID: 1b2c, "
    "api error VpcLimitExceeded: The maximum number of VPCs has been reached."
)


def test_a_quota_is_told_with_the_command_that_raises_it() -> None:
    assert advice("network", "create", [REFUSED]) == (
        "network: create failed with VpcLimitExceeded.\n"
        "Do:   the account has reached its quota of VPCs in this region. Delete an unused one, or request more: "
        "`aws service-quotas request-service-quota-increase --service-code vpc --quota-code L-F678F1CE "
        "--desired-value N`.\n"
        "      Then run `pulumi up` again: it continues from there. What was created is in the state; "
        "`pulumi destroy` removes it."
    )


@pytest.mark.parametrize("code", ADVICE)
def test_every_code_of_the_table_is_found_in_an_error(code: str) -> None:
    told = advice("it", "create", [REFUSED.replace("VpcLimitExceeded", code)])
    assert told is not None and told.startswith(f"it: create failed with {code}.\nDo:   ")


@pytest.mark.parametrize("error", ["api error Teapot: short and stout", "task install failed on backend-0", ""])
def test_an_error_that_the_table_does_not_know_is_left_to_itself(error: str) -> None:
    assert advice("it", "create", [error]) is None


def test_the_newest_of_several_errors_decides() -> None:
    older = REFUSED.replace("VpcLimitExceeded", "RequestLimitExceeded")
    told = advice("it", "create", [REFUSED, older])
    assert told is not None and "VpcLimitExceeded" in told


INVOKED = "invoke of aws:ec2/getAmi:getAmi failed: invocation of aws:ec2/getAmi:getAmi returned an error: {}"


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        (REFUSED.replace("VpcLimitExceeded", "UnauthorizedOperation"), ADVICE["UnauthorizedOperation"]),
        ("something else", "see that aws:region and the credentials are those of the account that you mean"),
    ],
)
def test_a_look_up_that_failed_is_a_problem_of_its_setting_in_the_words_of_aws(said: str, remedy: str) -> None:
    problem = refused("machines.image", INVOKED.format(said))
    assert (problem.setting, problem.given, problem.remedy) == ("machines.image", said.rstrip("."), remedy)
