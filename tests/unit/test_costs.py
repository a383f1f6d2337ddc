"""What a stack costs: by its resources, from one table of prices."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from chef_push_jobs.cli.app import main
from chef_push_jobs.cli.plan.costs import Cost, costs, render
from chef_push_jobs.engine.aws_advice import ADVICE
from chef_push_jobs.model import prices
from tests.unit.clusters import EXISTING, settings

DOCUMENT = (Path(__file__).parents[2] / "docs" / "aws.md").read_text()
PRIVATE: dict[str, Any] = {"private": "servers", "nat": True, "zones": ["us-east-1a", "us-east-1b", "us-east-1c"]}
ZONES = {**PRIVATE, "private": "none", "nat": False}
BALANCED = {"loadBalancer": "public", "record": {"zoneId": "Z1", "name": "api.chef.test"}}
FOUND = {
    "vpcId": "vpc-0a1b2c3d",
    "backendSubnetId": "subnet-0a1b2c3d",
    "frontendSubnetIds": ["subnet-0a1b2c3e"],
    "publicSubnetIds": ["subnet-0a1b2c3f", "subnet-0a1b2c40"],
    "natAddresses": ["203.0.113.7"],
}
SERVER = [("m5.large", 0.096), ("40 GiB of gp3", 40 * 0.08 / 730)]
VOLUME = ("availability-data", "100 GiB of gp3", 100 * 0.08 / 730)

# changes to two backends and two frontends, and what then is beside their machines: resource, what, an hour
TABLE: list[tuple[Mapping[str, Any], list[tuple[str, str, float]]]] = [
    ({}, [VOLUME]),
    (
        {"network": PRIVATE, "bastion": {"volumeSize": 10}},
        [
            ("bastion", "t3.micro", 0.0104),
            ("bastion", "10 GiB of gp3", 10 * 0.08 / 730),
            ("bastion", "public IPv4 address", 0.005),
            ("network-nat", "NAT gateway", 0.045),
            ("network-nat", "public IPv4 address", 0.005),
            VOLUME,
        ],
    ),
    (
        {"highAvailability": {"provider": "aws", "volumeSize": 200}},
        [("availability-data", "200 GiB of gp3", 200 * 0.08 / 730)],
    ),
    (
        {"network": PRIVATE, "entry": BALANCED},
        [
            ("network-nat", "NAT gateway", 0.045),
            ("network-nat", "public IPv4 address", 0.005),
            VOLUME,
            ("entry", "network load balancer", 0.0225),
            ("entry", "public IPv4 address, 3", 0.015),
        ],
    ),
    (
        {"network": ZONES, "entry": {**BALANCED, "loadBalancer": "internal"}},
        [VOLUME, ("entry", "network load balancer", 0.0225)],
    ),
    (
        {"network": FOUND, "vpcCidr": None, "entry": BALANCED},
        [VOLUME, ("entry", "network load balancer", 0.0225), ("entry", "public IPv4 address, 2", 0.01)],
    ),
]


@pytest.mark.parametrize(("changes", "beside"), TABLE)
def test_a_stack_pays_for_machines_disks_addresses_and_what_leads_to_them(
    changes: Mapping[str, Any], beside: list[tuple[str, str, float]]
) -> None:
    names = ("backend-0", "backend-1", "frontend-0", "frontend-1")
    machines = [(name, what, usd) for name in names for what, usd in SERVER]
    found = [(each.resource, each.what, each.hourly) for each in costs(settings(**changes))]
    wanted = [*machines, *beside]
    assert [each[:2] for each in found] == [each[:2] for each in wanted]
    assert [each[2] for each in found] == pytest.approx([each[2] for each in wanted])


def test_servers_with_public_addresses_pay_for_them_and_the_load_balancer_stands_in_their_subnets() -> None:
    ssh = {"keyName": "operators", "address": "public"}
    found = [each for each in costs(settings(ssh=ssh, network=ZONES, entry=BALANCED)) if "address" in each.what]
    assert [(each.resource, each.what) for each in found[:4]] == [
        (name, "public IPv4 address") for name in ("backend-0", "backend-1", "frontend-0", "frontend-1")
    ]
    assert [(each.resource, each.what) for each in found[4:]] == [("entry", "public IPv4 address, 3")]


def test_servers_that_exist_cost_this_stack_nothing() -> None:
    assert costs(settings(**EXISTING)) == ()
    assert render("ours", ()) == "Costs of stack ours: none, because it creates nothing on AWS\n"


def test_a_type_without_a_price_is_said_and_left_out_of_the_sum() -> None:
    text = render("ours", [Cost("a", "x9.large", None), Cost("b", "m5.large", 0.096)])
    assert [line.split() for line in text.splitlines()[3:6]] == [
        ["a", "x9.large", "?", "?"],
        ["b", "m5.large", "0.0960", "70.08"],
        ["total", "0.0960", "70.08"],
    ]
    assert "Without x9.large" in text


def test_the_command_tells_them_as_text_and_json_and_as_no_picture(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--costs", "--stack", "example-aws"]) == 0
    text = capsys.readouterr().out
    assert text in DOCUMENT, "docs/aws.md is stale: chef-push-jobs docs"
    assert main(["plan", "--costs", "--stack", "example-aws", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert f"{sum(each['hourly'] for each in found['costs']):.4f}" in text.splitlines()[-1]
    assert main(["plan", "--costs", "--stack", "example-aws", "--format", "svg"]) == 2
    assert "costs are printed as text or json" in capsys.readouterr().err


def test_every_quota_has_its_advice_and_the_document_has_both_tables() -> None:
    for quota in prices.QUOTAS:
        assert sum(f"--quota-code {quota.code} " in advice for advice in ADVICE.values()) == 1, quota.name
    assert prices.prices_table() in DOCUMENT
    assert prices.quotas_table() in DOCUMENT


@pytest.mark.parametrize("kind", ["m5.large", "t3.micro"])
def test_the_defaults_have_a_price(kind: str) -> None:
    assert kind in prices.INSTANCES
