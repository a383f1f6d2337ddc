"""What each policy says, word for word, and what it leaves to the run; what is refused is in test_policy_rows.py."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws
import pytest

from policy import tokens
from policy.known import PORTS, known
from policy.resources import UNKNOWN, Resource
from policy.rules import POLICIES, sources
from policy.taggable import TAGGABLE
from policy.tokens import (
    DEFAULT_VPC,
    EGRESS_RULE,
    METADATA_DEFAULTS,
    PREFIX_LIST,
    SNAPSHOT,
    SPOT_REQUEST,
    VOLUME,
    VOLUME_ATTACHMENT,
    VPC,
)
from policy.ways import WAYS
from tests.contract.any_aws import sdk_class
from tests.policies.members import IN, backends
from tests.policies.parts import (
    API,
    HALF_OF_THE_WORLD,
    NODES,
    ROOT,
    WORLD,
    Made,
    Of,
    configuration,
    frontend,
    group,
    inside,
    interface,
    made,
    older,
    one_rule,
    port,
    prefix_list,
    rule,
    scaling_group,
    server,
    spot,
    targets,
    template,
)
from tests.policies.views import STACK, violations
from tests.unit.clusters import raw
from tests.unit.test_purity import imported

ROOT_FOLDER = Path(__file__).parents[2]

# policy, what it looks at, and what it says first
SAID: list[tuple[str, tuple[Made, ...], str]] = [
    (
        "push-jobs-closed-to-the-world",
        one_rule(cidrIpv4="0.0.0.0/0"),
        "rule lets 0.0.0.0/0 in on port 11000 (pushJobs.heartbeatPort)",
    ),
    (
        "push-jobs-closed-to-the-world",
        (inside(cidrBlocks=NODES, prefixListIds=["pl-1"], **port(API)),),
        "group lets 10.1.0.0/24, a prefix list in on port 10002 (pushJobs.apiPort)",
    ),
    ("ssh-closed-to-the-world", (inside(cidrBlocks=WORLD, **port(22)),), "group lets 0.0.0.0/0 in on port 22 (SSH)"),
    ("ssh-closed-to-the-world", one_rule(cidrIpv6="::/0", **port(2222)), "rule lets ::/0 in on port 2222 (ssh.port)"),
    (
        "prefix-lists-in-sight",
        (prefix_list(*NODES, *WORLD), *one_rule(prefixListId=Of("list"))),
        "rule lets 0.0.0.0/0 in on port 11000 (pushJobs.heartbeatPort) by prefix list list",
    ),
    (
        "prefix-lists-in-sight",
        one_rule(prefixListId="pl-1"),
        "rule lets whoever is listed in on port 11000 (pushJobs.heartbeatPort) by prefix list pl-1",
    ),
    (
        "networks-few-in-sum",
        (group(), older(cidrBlocks=HALF_OF_THE_WORLD)),
        "group lets 128 networks in (pushJobs.heartbeatPort), together as wide as an IPv4 /1",
    ),
    (
        "push-jobs-on-backends-only",
        backends(frontend(vpcSecurityGroupIds=IN)),
        "rule opens port 11000 (pushJobs.heartbeatPort) on server, a frontend",
    ),
    (
        "push-jobs-on-backends-only",
        backends(server(role=None, vpcSecurityGroupIds=IN)),
        "rule opens port 11000 (pushJobs.heartbeatPort) on server, which has no tag Role",
    ),
    (
        "push-jobs-on-backends-only",
        backends(template(vpcSecurityGroupIds=IN), scaling_group("bastion", launchTemplate={"id": Of("template")})),
        "rule opens port 11000 (pushJobs.heartbeatPort) on scaling-group, a bastion",
    ),
    (
        "push-jobs-ports-agree",
        one_rule(cidrIpv4=NODES[0]),
        "no rule of the stack opens port 10003 (pushJobs.commandPort)",
    ),
    ("load-balancers-lead-elsewhere", (targets(2222),), "targets leads to port 2222 (ssh.port)"),
    (
        "imdsv2-required",
        (server(metadataOptions=None),),
        "server answers requests for metadata without a session token (IMDSv1)",
    ),
    (
        "imdsv2-required",
        (made(METADATA_DEFAULTS, "all", httpTokens="required", httpPutResponseHopLimit=3),),
        "all lets a session token for metadata travel 3 hops",
    ),
    (
        "imdsv2-required",
        (made(SPOT_REQUEST, "spot"),),
        "spot starts machines that answer requests for metadata without a session token (IMDSv1)",
    ),
    ("volumes-encrypted", (server(rootBlockDevice=None),), "the root volume of server is not encrypted"),
    (
        "volumes-encrypted",
        (server(ephemeralBlockDevices=[{"deviceName": "/dev/sdb", "virtualName": "ephemeral0"}]),),
        "disk /dev/sdb of server is the host's own (instance store)",
    ),
    ("volumes-encrypted", (made(VOLUME, "data", encrypted=False),), "the volume of data is not encrypted"),
    (
        "sources-in-sight",
        (server(launchTemplate={"id": "lt-1"}),),
        "server is made from lt-1, which is not of this stack",
    ),
    (
        "nothing-out-of-sight",
        (Made("aws-native:ec2:Instance", "other", {}),),
        "other (aws-native:ec2:Instance) makes what the policies cannot read",
    ),
    ("tags-present", (made("aws:ec2/keyPair:KeyPair", "key", tags=None),), "key has no tag team"),
    ("tags-present", (made(VOLUME, "data", tags={}),), "data has no tag team, Name"),
    (
        "rules-described",
        one_rule(cidrIpv4=NODES[0], description=None),
        "a rule of rule (port 11000 from 10.1.0.0/24) has no description",
    ),
    (
        "rules-described",
        (made(EGRESS_RULE, "out", description=None),),
        "a rule of out (all ports to 0.0.0.0/0) has no description",
    ),
    (
        "rules-described",
        one_rule(ipProtocol="icmp", description="", referencedSecurityGroupId="sg-1"),
        "a rule of rule (no TCP port from other groups) has no description",
    ),
    ("rules-described", (group(description="Managed by Pulumi"),), "security group group has no description"),
]


@pytest.mark.parametrize(("policy", "looked_at", "told"), SAID, ids=[told for *_, told in SAID])
def test_a_violation_says_what_why_and_what_to_do(policy: str, looked_at: tuple[Made, ...], told: str) -> None:
    found = violations(policy, looked_at)
    assert found, "it is a violation"
    assert found[0].what == told
    assert f"{found[0]}".split("\n")[1:] == [f"     Why: {found[0].why}.", f"     Do:  {found[0].remedy}."]


def test_every_policy_says_something() -> None:
    assert {policy for policy, *_ in SAID} == {policy.name for policy in POLICIES}


NOT_KNOWN_YET: list[tuple[str, tuple[Made, ...]]] = [
    ("push-jobs-closed-to-the-world", one_rule(cidrIpv4=UNKNOWN)),
    ("push-jobs-closed-to-the-world", one_rule(cidrIpv4="0.0.0.0/0", fromPort=UNKNOWN)),
    ("push-jobs-closed-to-the-world", one_rule(cidrIpv4="0.0.0.0/0", ipProtocol=UNKNOWN)),
    ("push-jobs-closed-to-the-world", (group(ingress=UNKNOWN),)),
    (
        "prefix-lists-in-sight",
        (made(PREFIX_LIST, "list", entries=[{"cidr": UNKNOWN}]), *one_rule(prefixListId=Of("list"))),
    ),
    ("push-jobs-on-backends-only", backends(server(tags=UNKNOWN, vpcSecurityGroupIds=IN))),
    ("push-jobs-on-backends-only", backends(server(tags={"Role": UNKNOWN}, vpcSecurityGroupIds=IN))),
    ("load-balancers-lead-elsewhere", (targets(443, port=UNKNOWN),)),
    ("imdsv2-required", (server(metadataOptions=UNKNOWN), server(metadataOptions={"httpTokens": UNKNOWN}))),
    ("volumes-encrypted", (server(rootBlockDevice=UNKNOWN), template(blockDeviceMappings=UNKNOWN))),
    ("volumes-encrypted", (server(rootBlockDevice={"encrypted": UNKNOWN}), made(VOLUME, "data", encrypted=UNKNOWN))),
    ("volumes-encrypted", (template(blockDeviceMappings=[{**ROOT, "deviceName": UNKNOWN}]),)),
    ("tags-present", (server(tags=UNKNOWN), made("aws:ec2/route:Route", "route"))),
    ("rules-described", one_rule(cidrIpv4=NODES[0], description=UNKNOWN)),
]


@pytest.mark.parametrize(("policy", "looked_at"), NOT_KNOWN_YET)
def test_what_a_preview_does_not_know_is_left_to_the_run(policy: str, looked_at: tuple[Made, ...]) -> None:
    assert violations(policy, looked_at) == []


@pytest.mark.parametrize("vpc", [VPC, DEFAULT_VPC])
@pytest.mark.parametrize(
    "machine",
    [
        frontend(vpcSecurityGroupIds=None),
        frontend(vpcSecurityGroupIds=None, subnetId="subnet-1"),
        template(vpcSecurityGroupIds=None),
        configuration(securityGroups=None),
        spot("frontend", vpcSecurityGroupIds=None),
        interface(None, securityGroups=None),
    ],
    ids=lambda made: made.type,
)
def test_what_says_neither_group_nor_vpc_may_be_in_any_default_group(vpc: str, machine: Made) -> None:
    opened = rule(of=Of("vpc", "defaultSecurityGroupId"), cidrIpv4=NODES[0])
    assert violations("push-jobs-on-backends-only", [made(vpc, "vpc"), opened, machine])
    assert not violations("push-jobs-on-backends-only", [made(vpc, "vpc"), opened])


def test_a_snapshot_of_a_servers_own_volume_passes() -> None:
    """Its id is within another property of the server."""
    root = {"encrypted": True, "volumeId": "vol-1"}
    further = {"deviceName": "/dev/sdf", "encrypted": True, "volumeId": "vol-2"}
    machine = server(rootBlockDevice=root, ebsBlockDevices=[further])
    for id in ("vol-1", "vol-2"):
        assert not violations("sources-in-sight", [machine, made(SNAPSHOT, "snapshot", volumeId=id)])


def test_where_a_provider_does_not_say_an_id_a_reference_counts() -> None:
    volume = Resource(VOLUME, "data", "urn::data", {})
    attachment = Resource(VOLUME_ATTACHMENT, "data", "urn::at", {"volumeId": "vol-1"}, {"volumeId": ["urn::data"]})
    assert not list(sources([volume, attachment], STACK))
    assert list(sources([replace(volume, props={"id": "vol-2"}), attachment], STACK))


def test_another_notation_passes_where_it_makes_no_server_and_no_way_in() -> None:
    assert violations("nothing-out-of-sight", [Made("aws-native:s3:Bucket", "logs", {})]) == []


def test_the_ports_are_those_of_the_stack() -> None:
    stack = known(raw({"pushJobs.commandPort": 12000, "ssh.port": 2222}), {})

    def refused(policy: str, number: int) -> bool:
        return bool(violations(policy, one_rule(cidrIpv4="0.0.0.0/0", **port(number)), stack=stack))

    assert [number for number in (10003, 12000) if refused("push-jobs-closed-to-the-world", number)] == [12000]
    assert [number for number in (22, 222, 2222) if refused("ssh-closed-to-the-world", number)] == [22, 2222]


def test_where_ssh_listens_on_22_it_is_told_once() -> None:
    assert (
        len(violations("ssh-closed-to-the-world", one_rule(cidrIpv4="0.0.0.0/0", **port(22)), stack=known(raw({}), {})))
        == 1
    )


def test_another_programs_ports_come_from_the_packs_configuration() -> None:
    stack = known({"color": "blue"}, {"heartbeatPort": 11000.0, "commandPort": 11001, "apiPort": 11002, "sshPort": 22})
    assert stack.ports == {
        "pushJobs.heartbeatPort": 11000,
        "pushJobs.commandPort": 11001,
        "pushJobs.apiPort": 11002,
        "ssh.port": 22,
    }


def test_ports_that_nobody_says_are_not_taken_to_be_the_defaults() -> None:
    stack = known({"color": "blue"}, {"sshPort": 22})
    (found,) = violations("push-jobs-ports-agree", one_rule(cidrIpv4=NODES[0]), stack=stack)
    assert found.what == "the policies do not know heartbeatPort, commandPort, apiPort"


def test_two_sources_that_disagree_are_told() -> None:
    stack = known(raw({}), {"commandPort": 12000, "apiPort": 10002})
    (found,) = violations("push-jobs-ports-agree", (), stack=stack)
    assert found.what == "pushJobs.commandPort is 10003 in the stack and 12000 in the policies' configuration"


def test_the_packs_configuration_names_settings_that_there_are() -> None:
    assert set(PORTS.values()) <= set(known(raw({}), {}).ports)


def made_types() -> Iterator[tuple[str, Any]]:
    """Every type of AWS resource that the components make: its token and its class in the SDK."""
    for path in (ROOT_FOLDER / "components").glob("*.py"):
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
    lines = (ROOT_FOLDER / "policy" / "requirements.txt").read_text().splitlines()
    assert "-c ../requirements.txt" in lines
    pinned = {line.split("==")[0] for line in (ROOT_FOLDER / "requirements.txt").read_text().splitlines()}
    for line in lines:
        if line and not line.startswith(("#", "-c")):
            assert "==" in line or line in pinned, f"{line} is pinned here or there"


RULES = [file for file in (ROOT_FOLDER / "policy").glob("*.py") if file.stem != "__main__"]


@pytest.mark.parametrize("module", RULES, ids=lambda path: path.stem)
def test_the_rules_know_neither_pulumi_nor_the_sandbox(module: Path) -> None:
    assert not {name for name in imported(module) if name.startswith("pulumi") or name == "sandbox"}


@pytest.mark.parametrize("module", RULES, ids=lambda path: path.stem)
def test_the_program_is_known_in_one_place(module: Path) -> None:
    assert bool(imported(module) & {"chef_push_jobs", "components"}) == (module.stem == "known")


def test_the_types_that_the_rules_name_are_there() -> None:
    named = [text for name, text in vars(tokens).items() if name.isupper()]
    for token in (*named, *WAYS, *TAGGABLE):
        assert issubclass(sdk_class(token), pulumi.CustomResource), token
