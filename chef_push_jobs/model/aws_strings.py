"""What AWS accepts in strings, and how it answers if one breaks a rule: one table. Pure.

A rule names the members of the API that it applies to, and the arguments of pulumi-aws. Sources: EC2 API reference,
"CreateSecurityGroup", "IpRange", "Tag"; EC2 user guide, "Tag your resources", "Amazon EC2 key pairs"; Elastic Load
Balancing API reference, "CreateLoadBalancer", "CreateTargetGroup", "Tag"; IAM API reference, "CreateRole", "Tag"; Route
53 API reference, "ResourceRecordSet". EC2's answers are worded as users report them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

Breach = Literal["ascii", "pattern", "shortest", "longest", "reserved"]

# The most tags that a resource can have.
MOST_TAGS = 50


@dataclass(frozen=True)
class Answer:
    """An error of the API, with placeholders `{value}`, `{at}`, `{pattern}`, `{least}` and `{most}`."""

    code: str
    text: str


@dataclass(frozen=True)
class StringRule:
    """`pattern` is in AWS's own notation, for the whole string. AWS reserves strings that begin with `reserved`.

    `members` are (service, structure, member) of the API's model; `arguments` are (type or its beginning, path).
    """

    what: str
    members: tuple[tuple[str, str, str], ...] = ()
    arguments: tuple[tuple[str, str], ...] = ()
    pattern: str | None = None
    least: int = 0
    most: int | None = None
    reserved: str = ""
    answers: Mapping[Breach, Answer] = field(default_factory=dict)

    def breach(self, value: str) -> Breach | None:
        """The part of the rule that the string breaks, or None."""
        if "ascii" in self.answers and not value.isascii():
            return "ascii"
        if self.reserved and value.lower().startswith(self.reserved):
            return "reserved"
        if self.most is not None and len(value) > self.most:
            return "longest"
        if len(value) < self.least:
            return "shortest"
        return None if self.pattern is None or compiled(self.pattern).fullmatch(value) else "pattern"

    def refusal(self, value: str, at: str) -> tuple[str, str] | None:
        """The code and text of AWS's error for this string, which the request has at the path `at`."""
        breach = self.breach(value)
        if breach is None:
            return None
        answer = self.answers.get(breach) or MODEL_ANSWERS[breach]
        text = answer.text.format(value=value, at=at, pattern=self.pattern, least=self.least, most=self.most)
        return answer.code, text


# Java's character classes, as Python writes them inside brackets; all patterns with them allow `_`, as `\w` does.
CLASSES = {
    r"\p{L}": r"\w",
    r"\p{N}": r"\d",
    r"\p{Z}": r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
}


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    for java, python in CLASSES.items():
        pattern = pattern.replace(java, python)
    return re.compile(pattern)


# The answer of a service whose model contains the rule.
_DETECTED = "1 validation error detected: Value '{value}' at '{at}' failed to satisfy constraint: Member must "
MODEL_ANSWERS: Mapping[Breach, Answer] = {
    "pattern": Answer("ValidationError", f"{_DETECTED}satisfy regular expression pattern: {{pattern}}"),
    "longest": Answer("ValidationError", f"{_DETECTED}have length less than or equal to {{most}}"),
    "shortest": Answer("ValidationError", f"{_DETECTED}have length greater than or equal to {{least}}"),
}

GROUP_TEXT = r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]*"
TAG_TEXT = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]"
IAM_NAME = r"[\w+=,.@-]+"
BALANCER_NAME = "[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?"
_VALID = "strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{{}}!$*"


def _invalid(text: str) -> Answer:
    return Answer("InvalidParameterValue", text)


def _not_ascii(parameter: str) -> Answer:
    return _invalid(
        f"Value ({{value}}) for parameter {parameter} is invalid. Character sets beyond ASCII are not supported."
    )


def _group_text(what: str) -> Mapping[Breach, Answer]:
    answer = _invalid(f"Invalid {what}. Valid descriptions are {_VALID}")
    return {"pattern": answer, "longest": answer}


def _missing(parameter: str) -> Answer:
    return Answer("MissingParameter", f"The request must contain the parameter {parameter}")


def _balancer_name(what: str, structure: str, kind: str, reserved: str = "") -> StringRule:
    named = f"{what.capitalize()} name '{{value}}'"
    characters = "characters that are alphanumeric characters or hyphens(-)"
    return StringRule(
        f"name of a {what}",
        (("elbv2", structure, "Name"),),
        ((kind, "name"),),
        BALANCER_NAME,
        least=1,
        most=32,
        reserved=reserved,
        answers={
            "longest": Answer("ValidationError", f"{named} cannot be longer than '{{most}}' characters"),
            "pattern": Answer("ValidationError", f"{named} can only contain {characters}"),
            "reserved": Answer("ValidationError", f"{named} cannot begin with '{reserved}'"),
        },
    )


STRINGS: tuple[StringRule, ...] = (
    StringRule(
        "name of a security group",
        (("ec2", "CreateSecurityGroupRequest", "GroupName"),),
        (("aws:ec2/securityGroup:SecurityGroup", "name"),),
        GROUP_TEXT,
        least=1,
        most=255,
        reserved="sg-",
        answers={
            "ascii": _not_ascii("GroupName"),
            "pattern": _invalid("Value ({value}) for parameter GroupName is invalid."),
            "longest": _invalid("Value ({value}) for parameter GroupName is invalid."),
            "shortest": _missing("GroupName"),
            "reserved": _invalid(
                "Value ({value}) for parameter GroupName is invalid. Group names may not be in the format sg-*."
            ),
        },
    ),
    StringRule(
        "description of a security group",
        (("ec2", "CreateSecurityGroupRequest", "Description"),),
        (("aws:ec2/securityGroup:SecurityGroup", "description"),),
        GROUP_TEXT,
        least=1,
        most=255,
        answers={
            **_group_text("security group description"),
            "ascii": _not_ascii("GroupDescription"),
            "shortest": _missing("GroupDescription"),
        },
    ),
    StringRule(
        "description of a security group rule",
        tuple(
            ("ec2", structure, "Description")
            for structure in ("IpRange", "Ipv6Range", "UserIdGroupPair", "PrefixListId", "SecurityGroupRuleRequest")
        ),
        (
            ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "description"),
            ("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "description"),
        ),
        GROUP_TEXT,
        most=255,
        answers=_group_text("rule description"),
    ),
    StringRule(
        "name of a key pair",
        (("ec2", "ImportKeyPairRequest", "KeyName"), ("ec2", "CreateKeyPairRequest", "KeyName")),
        (("aws:ec2/keyPair:KeyPair", "keyName"), ("aws:ec2/instance:Instance", "keyName")),
        r"\S(.*\S)?",
        least=1,
        most=255,
        answers={
            "ascii": _not_ascii("KeyName"),
            "pattern": _invalid("Value ({value}) for parameter KeyName is invalid."),
            "longest": _invalid("Value ({value}) for parameter KeyName is invalid. Length exceeds maximum of 255."),
            "shortest": _missing("KeyName"),
        },
    ),
    StringRule(  # no rule is documented
        "description of a reservation in a subnet",
        (("ec2", "CreateSubnetCidrReservationRequest", "Description"),),
        (("aws:ec2/subnetCidrReservation:SubnetCidrReservation", "description"),),
    ),
    StringRule(
        "key of an EC2 tag",
        (("ec2", "Tag", "Key"),),
        (("aws:ec2/", "tags.key"), ("aws:ebs/", "tags.key"), ("aws:vpc/", "tags.key")),
        least=1,
        most=127,
        reserved="aws:",
        answers={
            "longest": _invalid("Tag key exceeds the maximum length of {most} characters"),
            "shortest": _invalid("Tag key cannot be empty"),
            "reserved": _invalid("Tag keys starting with 'aws:' are reserved for internal use"),
        },
    ),
    StringRule(
        "value of an EC2 tag",
        (("ec2", "Tag", "Value"),),
        (("aws:ec2/", "tags.value"), ("aws:ebs/", "tags.value"), ("aws:vpc/", "tags.value")),
        most=256,
        answers={"longest": _invalid("Tag value exceeds the maximum length of {most} characters")},
    ),
    _balancer_name("load balancer", "CreateLoadBalancerInput", "aws:lb/loadBalancer:LoadBalancer", "internal-"),
    _balancer_name("target group", "CreateTargetGroupInput", "aws:lb/targetGroup:TargetGroup"),
    StringRule(
        "key of a load balancer's tag",
        (("elbv2", "Tag", "Key"),),
        (("aws:lb/", "tags.key"),),
        f"^({TAG_TEXT}*)$",
        least=1,
        most=128,
        reserved="aws:",
        answers={"reserved": Answer("ValidationError", "Tag keys starting with 'aws:' are reserved for internal use")},
    ),
    StringRule(
        "value of a load balancer's tag",
        (("elbv2", "Tag", "Value"),),
        (("aws:lb/", "tags.value"),),
        f"^({TAG_TEXT}*)$",
        most=256,
    ),
    StringRule(
        "path of a health check",
        (
            ("elbv2", "CreateTargetGroupInput", "HealthCheckPath"),
            ("elbv2", "ModifyTargetGroupInput", "HealthCheckPath"),
        ),
        (("aws:lb/targetGroup:TargetGroup", "healthCheck.path"),),
        least=1,
        most=1024,
    ),
    StringRule(
        "name of a role",
        (("iam", "CreateRoleRequest", "RoleName"),),
        (("aws:iam/role:Role", "name"),),
        IAM_NAME,
        least=1,
        most=64,
    ),
    StringRule(
        "description of a role",
        (("iam", "CreateRoleRequest", "Description"),),
        (("aws:iam/role:Role", "description"),),
        r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*",
        most=1000,
    ),
    StringRule(
        "name of an instance profile",
        (("iam", "CreateInstanceProfileRequest", "InstanceProfileName"),),
        (("aws:iam/instanceProfile:InstanceProfile", "name"),),
        IAM_NAME,
        least=1,
        most=128,
    ),
    StringRule(
        "name of a role's policy",
        (("iam", "PutRolePolicyRequest", "PolicyName"),),
        (("aws:iam/rolePolicy:RolePolicy", "name"),),
        IAM_NAME,
        least=1,
        most=128,
    ),
    StringRule(
        "key of an IAM tag",
        (("iam", "Tag", "Key"),),
        (("aws:iam/", "tags.key"),),
        f"{TAG_TEXT}+",
        least=1,
        most=128,
        reserved="aws:",
        answers={"reserved": Answer("InvalidInput", "Tag keys starting with 'aws:' are reserved for internal use")},
    ),
    StringRule(
        "value of an IAM tag", (("iam", "Tag", "Value"),), (("aws:iam/", "tags.value"),), f"{TAG_TEXT}*", most=256
    ),
    StringRule(
        "name of a record",
        (("route53", "ResourceRecordSet", "Name"),),
        (("aws:route53/record:Record", "name"),),
        most=1024,
    ),
)


def rule_of_argument(kind: str, path: str) -> StringRule | None:
    """The rule of an argument of pulumi-aws, or None; for tags, `tags.key` and `tags.value`."""
    found = (rule for rule in STRINGS for of, at in rule.arguments if kind.startswith(of) and path == at)
    return next(found, None)


@cache
def by_member() -> Mapping[tuple[str, str, str], StringRule]:
    return {member: rule for rule in STRINGS for member in rule.members}


def takes_tag(part: Literal["key", "value"], text: str) -> bool:
    """Whether every service with tagged resources accepts this tag."""
    rules = [rule for rule in STRINGS if any(path == f"tags.{part}" for _, path in rule.arguments)]
    return all(rule.breach(text) is None for rule in rules)
