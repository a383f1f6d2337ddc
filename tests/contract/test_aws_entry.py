"""What a program may rely on in pulumi-aws beyond EC2's own: NAT, load balancers, records, and look-ups of many.

Runs against the stand-in, or the plugin that the environment variable AWS_PLUGIN names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.aws_harness import (
    ADDRESS,
    ATTACHMENT,
    BALANCER,
    GATEWAY,
    GROUP,
    INGRESS,
    INSTANCE,
    KEY,
    LISTENER,
    NAT,
    PUBLIC_KEY,
    RECORD,
    REGION,
    ROUTE,
    SUBNET,
    TABLE,
    TARGET_GROUP,
    UBUNTU,
    VPC,
    AwsUnderTest,
    FakeCloud,
    Made,
)
from tests.contract.plugin import Refused, plain

LAUNCHER = Path(__file__).resolve().parents[2] / "sandbox" / "plugins" / "bin" / "pulumi-resource-aws"
AWS_PLUGIN = os.environ.get("AWS_PLUGIN", str(LAUNCHER))


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeCloud]:
    running = FakeCloud(tmp_path_factory.mktemp("cloud"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def plugin(cloud: FakeCloud) -> Iterator[AwsUnderTest]:
    running = AwsUnderTest(AWS_PLUGIN, cloud.url)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def vpc(plugin: AwsUnderTest) -> Made:
    return plugin.make(VPC, {"cidrBlock": "10.0.0.0/16"})


@pytest.fixture(scope="module")
def gateway(plugin: AwsUnderTest, vpc: Made) -> Made:
    return plugin.make(GATEWAY, {"vpcId": vpc.id})


@pytest.fixture(scope="module")
def subnets(plugin: AwsUnderTest, vpc: Made, gateway: Made) -> list[Made]:
    """In two zones."""
    zones = {"a": "10.0.1.0/24", "b": "10.0.2.0/24"}
    return [
        plugin.make(SUBNET, {"vpcId": vpc.id, "cidrBlock": block, "availabilityZone": f"{REGION}{zone}"})
        for zone, block in zones.items()
    ]


@pytest.fixture
def group(plugin: AwsUnderTest, vpc: Made) -> Iterator[Made]:
    made = plugin.make(GROUP, {"vpcId": vpc.id})
    yield made
    plugin.destroy(made, 10)


@pytest.fixture
def balancer(plugin: AwsUnderTest, subnets: list[Made], group: Made) -> Iterator[Made]:
    made = plugin.make(BALANCER, balancer_inputs(subnets, group))
    yield made
    plugin.destroy(made)


def balancer_inputs(subnets: list[Made], group: Made, **others: object) -> dict[str, object]:
    return {
        "loadBalancerType": "network",
        "subnets": [each.id for each in subnets],
        "securityGroups": [group.id],
        "enableCrossZoneLoadBalancing": True,
        "tags": {"Name": "entry"},
        **others,
    }


def same(plugin: AwsUnderTest, made: Made) -> None:
    """Nothing has changed, also not after a refresh."""
    assert plugin.changes(made, made.inputs) == {}
    refreshed = plugin.refreshed(made)
    assert refreshed is not None and refreshed.inputs == made.inputs
    assert plugin.changes(refreshed, made.inputs) == {}


def test_a_nat_gateway_has_an_address_of_its_subnet_and_holds_subnet_address_and_internet_gateway(
    plugin: AwsUnderTest, cloud: FakeCloud, vpc: Made, subnets: list[Made], gateway: Made
) -> None:
    address = plugin.make(ADDRESS, {"domain": "vpc", "tags": {"Name": "nat"}})
    nat = plugin.make(NAT, {"subnetId": subnets[0].id, "allocationId": address.id, "tags": {"Name": "nat"}})
    assert nat.state["privateIp"].startswith("10.0.1.")
    assert nat.state["publicIp"] == address.state["publicIp"]
    same(plugin, address)
    same(plugin, nat)
    table = plugin.make(TABLE, {"vpcId": vpc.id})
    way = {"routeTableId": table.id, "destinationCidrBlock": "0.0.0.0/0", "natGatewayId": nat.id}
    route = plugin.make(ROUTE, way)
    same(plugin, route)
    for held in (address, gateway, subnets[0]):
        with pytest.raises(Refused, match=r"InUse|DependencyViolation"):
            plugin.destroy(held, 0.3)
    for made in (route, table, nat, address):
        plugin.destroy(made)
        assert plugin.refreshed(made) is None
    interfaces = cloud.ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert [each for each in interfaces if each["SubnetId"] == subnets[0].id] == []


def test_a_load_balancer_gets_a_name_of_its_own_and_stays_as_it_is(plugin: AwsUnderTest, balancer: Made) -> None:
    assert balancer.inputs["name"].startswith("it-")
    assert balancer.state["dnsName"].endswith(".elb.amazonaws.com") and balancer.state["zoneId"]
    assert balancer.id == balancer.state["arn"]
    same(plugin, balancer)


def test_tags_and_attributes_of_a_load_balancer_are_changed_in_place(
    plugin: AwsUnderTest, cloud: FakeCloud, balancer: Made
) -> None:
    news = balancer.inputs | {"tags": {"Name": "door"}, "enableCrossZoneLoadBalancing": False}
    assert plugin.changes(balancer, news) == {"tags.Name": "update", "enableCrossZoneLoadBalancing": "update"}
    changed = plugin.change(balancer, news)
    same(plugin, changed)
    told = cloud.client("elbv2").describe_load_balancer_attributes(LoadBalancerArn=balancer.id)["Attributes"]
    assert {"Key": "load_balancing.cross_zone.enabled", "Value": "false"} in told
    plugin.change(changed, balancer.inputs)


@pytest.mark.parametrize(("name", "value"), [("internal", True), ("name", "another"), ("securityGroups", [])])
def test_a_change_that_replaces_a_load_balancer(plugin: AwsUnderTest, balancer: Made, name: str, value: object) -> None:
    ((path, kind),) = plugin.changes(balancer, balancer.inputs | {name: value}).items()
    assert path.startswith(name) and kind.endswith("-replace")


def test_a_load_balancer_holds_its_groups_its_subnets_and_the_internet_gateway(
    plugin: AwsUnderTest, balancer: Made, group: Made, subnets: list[Made], gateway: Made
) -> None:
    for held in (group, subnets[1], gateway):
        with pytest.raises(Refused, match="DependencyViolation"):
            plugin.destroy(held, 0.3)


def test_a_protected_load_balancer_is_deleted_only_when_it_is_no_more(plugin: AwsUnderTest, balancer: Made) -> None:
    protected = plugin.change(balancer, balancer.inputs | {"enableDeletionProtection": True})
    with pytest.raises(Refused, match="OperationNotPermitted"):
        plugin.destroy(protected, 0.3)
    plugin.change(protected, balancer.inputs)


def test_two_subnets_of_a_zone_are_refused(plugin: AwsUnderTest, vpc: Made, subnets: list[Made], group: Made) -> None:
    zone = subnets[0].state["availabilityZone"]
    other = plugin.make(SUBNET, {"vpcId": vpc.id, "cidrBlock": "10.0.3.0/24", "availabilityZone": zone})
    with pytest.raises(Refused, match="same zone"):
        plugin.make(BALANCER, balancer_inputs([subnets[0], other], group))
    plugin.destroy(other)


def test_other_types_of_load_balancers_are_refused_by_name(
    plugin: AwsUnderTest, subnets: list[Made], group: Made
) -> None:
    inputs = balancer_inputs(subnets, group, loadBalancerType="application")
    assert [each.property for each in plugin.check(BALANCER, inputs).failures] == ["loadBalancerType"]


def test_a_listener_sends_what_comes_to_the_instances_of_its_target_group(
    plugin: AwsUnderTest, cloud: FakeCloud, balancer: Made, subnets: list[Made], group: Made
) -> None:
    key = plugin.make(KEY, {"publicKey": PUBLIC_KEY})
    machine = {"ami": UBUNTU, "instanceType": "t3.micro", "subnetId": subnets[0].id, "keyName": key.id}
    instance = plugin.make(INSTANCE, machine | {"vpcSecurityGroupIds": [group.id]})
    health = {"protocol": "HTTPS", "port": "443", "path": "/_status"}
    targets = plugin.make(
        TARGET_GROUP,
        {
            "port": 80,
            "protocol": "TCP",
            "vpcId": balancer.state["vpcId"],
            "healthCheck": health,
            "preserveClientIp": "false",
            "tags": {"Name": "entry-80"},
        },
    )
    attachment = plugin.make(ATTACHMENT, {"targetGroupArn": targets.id, "targetId": instance.id})
    action = {"type": "forward", "targetGroupArn": targets.id}
    listener = plugin.make(
        LISTENER,
        {"loadBalancerArn": balancer.id, "port": 80, "protocol": "TCP", "defaultActions": [action], "tags": {"a": "b"}},
    )
    for made in (targets, attachment, listener):
        same(plugin, made)
    faster = plugin.change(targets, targets.inputs | {"healthCheck": health | {"interval": 10}})
    assert faster.state["healthCheck"]["interval"] == 10
    assert (faster.state["healthCheck"]["path"], faster.state["preserveClientIp"]) == ("/_status", "false")
    same(plugin, plugin.change(faster, targets.inputs))
    told = cloud.client("elbv2").describe_target_health(TargetGroupArn=targets.id)["TargetHealthDescriptions"]
    assert [each["Target"]["Id"] for each in told] == [instance.id]
    with pytest.raises(Refused, match="ResourceInUse"):
        plugin.destroy(targets, 0.3)
    for made in (listener, attachment, targets, instance):
        plugin.destroy(made, 10)
        assert plugin.refreshed(made) is None


def test_a_health_check_by_tcp_asks_for_no_path(plugin: AwsUnderTest, vpc: Made) -> None:
    health = {"protocol": "TCP", "path": "/_status"}
    inputs = {"port": 80, "protocol": "TCP", "vpcId": vpc.id, "healthCheck": health}
    assert any("path" in (each.property + each.reason) for each in plugin.check(TARGET_GROUP, inputs).failures)


def test_a_record_is_an_alias_and_goes_without_its_zone(plugin: AwsUnderTest, cloud: FakeCloud, balancer: Made) -> None:
    route53 = cloud.client("route53")
    zone = route53.create_hosted_zone(Name="chef.test", CallerReference="x")["HostedZone"]["Id"].split("/")[-1]
    alias = {"name": balancer.state["dnsName"], "zoneId": balancer.state["zoneId"], "evaluateTargetHealth": True}
    inputs: dict[str, Any] = {"zoneId": zone, "name": "api.chef.test", "type": "A", "aliases": [alias]}
    record = plugin.make(RECORD, inputs)
    assert record.id == f"{zone}_api.chef.test_A"
    same(plugin, record)
    moved = plugin.change(record, inputs | {"aliases": [alias | {"evaluateTargetHealth": False}]})
    same(plugin, moved)
    assert "name" in plugin.changes(moved, inputs | {"name": "other.chef.test"})
    with pytest.raises(Refused):
        plugin.make(RECORD, inputs)
    plugin.destroy(moved)
    assert plugin.refreshed(moved) is None
    route53.delete_hosted_zone(Id=zone)
    assert plugin.refreshed(record) is None


def test_look_ups_of_many_find_those_that_there_are_and_nothing_is_no_error(
    plugin: AwsUnderTest, vpc: Made, subnets: list[Made]
) -> None:
    def found(function: str, **arguments: object) -> list[str]:
        answer = plain(getattr(plugin.invoke(f"ec2/{function}:{function}", arguments), "return"))
        ids: list[str] = answer["ids"]
        return ids

    def named(name: str, *values: str) -> list[dict[str, object]]:
        return [{"name": name, "values": list(values)}]

    assert found("getVpcs", filters=named("vpc-id", vpc.id)) == [vpc.id]
    assert found("getVpcs", filters=named("vpc-id", "vpc-00000000")) == []
    ids = [each.id for each in subnets]
    assert sorted(found("getSubnets", filters=named("subnet-id", *ids, "subnet-00000000"))) == sorted(ids)
    assert found("getInstances", filters=named("subnet-id", *ids), instanceStateNames=["running", "pending"]) == []


def test_a_machine_is_protected_from_its_launch_on_and_its_volume_has_tags_of_its_own(
    plugin: AwsUnderTest, cloud: FakeCloud, subnets: list[Made], group: Made
) -> None:
    volume = {"volumeType": "gp3", "volumeSize": 8, "encrypted": True, "tags": {"Name": "disk"}}
    machine = {"ami": UBUNTU, "instanceType": "t3.micro", "subnetId": subnets[0].id, "tags": {"Name": "machine"}}
    groups = {"vpcSecurityGroupIds": [group.id]}
    made = plugin.make(INSTANCE, machine | groups | {"rootBlockDevice": volume, "disableApiTermination": True})
    same(plugin, made)
    with pytest.raises(Refused, match="OperationNotPermitted"):
        plugin.destroy(made, 0.3)
    news = made.inputs | {"rootBlockDevice": volume | {"tags": {"Team": "us"}}, "disableApiTermination": False}
    changed = plugin.change(made, news)
    same(plugin, changed)
    (disk,) = cloud.ec2.describe_volumes(VolumeIds=[made.state["rootBlockDevice"]["volumeId"]])["Volumes"]
    assert disk["Tags"] == [{"Key": "Team", "Value": "us"}]
    plugin.destroy(changed, 10)


def test_a_rule_between_groups_keeps_its_description(plugin: AwsUnderTest, group: Made) -> None:
    rule = {"securityGroupId": group.id, "ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "description": "copy"}
    made = plugin.make(INGRESS, rule | {"referencedSecurityGroupId": group.id})
    same(plugin, made)
    plugin.destroy(made)
