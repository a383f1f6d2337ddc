"""Where servers stand and what the firewall lets through, and what must hold of a VPC that exists already."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from chef_push_jobs.model.flows import flows
from chef_push_jobs.model.problems import Problem
from chef_push_jobs.model.subnets import block, room
from chef_push_jobs.network import existing_network, security_groups
from chef_push_jobs.network.existing_network import ExistingNetwork, ExistingSubnet
from chef_push_jobs.network.security_groups import ANYWHERE
from tests.unit.clusters import SHA256, settings

ZONES = ["eu-central-1a", "eu-central-1b"]
BALANCED = {"loadBalancer": "public", "record": {"zoneId": "Z1", "name": "api.chef.test"}}
INTERNAL = {**BALANCED, "loadBalancer": "internal"}
BEHIND_NAT = {"private": "servers", "nat": True}

# settings, and the subnets that they make: name, number of the block, zone, private
PLANS: list[tuple[Mapping[str, Any], list[tuple[str, int, str | None, bool]]]] = [
    ({}, [("backend", 0, None, False), ("frontend", 1, None, False)]),
    ({"network": {"private": "backends"}}, [("backend", 0, None, True), ("frontend", 1, None, False)]),
    (
        {"network": {"private": "servers", "nat": True}},
        [("backend", 0, None, True), ("frontend", 1, None, True), ("public", 2, None, False)],
    ),
    (
        {"network": {**BEHIND_NAT, "zones": ZONES}, "entry": BALANCED, "bastion": {}},
        [
            ("backend", 0, ZONES[0], True),
            ("frontend", 1, ZONES[0], True),
            ("frontend-1", 3, ZONES[1], True),
            ("public", 2, ZONES[0], False),
            ("public-1", 4, ZONES[1], False),
        ],
    ),
    (
        {
            "topology": "standalone",
            "backends": None,
            "frontends": None,
            "network": {"private": "backends"},
            "bastion": {},
        },
        [("backend", 0, None, True), ("public", 2, None, False)],
    ),
    ({"network": {"private": "servers"}}, [("backend", 0, None, True), ("frontend", 1, None, True)]),
]


@pytest.mark.parametrize(("given", "wanted"), PLANS, ids=lambda part: str(part)[:60])
def test_the_subnets_that_settings_make(
    given: Mapping[str, Any], wanted: list[tuple[str, int, str | None, bool]]
) -> None:
    of = settings(**given)
    found = [(each.name, each.number, each.zone, each.private) for each in of.subnets]
    assert found == wanted


@pytest.mark.parametrize("vpc", ["10.0.0.0/16", "10.0.0.0/20", "10.0.0.0/24"])
def test_the_blocks_of_a_vpc_are_within_it_and_apart(vpc: str) -> None:
    blocks = [ipaddress.IPv4Network(block(vpc, number)) for number in range(room(vpc))]
    assert all(each.subnet_of(ipaddress.IPv4Network(vpc)) for each in blocks)
    assert len(set(blocks)) == room(vpc) >= 4


def into(group: str, of: Any) -> set[tuple[int | None, str]]:
    return {(rule.port, rule.source) for rule in security_groups.ingress_rules(of) if rule.group == group}


def out_of(group: str, of: Any) -> set[tuple[int | None, str]]:
    return {(rule.port, rule.source) for rule in security_groups.egress_rules(of) if rule.group == group}


def test_with_a_bastion_it_alone_takes_ssh_from_operators_and_the_servers_take_it_from_there() -> None:
    of = settings(bastion={})
    assert into("bastion", of) == {(22, "10.8.0.0/24")}
    for tier in ("backend", "frontend"):
        assert {source for port, source in into(tier, of) if port == 22} == {"bastion"}
    assert out_of("bastion", of) == {(22, "backend"), (22, "frontend"), (443, ANYWHERE), (80, ANYWHERE)}


def test_with_a_load_balancer_clients_reach_it_and_the_frontends_only_through_it() -> None:
    of = settings(entry=INTERNAL)
    assert into("load-balancer", of) == {(443, "10.1.0.0/24"), (80, "10.1.0.0/24"), (443, "backend")}
    assert {source for port, source in into("frontend", of) if port in (80, 443)} == {"load-balancer"}
    assert out_of("load-balancer", of) == {(443, "frontend"), (80, "frontend")}


def test_an_existing_load_balancer_reaches_the_frontends_on_https_beside_the_clients() -> None:
    entry = {"targetGroupArn": ARN, "loadBalancerCidrs": ["10.2.0.0/24", "10.1.0.0/24"]}
    assert into("frontend", settings(entry=entry)) - into("frontend", settings()) == {(443, "10.2.0.0/24")}


ARN = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/chef/0123456789abcdef"
STANDALONE = {"topology": "standalone", "backends": None, "frontends": None}
TIER = {"topology": "tier", "backends": "1"}
AWS = {"highAvailability": {"provider": "aws"}}
UNPREPARED = {"highAvailability": {"provider": "aws", "prepareVolume": False}}
PUBLIC = {"ssh": {"keyName": "operators", "address": "public"}}
EXISTING = {
    "vpcId": "vpc-0a1b2c3d",
    "backendSubnetId": "subnet-0000000a",
    "frontendSubnetIds": ["subnet-0000000b"],
    "publicSubnetIds": ["subnet-0000000c"],
    "natAddresses": ["203.0.113.7"],
}
ATTACHED = {"targetGroupArn": ARN, "loadBalancerCidrs": ["10.2.0.0/24"]}

# what the stack has, the group that answers clients, and as whom that sees the backends, on 443
AT_ENTRY: list[tuple[Mapping[str, Any], str, list[str]]] = [
    ({}, "frontend", ["backend"]),
    ({"network": {"private": "backends"}}, "frontend", ["backend"]),
    ({"network": {"private": "backends", "nat": True}}, "frontend", ["backend", "nat"]),
    (PUBLIC, "frontend", ["backend", "public-backend-0", "public-backend-1"]),
    ({"entry": INTERNAL}, "load-balancer", ["backend"]),
    ({"entry": INTERNAL, **PUBLIC}, "load-balancer", ["backend"]),
    ({"entry": BALANCED, "network": BEHIND_NAT}, "load-balancer", ["nat"]),
    ({"entry": BALANCED, **PUBLIC}, "load-balancer", ["public-backend-0", "public-backend-1"]),
    ({"entry": BALANCED, "network": EXISTING}, "load-balancer", ["203.0.113.7/32"]),
    ({"entry": BALANCED, "network": EXISTING, "clientCidrs": ["203.0.113.7/32"]}, "load-balancer", ["203.0.113.7/32"]),
    ({"entry": ATTACHED}, "frontend", ["backend"]),
    ({"entry": ATTACHED, "network": BEHIND_NAT}, "frontend", ["backend", "nat"]),
    ({"entry": ATTACHED, "network": EXISTING}, "frontend", ["backend", "203.0.113.7/32"]),
    (STANDALONE, "backend", []),
    ({**STANDALONE, "entry": INTERNAL}, "load-balancer", ["backend"]),
    ({**STANDALONE, "entry": BALANCED, "network": BEHIND_NAT}, "load-balancer", ["nat"]),
    ({**STANDALONE, "entry": ATTACHED}, "backend", []),
]


@pytest.mark.parametrize(("given", "door", "seen"), AT_ENTRY, ids=lambda part: str(part)[:60])
def test_backends_reach_what_answers_clients_and_by_no_other_address(
    given: Mapping[str, Any], door: str, seen: list[str]
) -> None:
    of = settings(**given)
    clients = {*of.config.client_cidrs, *of.config.entry.load_balancer_cidrs} - set(seen)
    assert {source for port, source in into(door, of) if port == 443} - clients == set(seen)
    assert (443, ANYWHERE) in out_of("backend", of)


# package of Chef server, topology: what frontends reach on backends, beside the push jobs API
BOTH = {443, 4321, 5432, 16379}
OLD = BOTH | {5672, 8983}
FRONTEND_FLOWS: list[tuple[str | None, Mapping[str, Any], set[int]]] = [
    ("12.2.0", TIER, OLD),
    ("12.4.1", AWS, OLD | {15672}),
    ("12.19.31", AWS, OLD | {15672}),
    ("12.19.31", TIER, OLD | {15672}),
    ("13.2.0", TIER, OLD | {15672}),
    ("14.0.65", TIER, BOTH | {9200}),
    ("15.10.118", TIER, BOTH | {9200}),
    (None, TIER, OLD | {15672, 9200}),
    (None, AWS, OLD | {15672}),
]
# packages of push jobs and of Chef server, and the provider: what backends open to each other
PEER_FLOWS: list[tuple[str, str | None, Mapping[str, Any], set[tuple[str, int | None]]]] = [
    ("1.1.6", "12.19.31", AWS, {("112", None), ("icmp", None)}),
    ("2.2.8", "12.19.31", AWS, {("112", None), ("icmp", None), ("tcp", 5432)}),
    ("2.2.8", "12.19.31", UNPREPARED, {("112", None), ("tcp", 5432)}),
    ("2.0.0", None, AWS, {("112", None), ("icmp", None)}),
    ("1.1.6", "12.19.31", TIER, set()),
]


def package(name: str, version: str) -> dict[str, Any]:
    return {"package": {"url": f"https://packages.test/{name}_{version}-1_amd64.deb", "sha256": SHA256}}


def versions(push_jobs: str, core: str | None) -> dict[str, Any]:
    chosen = {"pushJobs": package("opscode-push-jobs-server", push_jobs), "machines": {"image": {"id": "ami-00000001"}}}
    return chosen | ({"chefServer": package("chef-server-core", core) | {"acceptLicense": True}} if core else {})


def fitting(core: str | None) -> dict[str, Any]:
    return versions("1.1.6" if core in ("12.2.0", "12.4.1") else "2.2.8", core)


@pytest.mark.parametrize(("core", "given", "ports"), FRONTEND_FLOWS)
def test_frontends_reach_on_backends_what_their_version_of_chef_server_asks_and_nothing_else(
    core: str | None, given: Mapping[str, Any], ports: set[int]
) -> None:
    of = settings(**fitting(core), **given)
    assert {port for port, source in into("backend", of) if source == "frontend" and port != 22} == {*ports, 10002}
    assert {port for port, target in out_of("frontend", of) if target == "backend"} == {*ports, 10002} - {443}


@pytest.mark.parametrize(("push_jobs", "core", "given", "opened"), PEER_FLOWS)
def test_backends_open_to_each_other_what_they_ask_and_nothing_else(
    push_jobs: str, core: str | None, given: Mapping[str, Any], opened: set[tuple[str, int | None]]
) -> None:
    of = settings(**versions(push_jobs, core), **given)
    for rules in (security_groups.ingress_rules(of), security_groups.egress_rules(of)):
        found = {(each.protocol, each.port) for each in rules if {each.group, each.source} == {"backend"}}
        assert found == opened


def test_packages_are_fetched_from_the_port_that_their_url_has() -> None:
    url = "http://packages.test:8080/opscode-push-jobs-server_2.2.8-1_amd64.deb"
    of = settings(pushJobs={"package": {"url": url, "sha256": SHA256}})
    for tier in ("backend", "frontend"):
        assert {port for port, target in out_of(tier, of) if target == ANYWHERE} == {80, 443, 8080}


CLUSTERS = [
    *(given for given, _ in PLANS),
    *(given for given, _, _ in AT_ENTRY),
    {"entry": INTERNAL, "bastion": {}},
    *({**fitting(core), **given} for core, given, _ in FRONTEND_FLOWS),
]


@pytest.mark.parametrize("given", CLUSTERS, ids=lambda given: str(given)[:60])
def test_every_rule_has_its_reason_a_name_of_its_own_and_groups_that_there_are(given: Mapping[str, Any]) -> None:
    of = settings(**given)
    groups = set(security_groups.groups(of))
    for rules in (list(security_groups.ingress_rules(of)), list(security_groups.egress_rules(of))):
        assert len({rule.name for rule in rules}) == len(rules)
        assert all(rule.reason and rule.group in groups for rule in rules)
        chosen_by_aws = {rule.source for rule in rules if rule.server or rule.source == security_groups.NAT_ADDRESS}
        assert all("/" in rule.source or rule.source in groups | chosen_by_aws for rule in rules)
        same = {(rule.group, rule.protocol, rule.port, rule.source) for rule in rules}
        assert len(same) == len(rules), "EC2 refuses duplicates"


@pytest.mark.parametrize("given", CLUSTERS, ids=lambda given: str(given)[:60])
def test_what_one_group_lets_in_from_another_that_other_lets_out_and_the_other_way_round(
    given: Mapping[str, Any],
) -> None:
    of = settings(**given)
    groups = set(security_groups.groups(of))
    let_in = {(each.source, each.protocol, each.port, each.group) for each in security_groups.ingress_rules(of)}
    let_out = {(each.group, each.protocol, each.port, each.source) for each in security_groups.egress_rules(of)}
    for source, protocol, port, target in let_in:
        if source in groups:
            assert let_out & {(source, protocol, port, target), (source, protocol, port, ANYWHERE)}
    for source, protocol, port, target in let_out:
        assert target == ANYWHERE or (source, protocol, port, target) in let_in


@pytest.mark.parametrize("given", CLUSTERS, ids=lambda given: str(given)[:60])
def test_every_rule_is_of_a_flow_and_no_group_has_more_rules_than_aws_takes(given: Mapping[str, Any]) -> None:
    of = settings(**given)
    ports = {flow.port for flow in flows(security_groups.cluster(of)) if isinstance(flow.port, int)}
    known = {*ports, None, 22, 80, 443, 10000, 10002, 10003}
    for rules in (list(security_groups.ingress_rules(of)), list(security_groups.egress_rules(of))):
        assert {rule.port for rule in rules} <= known
        assert max(Counter(rule.group for rule in rules).values()) <= 60


def test_nothing_but_push_jobs_and_the_entry_is_open_to_clients() -> None:
    assert {rule.port for rule in security_groups.ingress_rules(settings()) if rule.source == "10.1.0.0/24"} == {
        80,
        443,
        10000,
        10003,
    }


def test_the_runbook_waits_for_the_rules_of_push_jobs_and_for_the_ways_of_the_backends_to_api_and_database() -> None:
    waited_for = {rule.name for rule in security_groups.ingress_rules(settings()) if rule.push_jobs}
    ports = {"push-jobs-10000-10.1.0.0-24", "push-jobs-10003-10.1.0.0-24", "push-jobs-443", "api-10002"}
    assert waited_for == ports | {"peer-5432"}, "from 2.0.1 on a standby reconfigures the master's database"


VPC = "vpc-0a1b2c3d"
BACKEND, FIRST, SECOND, PUBLIC_SUBNET = (f"subnet-0000000{letter}" for letter in "abcd")
NETWORK = {
    "vpcId": VPC,
    "backendSubnetId": BACKEND,
    "frontendSubnetIds": [FIRST, SECOND],
    "publicSubnetIds": [PUBLIC_SUBNET],
    "natAddresses": ["203.0.113.7"],
}


def subnet(id: str, **changes: Any) -> ExistingSubnet:
    return replace(ExistingSubnet(id, VPC, ZONES[0], "10.0.0.0/24", 250, 0), **changes)


GOOD = {
    each.id: each for each in (subnet(BACKEND), subnet(FIRST), subnet(SECOND, zone=ZONES[1]), subnet(PUBLIC_SUBNET))
}
ITS_ZONES = "a load balancer only reaches servers in its own zones"

# settings beside NETWORK, what is found otherwise than GOOD, and the one problem of it
FOUND: list[tuple[Mapping[str, Any], Mapping[str, ExistingSubnet | None], tuple[str, str, str, str]]] = [
    (
        {},
        {FIRST: None},
        (
            "network.frontendSubnetIds",
            f"'{FIRST}', which does not exist",
            f"it is a subnet of {VPC}",
            f"give one of {VPC}",
        ),
    ),
    (
        {},
        {BACKEND: subnet(BACKEND, vpc="vpc-other")},
        (
            "network.backendSubnetId",
            f"'{BACKEND}', which is in vpc-other",
            f"it is a subnet of {VPC}",
            f"give one of {VPC}",
        ),
    ),
    (
        {},
        {BACKEND: subnet(BACKEND, free=1)},
        (
            "network.backendSubnetId",
            f"'{BACKEND}', which has 1 free address(es)",
            "2 machine(s) of the stack are in it, of which 0 have an address already",
            "free some, or choose a larger subnet",
        ),
    ),
    (
        {"bastion": {}},
        {PUBLIC_SUBNET: subnet(PUBLIC_SUBNET, free=0)},
        (
            "network.publicSubnetIds",
            f"'{PUBLIC_SUBNET}', which has 0 free address(es)",
            "1 machine(s) of the stack are in it, of which 0 have an address already",
            "free some, or choose a larger subnet",
        ),
    ),
    (
        {"entry": BALANCED},
        {},
        ("network.publicSubnetIds", f"none in {ZONES[1]}", ITS_ZONES, "add a subnet in each zone of the frontends"),
    ),
    (
        {"entry": {**BALANCED, "loadBalancer": "internal"}},
        {SECOND: subnet(SECOND)},
        (
            "network.frontendSubnetIds",
            f"2 subnets in {ZONES[0]}",
            "a load balancer uses only one subnet per zone",
            "remove all but one in that zone",
        ),
    ),
]


@pytest.mark.parametrize(("given", "found", "problem"), FOUND, ids=lambda part: str(part)[:60])
def test_what_does_not_fit_in_an_existing_vpc_is_told_before_anything_is_made(
    given: Mapping[str, Any], found: Mapping[str, ExistingSubnet | None], problem: tuple[str, str, str, str]
) -> None:
    there = {id: each for id, each in {**GOOD, **found}.items() if each is not None}
    assert existing_network.problems(settings(network=NETWORK, **given), ExistingNetwork(True, there)) == [
        Problem(*problem)
    ]


def test_an_existing_vpc_that_fits_has_no_problem_nor_when_its_own_servers_fill_it() -> None:
    of = settings(network=NETWORK)
    assert existing_network.problems(of, ExistingNetwork(True, GOOD)) == []
    full = {**GOOD, BACKEND: subnet(BACKEND, free=0, ours=2)}
    assert existing_network.problems(of, ExistingNetwork(True, full)) == []


def test_a_vpc_that_there_is_not_is_told_once_and_a_zone_with_those_that_there_are() -> None:
    rule = "the VPC must exist in the account and region of the stack"
    assert existing_network.problems(settings(network=NETWORK), ExistingNetwork()) == [
        Problem("network.vpcId", f"'{VPC}'", rule, "correct it, or correct aws:region or aws:profile")
    ]
    zoned = settings(network={"zones": ["eu-central-1x"]})
    assert existing_network.problems(zoned, ExistingNetwork(zones=ZONES)) == [
        Problem(
            "network.zones[0]",
            "'eu-central-1x'",
            "the region has eu-central-1a, eu-central-1b",
            "choose one of them",
        )
    ]
