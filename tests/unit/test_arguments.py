"""Every argument that the program gives AWS's resources and look-ups is pulumi-aws's own, and known to the stand-in.

The program's own components run against an engine that only takes notes of what it is asked to make.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws
import pytest
import yaml
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs, Mocks

from chef_push_jobs.config.settings import Settings
from chef_push_jobs.model.flows import ICMP
from chef_push_jobs.network.security_groups import NAT_ADDRESS, egress_rules, ingress_rules
from chef_push_jobs.runbook.plan import plan
from components.cluster import make_cluster
from policy.machines import MOST_HOPS
from sandbox.plugins.aws.plugin import PLUGIN
from sandbox.plugins.framework.table import Input
from tests import programs
from tests.unit.clusters import SHA256, settings

ROOT = Path(__file__).parents[2]
PROJECT = "chef-push-jobs:"
URL = "https://packages.test/{}"
BALANCED = {"loadBalancer": "internal", "record": {"zoneId": "Z1", "name": "api.chef.test"}}
ARN = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/chef/0123456789abcdef"

# Settings that no stack in stacks/ has.
BOUNDARY = "arn:aws:iam::123456789012:policy/edge"
MORE: dict[str, Mapping[str, Any]] = {
    "by-older-software": {
        "machines": {"metadata": "optional"},
        "bastion": {"volumeSize": 10},
        "highAvailability": {"provider": "aws", "permissionsBoundary": BOUNDARY},
    },
    "in-a-given-role": {"highAvailability": {"provider": "aws", "instanceProfile": "chef-backends"}},
    "all-at-once": {
        "protect": True,
        "network": {"private": "backends", "nat": True, "zones": ["us-east-1a"]},
        "bastion": {},
        "entry": BALANCED,
        "tags": {"CostCenter": "x"},
    },
    "attached": {"entry": {"targetGroupArn": ARN, "loadBalancerCidrs": ["10.2.0.0/24"]}},
    "public-addresses": {
        "ssh": {"keyName": "operators", "address": "public"},
        "entry": {**BALANCED, "loadBalancer": "public"},
    },
    "one-server": {"topology": "standalone", "backends": None, "frontends": None, "entry": BALANCED},
    "key-of-its-own": {"ssh": {"publicKeyFile": "operator.pub"}, "tags": {"CostCenter": "x"}},
    "image-by-id": {"machines": {"image": {"id": "ami-00000001"}}},
}

# What look-ups answer: enough for the program to go on.
ANSWERS: dict[str, dict[str, Any]] = {
    "aws:ec2/getAmi:getAmi": {"id": "ami-00000001"},
    "aws:index/getAvailabilityZones:getAvailabilityZones": {
        "names": ["us-east-1a", "us-east-1b", "eu-central-1a", "eu-central-1b"]
    },
    "aws:ec2/getVpcs:getVpcs": {"ids": ["vpc-0e57a7e000000001"]},
    "aws:ec2/getInstances:getInstances": {"ids": []},
}


INSTANCE = "aws:ec2/instance:Instance"
GET_SUBNET, GET_SUBNETS = "aws:ec2/getSubnet:getSubnet", "aws:ec2/getSubnets:getSubnets"


@dataclass
class Notes(Mocks):
    """Everything that the engine is asked for, with its inputs as they go over the wire."""

    asked: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    made: list[tuple[str, str, Mapping[str, Any]]] = field(default_factory=list)

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.asked.append((args.typ, args.inputs))
        self.made.append((args.typ, args.name, args.inputs))
        outputs = {
            "arn": f"arn:{args.name}",
            "privateIp": "10.0.0.4",
            "publicIp": "192.0.2.4",
            "stdout": programs.printed(args.name),
        }
        return f"{args.name}-id", {"name": args.name, **args.inputs, **outputs}

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        return self._answer(args), []

    def _answer(self, args: MockCallArgs) -> dict[str, Any]:
        self.asked.append((args.token, args.args))
        if args.token == GET_SUBNETS:
            return {"ids": args.args["filters"][0]["values"]}
        if args.token == GET_SUBNET:
            facts = {"vpcId": "vpc-0e57a7e000000001", "availabilityZone": "us-east-1a", "cidrBlock": "10.0.0.0/24"}
            return {**facts, "id": args.args["id"], "availableIpAddressCount": 250}
        return ANSWERS[args.token]


def of_stack(name: str) -> Settings | None:
    """A stack's settings, with packages and keys that need no file; None where no machine is made."""
    content = yaml.safe_load((ROOT / "stacks" / f"Pulumi.{name}.yaml").read_text())["config"]
    given = {key.removeprefix(PROJECT): value for key, value in content.items() if key.startswith(PROJECT)}
    for package in ("chefServer", "pushJobs"):
        if source := given.get(package, {}).get("package"):
            own = str(source.get("file") or source["url"]).rsplit("/", 1)[-1]
            given[package]["package"] = {"url": URL.format(own), "sha256": SHA256}
    given["ssh"] = {**given.get("ssh", {}), "publicKeyFile": None, "keyName": "operators"}
    given = {name: given.get(name) for name in {*given, "backends", "frontends", "domain"}}
    if any("address" in server for server in given.get("servers") or []):
        return None
    return settings(**given)


STACKS = {path.name.split(".")[1]: path for path in sorted((ROOT / "stacks").glob("Pulumi.*.yaml"))}
CASES = {
    **{name: found for name in STACKS if (found := of_stack(name))},
    **{name: settings(**given) for name, given in MORE.items()},
}


@cache
def noted(name: str) -> Notes:
    notes, of = Notes(), CASES[name]

    def program() -> None:
        make_cluster(plan(of))

    programs.run(program, notes)
    return notes


def asked_for(name: str) -> list[tuple[str, Mapping[str, Any]]]:
    """All types and functions of AWS that the program uses, with their arguments."""
    return [(token, inputs) for token, inputs in noted(name).asked if token.startswith("aws:")]


def made_by(name: str) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Type, name and arguments of each resource of AWS."""
    return [made for made in noted(name).made if made[0].startswith("aws:")]


KNOWN: dict[str, Mapping[str, Input]] = {
    **{row.token: row.inputs for row in PLUGIN.resources},
    **{function.token: function.inputs for function in PLUGIN.functions},
}


def paths(inputs: Mapping[str, Any], at: str = "") -> Iterator[str]:
    """Each argument's path; entries of a list are told apart by nothing."""
    for name, value in inputs.items():
        yield f"{at}{name}"
        if name in ("tags", "instanceTags"):
            continue  # its keys are anybody's
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, Mapping):
                yield from paths(entry, f"{at}{name}.")


def known_paths(inputs: Mapping[str, Input], at: str = "") -> Iterator[str]:
    for name, rule in inputs.items():
        yield f"{at}{name}"
        inside = rule.fields or (rule.each.fields if rule.each else None)
        yield from known_paths(inside or {}, f"{at}{name}.")


def sdk_paths(token: str) -> set[str]:
    """From the signatures of the SDK: arguments, and one step into those that are objects."""
    module, name = token.split(":")[1].split("/", maxsplit=1)[0], token.rsplit(":", 1)[1]
    place = pulumi_aws if module == "index" else getattr(pulumi_aws, module)
    function = name[0].islower()
    used = getattr(place, snake(name)) if function else getattr(place, name)._internal_init
    found = set()
    for argument, parameter in inspect.signature(used).parameters.items():
        found.add(camel(argument))
        for inner in re.findall(r"'(\w+Args)'", str(parameter.annotation)):
            members = inspect.signature(getattr(place, inner).__init__).parameters
            found |= {f"{camel(argument)}.{camel(member)}" for member in members}
    return found - {"opts", "self", "resourceName"}


def snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.title() for part in others)


@pytest.mark.parametrize("name", CASES)
def test_every_argument_is_one_of_the_sdk_and_one_that_the_stand_in_knows(name: str) -> None:
    asked = asked_for(name)
    assert {"aws:ec2/instance:Instance", "aws:ec2/securityGroup:SecurityGroup"} <= {token for token, _ in asked}
    for token, inputs in asked:
        given = set(paths(inputs))
        assert token in KNOWN, f"the stand-in does not know {token}"
        assert given <= set(known_paths(KNOWN[token])), f"arguments of {token} that the stand-in does not know"
        assert given <= sdk_paths(token), f"arguments of {token} that pulumi-aws does not have"


def test_all_types_and_functions_that_the_stand_in_has_for_the_program_are_seen_here() -> None:
    """So that a type which only one stack uses is not missed."""
    seen = {token for name in CASES for token, _ in asked_for(name)}
    assert {row.token for row in PLUGIN.resources} <= seen


def test_an_argument_that_there_is_not_would_be_found() -> None:
    assert "colour" not in sdk_paths("aws:ec2/instance:Instance")
    assert "rootBlockDevice.encrypted" in sdk_paths("aws:ec2/instance:Instance")
    assert "rootBlockDevice.colour" not in sdk_paths("aws:ec2/instance:Instance")
    assert "aliases.zoneId" in sdk_paths("aws:route53/record:Record")


@pytest.mark.parametrize("name", CASES)
def test_everything_that_can_have_tags_has_those_of_the_stack_volumes_too(name: str) -> None:
    of = CASES[name]
    for token, inputs in asked_for(name):
        if "tags" in KNOWN[token] and not token.split("/")[1].startswith("get"):
            assert of.config.tags.items() <= (inputs.get("tags") or {}).items(), token
        if token == INSTANCE:
            assert inputs["rootBlockDevice"]["tags"] == inputs["tags"]


@pytest.mark.parametrize("name", CASES)
def test_every_machine_has_imdsv2_and_an_encrypted_gp3_volume_and_protection_where_the_stack_says_so(name: str) -> None:
    of = CASES[name]
    machines = [inputs for token, inputs in asked_for(name) if token == INSTANCE]
    assert len(machines) == len(of.topology.servers) + (of.config.bastion is not None)
    for inputs in machines:
        tokens = of.config.machines.metadata
        assert inputs["metadataOptions"] == {
            "httpTokens": tokens,
            "httpEndpoint": "enabled",
            "httpPutResponseHopLimit": MOST_HOPS,
        }
        assert {"volumeType": "gp3", "encrypted": True}.items() <= inputs["rootBlockDevice"].items()
        assert inputs["disableApiTermination"] is of.config.protect


def test_the_bastions_disk_is_as_large_as_its_image_needs() -> None:
    (bastion,) = [
        inputs for kind, name, inputs in made_by("by-older-software") if (kind, name) == (INSTANCE, "bastion")
    ]
    assert bastion["rootBlockDevice"]["volumeSize"] == 10
    assert bastion["metadataOptions"]["httpTokens"] == "optional"


# How many roles, policies and profiles are made, the boundary of the role, and the profile of a backend.
ROLES = [
    ("sandbox-ha-aws", 3, None, "availability-backend"),
    ("by-older-software", 3, BOUNDARY, "availability-backend"),
    ("in-a-given-role", 0, None, "chef-backends"),
]


@pytest.mark.parametrize(("name", "made", "boundary", "profile"), ROLES)
def test_backends_act_in_a_role_that_is_made_within_its_boundary_or_that_there_is(
    name: str, made: int, boundary: str | None, profile: str
) -> None:
    of_iam = {kind: inputs for kind, _, inputs in made_by(name) if kind.startswith("aws:iam/")}
    assert len(of_iam) == made
    assert of_iam.get("aws:iam/role:Role", {}).get("permissionsBoundary") == boundary
    paths = {inputs["path"] for kind, inputs in of_iam.items() if not kind.endswith("Policy")}
    assert paths == ({f"/{pulumi.get_project()}/{pulumi.get_stack()}/"} if made else set())
    machines = {each: inputs for kind, each, inputs in made_by(name) if kind == INSTANCE}
    assert {machines[f"backend-{number}"]["iamInstanceProfile"] for number in (0, 1)} == {profile}
    assert "iamInstanceProfile" not in machines["frontend-0"]


@pytest.mark.parametrize("name", CASES)
def test_every_rule_of_the_firewall_is_a_resource_with_its_source_protocol_and_port(name: str) -> None:
    of, made = CASES[name], {(kind, each): inputs for kind, each, inputs in made_by(name)}
    known = {NAT_ADDRESS: "192.0.2.4/32"}
    for way, rules in (("Ingress", ingress_rules(of)), ("Egress", egress_rules(of))):
        kind = f"aws:vpc/securityGroup{way}Rule:SecurityGroup{way}Rule"
        prefix = "in" if way == "Ingress" else "out"
        wanted = {f"{prefix}-{rule.name}": rule for rule in rules}
        assert {each for given, each in made if given == kind} == set(wanted)
        for each, rule in wanted.items():
            inputs = made[kind, each]
            source = "192.0.2.4/32" if rule.server else known.get(rule.source, rule.source)
            assert source in (inputs.get("cidrIpv4"), str(inputs.get("referencedSecurityGroupId")).removesuffix("-id"))
            port = -1 if rule.protocol == ICMP else rule.port
            assert (inputs["ipProtocol"], inputs.get("fromPort"), inputs.get("toPort")) == (rule.protocol, port, port)
