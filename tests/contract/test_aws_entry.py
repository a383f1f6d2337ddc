"""What a program may rely on in pulumi-aws beyond EC2's own: NAT, load balancers, records, and look-ups of many."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.aws.amis import ACCOUNT
from sandbox.operator.plugins import AWS
from tests import under_test
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
from tests.contract.plugin import UNKNOWN, Refused, plain

AWS_PLUGIN = under_test.path(AWS)


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
    (told,) = cloud.ec2.describe_nat_gateways(NatGatewayIds=[nat.id])["NatGateways"]
    assert told["ConnectivityType"] == nat.state["connectivityType"] == "public", "the provider says it of each"
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


@pytest.fixture(scope="module")
def in_zones(plugin: AwsUnderTest, vpc: Made, subnets: list[Made]) -> list[str]:
    """A subnet in each of three zones; the load balancer is in the first two."""
    more = plugin.make(SUBNET, {"vpcId": vpc.id, "cidrBlock": "10.0.4.0/24", "availabilityZone": f"{REGION}c"})
    return [*(each.id for each in subnets), more.id]


IN_SUBNETS = [
    ("one fewer", lambda a, b, c: [a], True),
    ("one exchanged", lambda a, b, c: [a, c], True),
    ("all exchanged but one, the other way round", lambda a, b, c: [c, b], True),
    ("one more", lambda a, b, c: [a, b, c], False),
    ("the same in another order", lambda a, b, c: [b, a], None),
    ("not known yet", lambda a, b, c: UNKNOWN, False),
    ("one of them not known yet", lambda a, b, c: [a, UNKNOWN], False),
]


@pytest.mark.parametrize(("chosen", "replaces"), [row[1:] for row in IN_SUBNETS], ids=[row[0] for row in IN_SUBNETS])
def test_a_network_load_balancer_gets_subnets_in_place_and_loses_none(
    plugin: AwsUnderTest, balancer: Made, in_zones: list[str], chosen: Callable[..., object], replaces: bool | None
) -> None:
    news = balancer.inputs | {"subnets": chosen(*in_zones)}
    kinds = plugin.changes(balancer, news)
    assert all(path.startswith("subnets") for path in kinds)
    assert {kind.endswith("-replace") for kind in kinds.values()} == (set() if replaces is None else {replaces})


def test_a_load_balancer_that_was_made_without_groups_can_never_have_any(
    plugin: AwsUnderTest, subnets: list[Made], group: Made
) -> None:
    bare = plugin.make(BALANCER, balancer_inputs(subnets, group, securityGroups=[]))
    ((path, kind),) = plugin.changes(bare, balancer_inputs(subnets, group)).items()
    assert path.startswith("securityGroups") and kind.endswith("-replace")
    plugin.destroy(bare)


def test_what_the_program_leaves_out_is_sent_as_the_provider_has_it(
    plugin: AwsUnderTest, cloud: FakeCloud, balancer: Made, vpc: Made
) -> None:
    health = {"protocol": "HTTPS", "port": "443", "path": "/_status"}
    targets = plugin.make(TARGET_GROUP, {"port": 80, "protocol": "TCP", "vpcId": vpc.id, "healthCheck": health})
    elb = cloud.client("elbv2")
    (told,) = elb.describe_target_groups(TargetGroupArns=[targets.id])["TargetGroups"]
    sent = ("HealthyThresholdCount", "UnhealthyThresholdCount", "HealthCheckIntervalSeconds", "HealthCheckEnabled")
    assert [told[each] for each in sent] == [3, 3, 30, True]
    assert (targets.inputs["deregistrationDelay"], targets.state["deregistrationDelay"]) == (300, 300)
    attributes = {
        each["Key"]: each["Value"]
        for each in elb.describe_load_balancer_attributes(LoadBalancerArn=balancer.id)["Attributes"]
    }
    assert attributes["dns_record.client_routing_policy"] == "any_availability_zone"
    same(plugin, targets)
    slower = plugin.change(targets, targets.inputs | {"deregistrationDelay": 60})
    asked = elb.describe_target_group_attributes(TargetGroupArn=targets.id)["Attributes"]
    assert {"Key": "deregistration_delay.timeout_seconds", "Value": "60"} in asked
    same(plugin, slower)
    plugin.destroy(slower)


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
    without = changed.inputs | {"rootBlockDevice": {key: volume[key] for key in volume if key != "tags"}}
    assert plugin.changes(changed, without) == {"rootBlockDevice.tags": "delete"}, "tags are no one else's choice"
    bare = plugin.change(changed, without)
    same(plugin, bare)
    (disk,) = cloud.ec2.describe_volumes(VolumeIds=[made.state["rootBlockDevice"]["volumeId"]])["Volumes"]
    assert disk.get("Tags", []) == []
    plugin.destroy(bare, 10)


def test_a_rule_between_groups_keeps_its_description(plugin: AwsUnderTest, group: Made) -> None:
    rule = {"securityGroupId": group.id, "ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "description": "copy"}
    made = plugin.make(INGRESS, rule | {"referencedSecurityGroupId": group.id})
    same(plugin, made)
    plugin.destroy(made)


def test_without_the_accounts_id_each_rule_that_names_a_group_differs_after_a_refresh(
    cloud: FakeCloud, plugin: AwsUnderTest, group: Made
) -> None:
    rule = {"securityGroupId": group.id, "ipProtocol": "-1", "referencedSecurityGroupId": group.id}
    made = plugin.make(INGRESS, rule)
    blind = AwsUnderTest(AWS_PLUGIN, cloud.url, skipRequestingAccountId="true")
    refreshed = blind.refreshed(made)
    blind.stop()
    assert refreshed is not None
    assert refreshed.inputs["referencedSecurityGroupId"] == f"{ACCOUNT}/{group.id}"
    plugin.destroy(made)
