"""Where servers stand and what the firewall lets through, and what must hold of a VPC that exists already."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from chef_push_jobs.model.problems import Problem
from chef_push_jobs.model.subnets import block, room
from chef_push_jobs.network import existing_network, security_groups
from chef_push_jobs.network.existing_network import ExistingNetwork, ExistingSubnet
from tests.unit.clusters import settings

ZONES = ["eu-central-1a", "eu-central-1b"]
BALANCED = {"loadBalancer": "public", "record": {"zoneId": "Z1", "name": "api.chef.test"}}

# settings, and the subnets that they make: name, number of the block, zone, private
PLANS: list[tuple[Mapping[str, Any], list[tuple[str, int, str | None, bool]]]] = [
    ({}, [("backend", 0, None, False), ("frontend", 1, None, False)]),
    ({"network": {"private": "backends"}}, [("backend", 0, None, True), ("frontend", 1, None, False)]),
    (
        {"network": {"private": "servers", "nat": True}},
        [("backend", 0, None, True), ("frontend", 1, None, True), ("public", 2, None, False)],
    ),
    (
        {"network": {"private": "servers", "zones": ZONES}, "entry": BALANCED, "bastion": {}},
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


def test_with_a_bastion_it_alone_takes_ssh_from_operators_and_the_servers_take_it_from_there() -> None:
    of = settings(bastion={})
    assert into("bastion", of) == {(22, "10.8.0.0/24")}
    for tier in ("backend", "frontend"):
        assert {source for port, source in into(tier, of) if port == 22} == {"bastion"}


def test_with_a_load_balancer_clients_reach_it_and_the_frontends_only_through_it() -> None:
    of = settings(entry=BALANCED)
    assert into("load-balancer", of) == {(443, "10.1.0.0/24"), (80, "10.1.0.0/24")}
    assert {source for port, source in into("frontend", of) if port in (80, 443)} == {"load-balancer"}


def test_an_existing_load_balancer_reaches_the_frontends_on_https_beside_the_clients() -> None:
    arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/chef/0123456789abcdef"
    entry = {"targetGroupArn": arn, "loadBalancerCidrs": ["10.2.0.0/24", "10.1.0.0/24"]}
    assert into("frontend", settings(entry=entry)) - into("frontend", settings()) == {(443, "10.2.0.0/24")}


def test_a_bastion_speaks_ssh_to_the_servers_and_a_load_balancer_to_its_frontends_alone() -> None:
    of = settings(bastion={}, entry=BALANCED)
    out = list(security_groups.egress_rules(of, {"vpc": "10.0.0.0/16"}))
    ssh = [rule for rule in out if rule.group == "bastion" and rule.source != security_groups.ANYWHERE]
    assert [(rule.port, rule.source) for rule in ssh] == [(22, "10.0.0.0/16")]
    assert {(rule.port, rule.source) for rule in out if rule.group == "load-balancer"} == {
        (443, "frontend"),
        (80, "frontend"),
    }


@pytest.mark.parametrize("given", [given for given, _ in PLANS] + [{"entry": BALANCED, "bastion": {}}])
def test_every_rule_has_its_reason_a_name_of_its_own_and_groups_that_there_are(given: Mapping[str, Any]) -> None:
    of = settings(**given)
    groups = set(security_groups.groups(of))
    for rules in (
        list(security_groups.ingress_rules(of)),
        list(security_groups.egress_rules(of, {"vpc": "10.0.0.0/16"})),
    ):
        assert len({rule.name for rule in rules}) == len(rules)
        assert all(rule.reason and rule.group in groups for rule in rules)
        assert all("/" in rule.source or rule.source in groups for rule in rules)
        assert len({(rule.group, rule.port, rule.source) for rule in rules}) == len(rules), "EC2 refuses duplicates"


def test_nothing_but_push_jobs_and_the_entry_is_open_to_clients() -> None:
    assert {rule.port for rule in security_groups.ingress_rules(settings()) if rule.source == "10.1.0.0/24"} == {
        80,
        443,
        10000,
        10003,
    }


VPC = "vpc-0a1b2c3d"
BACKEND, FIRST, SECOND, PUBLIC = (f"subnet-0000000{letter}" for letter in "abcd")
NETWORK = {
    "vpcId": VPC,
    "backendSubnetId": BACKEND,
    "frontendSubnetIds": [FIRST, SECOND],
    "publicSubnetIds": [PUBLIC],
}


def subnet(id: str, **changes: Any) -> ExistingSubnet:
    return replace(ExistingSubnet(id, VPC, ZONES[0], "10.0.0.0/24", 250, 0), **changes)


GOOD = {each.id: each for each in (subnet(BACKEND), subnet(FIRST), subnet(SECOND, zone=ZONES[1]), subnet(PUBLIC))}
ITS_ZONES = "a load balancer reaches servers in its own zones only"

# settings beside NETWORK, what is found otherwise than GOOD, and the one problem of it
FOUND: list[tuple[Mapping[str, Any], Mapping[str, ExistingSubnet | None], tuple[str, str, str, str]]] = [
    (
        {},
        {FIRST: None},
        (
            "network.frontendSubnetIds",
            f"'{FIRST}', which there is not",
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
            "2 machine(s) of the stack stand there, of which 0 have an address already",
            "free some, or give a larger subnet",
        ),
    ),
    (
        {"bastion": {}},
        {PUBLIC: subnet(PUBLIC, free=0)},
        (
            "network.publicSubnetIds",
            f"'{PUBLIC}', which has 0 free address(es)",
            "1 machine(s) of the stack stand there, of which 0 have an address already",
            "free some, or give a larger subnet",
        ),
    ),
    (
        {"entry": BALANCED},
        {},
        ("network.publicSubnetIds", f"none in {ZONES[1]}", ITS_ZONES, "give a subnet of each zone of the frontends"),
    ),
    (
        {"entry": {**BALANCED, "loadBalancer": "internal"}},
        {SECOND: subnet(SECOND)},
        (
            "network.frontendSubnetIds",
            f"2 subnets in {ZONES[0]}",
            "a load balancer stands in one subnet of a zone",
            "take all but one of that zone out",
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
    rule = "there is such a VPC in the account and region of the stack"
    assert existing_network.problems(settings(network=NETWORK), ExistingNetwork()) == [
        Problem("network.vpcId", f"'{VPC}'", rule, "correct it, or aws:region or aws:profile")
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
