"""What each policy refuses, with the exact message, and what it lets pass; the engine's part is in tests/contract."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pulumi_aws
import pytest

from policy.known import PORTS, Known, known
from policy.resources import UNKNOWN, Resource
from policy.rules import POLICIES, Violation
from policy.taggable import TAGGABLE
from tests.unit.clusters import raw
from tests.unit.test_purity import imported

ROOT = Path(__file__).parents[2]
RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
OLD_RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
INSTANCE = "aws:ec2/instance:Instance"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
VOLUME = "aws:ebs/volume:Volume"
STACK = known(raw({"tags": {"team": "chef"}}), {})


def resource(type_: str, refs: Mapping[str, list[str]] | None = None, **props: Any) -> Resource:
    name = str(props.pop("name", "x"))
    return Resource(type_, name, f"urn::{name}", props, refs or {})


def rule(**props: Any) -> Resource:
    """TCP from one network, with a reason."""
    given = {"ipProtocol": "tcp", "fromPort": 10000.0, "toPort": 10000.0, "cidrIpv4": "10.1.0.0/24"}
    return resource(RULE, **{**given, "description": "nodes", **props})


def inline(**props: Any) -> Resource:
    """A group with one rule inside."""
    given = {"protocol": "tcp", "fromPort": 22.0, "toPort": 22.0, "cidrBlocks": ["10.8.0.0/24"], "description": "ssh"}
    return resource(GROUP, description="servers", ingress=[{**given, **props}])


def instance(**props: Any) -> Resource:
    """As our servers are."""
    given = {"metadataOptions": {"httpTokens": "required"}, "rootBlockDevice": {"encrypted": True}}
    return resource(INSTANCE, **{**given, "tags": {"Name": "x", "team": "chef"}, **props})


def broken(policy: str, *resources: Resource, stack: Known = STACK) -> list[Violation]:
    """What a policy says of the resources."""
    found = next(each for each in POLICIES if each.name == policy)
    if found.stack:
        return list(found.stack(resources, stack))
    assert found.resource
    return [violation for each in resources for violation in found.resource(each, stack)]


def cluster(role: str | None, group: Mapping[str, Any] | None = None, **props: Any) -> list[Resource]:
    """A rule, its group, and the one instance in it, as a preview knows them: by references, without any id."""
    tags = {"Name": "server"} | ({"Role": role} if role else {})
    return [
        resource(RULE, {"securityGroupId": ["urn::group"]}, **{**rule().props, **props, "securityGroupId": UNKNOWN}),
        resource(GROUP, name="group", description="servers", **(group or {})),
        resource(INSTANCE, {"vpcSecurityGroupIds": ["urn::group"]}, name="server", tags=tags),
    ]


# policy, what it looks at, and how its message begins
PLANTED: list[tuple[str, list[Resource], str]] = [
    (
        "push-jobs-closed-to-the-world",
        [rule(cidrIpv4="0.0.0.0/0")],
        "x lets 0.0.0.0/0 in on port 10000 (pushJobs.heartbeatPort)",
    ),
    (
        "push-jobs-closed-to-the-world",
        [rule(cidrIpv4="128.0.0.0/1", fromPort=10001, toPort=10003)],
        "x lets 128.0.0.0/1 in on port 10003 (pushJobs.commandPort)",
    ),
    (
        "push-jobs-closed-to-the-world",
        [rule(cidrIpv4=None, cidrIpv6="::/0", fromPort=10003, toPort=10003)],
        "x lets ::/0 in on port 10003 (pushJobs.commandPort)",
    ),
    (
        "push-jobs-closed-to-the-world",
        [rule(fromPort=10002, toPort=10002)],
        "x lets 10.1.0.0/24 in on port 10002 (pushJobs.apiPort)",
    ),
    (
        "push-jobs-closed-to-the-world",
        [inline(protocol="-1", fromPort=0, toPort=0, cidrBlocks=["0.0.0.0/0"])],
        "x lets 0.0.0.0/0 in on port 10000 (pushJobs.heartbeatPort)",
    ),
    (
        "push-jobs-on-backends-only",
        cluster("frontend"),
        "x opens port 10000 (pushJobs.heartbeatPort) on server, a frontend",
    ),
    (
        "push-jobs-on-backends-only",
        cluster(None, fromPort=10002, toPort=10002),
        "x opens port 10002 (pushJobs.apiPort) on server, which has no tag Role",
    ),
    (
        "push-jobs-on-backends-only",
        [
            resource(OLD_RULE, type="ingress", protocol="all", cidrBlocks=["10.1.0.0/24"], securityGroupId="sg-1"),
            resource(GROUP, name="group", id="sg-1"),
            resource(INSTANCE, name="server", tags={"Role": "bastion"}, vpcSecurityGroupIds=["sg-0", "sg-1"]),
        ],
        "x opens port 10000 (pushJobs.heartbeatPort) on server, a bastion",
    ),
    (
        "push-jobs-ports-agree",
        [rule(fromPort=11000, toPort=11000)],
        "no rule of the stack opens port 10000 (pushJobs.heartbeatPort)",
    ),
    (
        "ssh-closed-to-the-world",
        [rule(fromPort=22, toPort=22, cidrIpv4="0.0.0.0/0")],
        "x lets 0.0.0.0/0 in on port 22 (SSH)",
    ),
    ("ssh-closed-to-the-world", [inline(cidrBlocks=["10.0.0.0/7"])], "x lets 10.0.0.0/7 in on port 22 (SSH)"),
    (
        "ssh-closed-to-the-world",
        [resource(OLD_RULE, type="ingress", protocol="tcp", fromPort=0, toPort=65535, ipv6CidrBlocks=["2000::/3"])],
        "x lets 2000::/3 in on port 22 (SSH)",
    ),
    ("imdsv2-required", [instance(metadataOptions=None)], "x answers requests for metadata without a session token"),
    (
        "imdsv2-required",
        [resource(TEMPLATE, metadataOptions={"httpTokens": "optional"})],
        "x answers requests for metadata without a session token",
    ),
    ("volumes-encrypted", [instance(rootBlockDevice=None)], "the root volume of x is not encrypted"),
    (
        "volumes-encrypted",
        [instance(ebsBlockDevices=[{"deviceName": "/dev/sdf"}])],
        "volume /dev/sdf of x is not encrypted",
    ),
    ("volumes-encrypted", [resource(VOLUME, encrypted=False)], "the volume of x is not encrypted"),
    (
        "volumes-encrypted",
        [resource(TEMPLATE, blockDeviceMappings=[{"deviceName": "/dev/sda1", "ebs": {"volumeSize": 8}}])],
        "volume /dev/sda1 of x is not encrypted",
    ),
    ("tags-present", [instance(tags={"team": "chef"})], "x has no tag Name"),
    ("tags-present", [resource("aws:ec2/keyPair:KeyPair")], "x has no tag team"),
    ("tags-present", [resource(VOLUME, tags={})], "x has no tag team, Name"),
    ("rules-described", [rule(description=None)], "a rule of x (port 10000 from 10.1.0.0/24) has no description"),
    (
        "rules-described",
        [resource(EGRESS, ipProtocol="-1", cidrIpv4="0.0.0.0/0")],
        "a rule of x (all ports to 0.0.0.0/0) has no description",
    ),
    ("rules-described", [inline(description="")], "a rule of x (port 22 from 10.8.0.0/24) has no description"),
    ("rules-described", [resource(GROUP, description="Managed by Pulumi")], "security group x has no description"),
]


@pytest.mark.parametrize(
    ("policy", "resources", "told"), PLANTED, ids=lambda value: value if isinstance(value, str) else None
)
def test_a_planted_violation_is_refused_with_what_why_and_what_to_do(
    policy: str, resources: list[Resource], told: str
) -> None:
    found = broken(policy, *resources)
    assert found, "it is a violation"
    assert found[0].what.startswith(told)
    assert f"{found[0]}".split("\n")[1:] == [f"     Why: {found[0].why}.", f"     Do:  {found[0].remedy}."]


def test_every_policy_has_a_violation_planted_against_it() -> None:
    assert {policy for policy, *_ in PLANTED} == {policy.name for policy in POLICIES}


GOOD: list[tuple[str, list[Resource]]] = [
    ("push-jobs-closed-to-the-world", [rule(), rule(fromPort=443, toPort=443, cidrIpv4="0.0.0.0/0")]),
    ("push-jobs-closed-to-the-world", [resource(EGRESS, ipProtocol="-1", cidrIpv4="0.0.0.0/0", description="all")]),
    ("push-jobs-closed-to-the-world", [rule(ipProtocol="udp", cidrIpv4="0.0.0.0/0")]),
    ("push-jobs-closed-to-the-world", [rule(fromPort=10002, toPort=10002, cidrIpv4=None)]),
    ("push-jobs-closed-to-the-world", [rule(cidrIpv4=UNKNOWN)]),
    ("push-jobs-on-backends-only", cluster("backend")),
    ("push-jobs-on-backends-only", cluster("frontend", fromPort=443, toPort=443)),
    ("push-jobs-ports-agree", [rule(), rule(fromPort=10003, toPort=10003)]),
    ("push-jobs-ports-agree", []),
    ("ssh-closed-to-the-world", [inline(), rule(fromPort=22, toPort=22, cidrIpv4=None)]),
    ("imdsv2-required", [instance(), instance(metadataOptions={"httpEndpoint": "disabled"})]),
    ("imdsv2-required", [instance(metadataOptions=UNKNOWN), instance(metadataOptions={"httpTokens": UNKNOWN})]),
    ("volumes-encrypted", [instance(), instance(rootBlockDevice=UNKNOWN), resource(VOLUME, encrypted=True)]),
    ("tags-present", [instance(), instance(tags=UNKNOWN), resource("aws:ec2/route:Route")]),
    ("tags-present", [instance(tags=None, tagsAll={"Name": "x", "team": "chef"})]),
    ("rules-described", [rule(), inline(), rule(description=UNKNOWN)]),
]


@pytest.mark.parametrize(("policy", "resources"), GOOD)
def test_what_is_right_or_not_known_yet_passes(policy: str, resources: list[Resource]) -> None:
    assert broken(policy, *resources) == []


def test_the_ports_are_those_of_the_stack() -> None:
    stack = known(raw({"pushJobs.commandPort": 12000, "ssh.port": 2222}), {})
    assert broken("push-jobs-closed-to-the-world", rule(cidrIpv4="0.0.0.0/0", fromPort=10003, toPort=10003)) != []
    moved = rule(cidrIpv4="0.0.0.0/0", fromPort=10003, toPort=10003)
    assert broken("push-jobs-closed-to-the-world", moved, stack=stack) == []
    assert broken("push-jobs-closed-to-the-world", rule(cidrIpv4="0.0.0.0/0", toPort=12000), stack=stack) != []
    for port in (22, 2222):
        assert broken("ssh-closed-to-the-world", rule(cidrIpv4="::/0", fromPort=port, toPort=port), stack=stack) != []


def test_another_programs_ports_come_from_the_packs_configuration() -> None:
    stack = known({"color": "blue"}, {"heartbeatPort": 11000.0, "commandPort": 11001, "apiPort": 11002, "sshPort": 22})
    assert stack.ports == {
        "pushJobs.heartbeatPort": 11000,
        "pushJobs.commandPort": 11001,
        "pushJobs.apiPort": 11002,
        "ssh.port": 22,
    }


def test_ports_that_nobody_says_are_not_taken_to_be_the_defaults() -> None:
    (found,) = broken("push-jobs-ports-agree", rule(), stack=known({"color": "blue"}, {"sshPort": 22}))
    assert found.what == "the policies do not know heartbeatPort, commandPort, apiPort"


def test_two_sources_that_disagree_are_told() -> None:
    stack = known(raw({}), {"commandPort": 12000, "apiPort": 10002})
    (found,) = broken("push-jobs-ports-agree", stack=stack)
    assert found.what == "pushJobs.commandPort is 10003 in the stack and 12000 in the policies' configuration"


def test_the_packs_configuration_names_settings_that_there_are() -> None:
    assert set(PORTS.values()) <= set(known(raw({}), {}).ports)


def made_types() -> Iterator[tuple[str, Any]]:
    """Every type of AWS resource that the components make: its token and its class in the SDK."""
    for path in (ROOT / "components").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            parts = ast.unparse(node.func).split(".") if isinstance(node, ast.Call) else []
            if len(parts) == 3 and parts[0] == "aws":
                found = getattr(importlib.import_module(f"{pulumi_aws.__name__}.{parts[1]}"), parts[2])
                if hasattr(found, "pulumi_type"):
                    yield found.pulumi_type, found


def test_of_the_types_that_the_components_make_it_is_known_which_have_tags() -> None:
    made = dict(made_types())
    assert len(made) > 5, "they are found"
    for token, found in made.items():
        has_tags = "tags" in inspect.signature(found._internal_init).parameters
        assert has_tags == (token in TAGGABLE), f"{token}: its place is in policy/taggable.py if it has tags"


def test_the_pack_shares_the_programs_pins() -> None:
    lines = (ROOT / "policy" / "requirements.txt").read_text().splitlines()
    assert "-c ../requirements.txt" in lines
    pinned = {line.split("==")[0] for line in (ROOT / "requirements.txt").read_text().splitlines()}
    for line in lines:
        if line and not line.startswith(("#", "-c")):
            assert "==" in line or line in pinned, f"{line} is pinned here or there"


@pytest.mark.parametrize("module", ["known", "resources", "rules", "taggable"])
def test_the_rules_know_neither_pulumi_nor_the_sandbox(module: str) -> None:
    found = imported(ROOT / "policy" / f"{module}.py")
    assert not {name for name in found if name.startswith("pulumi") or name == "sandbox"}
