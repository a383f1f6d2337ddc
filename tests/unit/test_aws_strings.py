"""What AWS allows in strings: the table against AWS's own models, the sandbox's cloud, and every stack's resources."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import botocore.session  # type: ignore[import-untyped]  # publishes no types
import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]
from botocore.model import StringShape  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from chef_push_jobs.config.stack_config import TAG
from chef_push_jobs.model.aws_strings import STRINGS, StringRule, rule_of_argument, takes_tag
from tests.contract.aws_harness import PUBLIC_KEY, FakeCloud
from tests.unit.test_arguments import CASES, KNOWN, made_by

SESSION = botocore.session.get_session()
MEMBERS = [(rule, *member) for rule in STRINGS for member in rule.members]
TRUST = '{"Version": "2012-10-17", "Statement": []}'


@pytest.mark.parametrize(
    ("rule", "service", "structure", "member"), MEMBERS, ids=lambda part: getattr(part, "what", part)
)
def test_a_rule_is_of_a_string_of_the_api_and_says_what_its_model_says(
    rule: StringRule, service: str, structure: str, member: str
) -> None:
    shape = SESSION.get_service_model(service).shape_for(structure).members[member]
    assert isinstance(shape, StringShape)
    said = {"pattern": rule.pattern, "min": rule.least, "max": rule.most}
    assert shape.metadata.items() <= said.items()


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeCloud]:
    running = FakeCloud(tmp_path_factory.mktemp("cloud"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def ids(cloud: FakeCloud) -> Mapping[str, str]:
    vpc = cloud.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group = cloud.ec2.create_security_group(GroupName="group", Description="x", VpcId=vpc)["GroupId"]
    ranges = [{"CidrIp": "10.0.0.0/24", "Description": "x"}]
    made = cloud.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=tcp(1, IpRanges=ranges))
    rule = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    cloud.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument=TRUST)
    return {"vpc": vpc, "group": group, "rule": rule}


def tcp(port: int, **sources: Any) -> list[dict[str, Any]]:
    return [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **sources}]


def group(text: str, ids: Mapping[str, str]) -> dict[str, Any]:
    return {"GroupName": "other", "Description": text, "VpcId": ids["vpc"]}


def rule_from(kind: str, **source: str) -> Any:
    def arguments(text: str, ids: Mapping[str, str]) -> dict[str, Any]:
        given = {key: ids.get(value, value) for key, value in source.items()}
        return {"GroupId": ids["group"], "IpPermissions": tcp(22, **{kind: [{**given, "Description": text}]})}

    return arguments


def changed_rule(text: str, ids: Mapping[str, str]) -> dict[str, Any]:
    rule = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "CidrIpv4": "10.0.0.0/24", "Description": text}
    return {
        "GroupId": ids["group"],
        "SecurityGroupRules": [{"SecurityGroupRuleId": ids["rule"], "SecurityGroupRule": rule}],
    }


RULE = "Invalid rule description. Valid descriptions are strings less than 256 characters from the following set:"
GROUP = "Invalid security group description. Valid descriptions are strings"
MODEL = "1 validation error detected: Value"


@dataclass(frozen=True)
class Case:
    """`arguments` makes those of the call, of a text and the ids that there are; AWS takes `good`, if that is given."""

    service: str
    method: str
    arguments: Callable[[str, Mapping[str, str]], dict[str, Any]]
    good: str
    bad: str
    code: str
    said: str


def key_pair(text: str, ids: Mapping[str, str]) -> dict[str, Any]:
    return {"KeyName": text, "PublicKeyMaterial": PUBLIC_KEY}


def group_name(text: str, ids: Mapping[str, str]) -> dict[str, Any]:
    return {"GroupName": text, "Description": "x", "VpcId": ids["vpc"]}


def tag_key(text: str, ids: Mapping[str, str]) -> dict[str, Any]:
    return {"Resources": [ids["vpc"]], "Tags": [{"Key": text, "Value": "x"}]}


def tag_of_vpc(text: str, ids: Mapping[str, str]) -> dict[str, Any]:
    tags = [{"Key": "Name", "Value": text}]
    return {"CidrBlock": "10.9.0.0/16", "TagSpecifications": [{"ResourceType": "vpc", "Tags": tags}]}


def target_group(text: str, ids: Mapping[str, str]) -> dict[str, Any]:
    return {"Name": text, "Protocol": "TCP", "Port": 443, "VpcId": ids["vpc"]}


def target_group_tag(text: str, ids: Mapping[str, str]) -> dict[str, Any]:
    return {**target_group("tagged", ids), "Tags": [{"Key": "Owner", "Value": text}]}


def balancer(text: str, ids: Mapping[str, str]) -> dict[str, Any]:
    return {"Name": text, "Type": "network", "Subnets": []}


def role(text: str, ids: Mapping[str, str]) -> dict[str, Any]:
    return {"RoleName": text, "AssumeRolePolicyDocument": TRUST}


def role_tag(text: str, ids: Mapping[str, str]) -> dict[str, Any]:
    return {"RoleName": "role", "Tags": [{"Key": "Owner", "Value": text}]}


INVALID = "InvalidParameterValue"
OF_ROLE = f"{MODEL} 'D&T' at 'tags.1.member.value' failed to satisfy constraint: Member must satisfy regular expression"
ANSWERS = [
    *(
        Case("ec2", f"authorize_security_group_{way}", arguments, good, bad, INVALID, RULE)
        for way in ("ingress", "egress")
        for arguments, good in (
            (rule_from("IpRanges", CidrIp="10.1.0.0/24"), "commands (10003), clients & all"),
            (rule_from("UserIdGroupPairs", GroupId="group"), ""),
        )
        for bad in ("keepalived's heartbeat", "frontend -> backend", "é", "x" * 256)
    ),
    Case("ec2", "modify_security_group_rules", changed_rule, "y" * 255, "don't", INVALID, RULE),
    Case("ec2", "create_security_group", group, "Chef server: backend", "Chef's", INVALID, GROUP),
    Case("ec2", "create_security_group", group, "", "é", INVALID, "Character sets beyond ASCII are not supported"),
    Case("ec2", "create_security_group", group_name, "named", "sg-mine", INVALID, "may not be in the format sg-*"),
    Case("ec2", "import_key_pair", key_pair, "operators of 2026", " operators", INVALID, "KeyName"),
    Case("ec2", "create_tags", tag_key, "k" * 127, "k" * 128, INVALID, "exceeds the maximum length of 127"),
    Case("ec2", "create_tags", tag_key, "", "aws:name", INVALID, "reserved for internal use"),
    Case("ec2", "create_vpc", tag_of_vpc, "it's <all> fine", "v" * 257, INVALID, "exceeds the maximum length of 256"),
    Case("elbv2", "create_target_group", target_group, "n" * 32, "n" * 33, "ValidationError", "longer than '32' char"),
    Case("elbv2", "create_target_group", target_group, "", "a_b", "ValidationError", "alphanumeric characters or hyph"),
    Case("elbv2", "create_target_group", target_group_tag, "Zoë of 2026", "one, two", "ValidationError", MODEL),
    Case("elbv2", "create_load_balancer", balancer, "", "internal-entry", "ValidationError", "cannot begin with"),
    Case("iam", "create_role", role, "r" * 64, "r" * 65, "ValidationError", "length less than or equal to 64"),
    Case("iam", "tag_role", role_tag, "a b", "D&T", "ValidationError", OF_ROLE),
]


@pytest.mark.parametrize("case", ANSWERS, ids=lambda case: f"{case.method}: {case.bad[:20]}")
def test_the_cloud_refuses_what_aws_refuses_in_its_words_and_takes_what_aws_takes(
    cloud: FakeCloud, ids: Mapping[str, str], case: Case
) -> None:
    call = getattr(cloud.client(case.service), case.method)
    with pytest.raises(ClientError) as refused:
        call(**case.arguments(case.bad, ids))
    assert refused.value.response["Error"]["Code"] == case.code
    assert case.said in refused.value.response["Error"]["Message"]
    if case.good:
        try:
            call(**case.arguments(case.good, ids))
        except ClientError as error:
            assert "Duplicate" in error.response["Error"]["Code"], "nothing but that it is there already"


@given(st.from_regex(re.compile(f"{TAG}{{0,256}}"), fullmatch=True))
def test_every_tag_that_a_stack_may_have_is_one_that_every_service_takes(text: str) -> None:
    assert takes_tag("value", text)
    assert takes_tag("key", text) is (0 < len(text) < 128 and not text.lower().startswith("aws:"))


# What a program is free to write, in the arguments of any type.
FREE = ("name", "description", "tags", "keyName", "rootBlockDevice.tags", "healthCheck.path")


def texts(kind: str, name: str, inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each free text of a resource with its path; names that Pulumi makes, too."""
    if "name" in KNOWN[kind] and "name" not in inputs:
        yield "name", f"{name}-{'0' * 7}"
    for path in FREE:
        outer, _, inner = path.partition(".")
        value = inputs.get(outer)
        value = value.get(inner) if inner and isinstance(value, Mapping) else None if inner else value
        if isinstance(value, str):
            yield path, value
        elif isinstance(value, Mapping):
            yield from (("tags.key", key) for key in value)
            yield from (("tags.value", each) for each in value.values())


@pytest.mark.parametrize("stack", CASES)
def test_every_text_of_every_resource_of_every_stack_is_one_that_aws_takes(stack: str) -> None:
    for kind, name, inputs in made_by(stack):
        for path, text in texts(kind, name, inputs):
            rule = rule_of_argument(kind, path)
            assert rule is not None, f"no rule says what AWS allows in {path} of {kind}"
            assert rule.breach(text) is None, (
                f"AWS refuses {path} of {kind} {name}: {text!r} breaks its {rule.breach(text)}"
            )
