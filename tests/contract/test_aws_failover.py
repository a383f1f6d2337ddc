"""What failover relies on in pulumi-aws: volume, attachment, kept address, role and profile, as test_aws_plugin.py."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3  # type: ignore[import-untyped]  # publishes no types
import pytest

from tests.contract.aws_harness import (
    CREDENTIALS,
    GROUP,
    INSTANCE,
    KEY,
    PUBLIC_KEY,
    REGION,
    SUBNET,
    UBUNTU,
    VPC,
    AwsUnderTest,
    FakeCloud,
    Made,
)
from tests.contract.plugin import Refused, plain
from tests.contract.test_aws_plugin import AWS_PLUGIN

VOLUME = "ebs/volume:Volume"
ATTACHMENT = "ec2/volumeAttachment:VolumeAttachment"
RESERVATION = "ec2/subnetCidrReservation:SubnetCidrReservation"
ROLE = "iam/role:Role"
ROLE_POLICY = "iam/rolePolicy:RolePolicy"
PROFILE = "iam/instanceProfile:InstanceProfile"
TRUST = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, '
TRUST += '"Action": "sts:AssumeRole"}]}'
ALLOWED = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:DescribeVolumes", "Resource": "*"}]}'
)


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
def subnet(plugin: AwsUnderTest) -> Made:
    vpc = plugin.make(VPC, {"cidrBlock": "10.0.0.0/16"})
    return plugin.make(SUBNET, {"vpcId": vpc.id, "cidrBlock": "10.0.1.0/24"})


@pytest.fixture(scope="module")
def machines(plugin: AwsUnderTest, subnet: Made) -> list[Made]:
    group = plugin.make(GROUP, {"vpcId": subnet.state["vpcId"]})
    key = plugin.make(KEY, {"publicKey": PUBLIC_KEY})
    inputs = {"ami": UBUNTU, "instanceType": "t3.medium", "keyName": key.id, "subnetId": subnet.id}
    return [plugin.make(INSTANCE, {**inputs, "vpcSecurityGroupIds": [group.id]}) for _ in range(2)]


@pytest.fixture
def volume(plugin: AwsUnderTest, subnet: Made) -> Made:
    zone = subnet.state["availabilityZone"]
    return plugin.make(VOLUME, {"availabilityZone": zone, "size": 100, "type": "gp3", "encrypted": True})


def attachment(volume: Made, machine: Made) -> dict[str, object]:
    return {"volumeId": volume.id, "instanceId": machine.id, "deviceName": "/dev/xvdf", "skipDestroy": True}


def detach(cloud: FakeCloud, volume: Made) -> None:
    (held,) = cloud.ec2.describe_volumes(VolumeIds=[volume.id])["Volumes"][0]["Attachments"]
    cloud.ec2.detach_volume(VolumeId=volume.id, InstanceId=held["InstanceId"])


def test_what_was_made_is_found_again_without_a_difference(plugin: AwsUnderTest, subnet: Made, volume: Made) -> None:
    kept = {"subnetId": subnet.id, "cidrBlock": "10.0.1.254/32", "reservationType": "explicit", "description": "vip"}
    role = plugin.make(ROLE, {"assumeRolePolicy": TRUST, "description": "of machines", "tags": {"Name": "x"}})
    made = [
        volume,
        plugin.make(RESERVATION, kept),
        role,
        plugin.make(ROLE_POLICY, {"role": role.id, "policy": ALLOWED}),
        plugin.make(PROFILE, {"role": role.id, "tags": {"Name": "x"}}),
    ]
    for each in made:
        refreshed = plugin.refreshed(each)
        assert refreshed is not None
        assert (refreshed.inputs, refreshed.state) == (each.inputs, each.state)
        assert plugin.changes(refreshed, each.inputs) == {}
    for each in reversed(made):
        plugin.destroy(each)
        assert plugin.refreshed(each) is None
        plugin.destroy(each)


def test_a_volume_grows_in_place_and_is_another_one_in_another_zone(plugin: AwsUnderTest, volume: Made) -> None:
    assert plugin.changes(volume, {**volume.inputs, "size": 200}) == {"size": "update"}
    assert plugin.change(volume, {**volume.inputs, "size": 200}).state["size"] == 200
    other = "us-east-1a" if volume.state["availabilityZone"] != "us-east-1a" else "us-east-1b"
    elsewhere = {**volume.inputs, "availabilityZone": other}
    assert plugin.changes(volume, elsewhere) == {"availabilityZone": "update-replace"}
    assert plugin.changes(volume, {**volume.inputs, "encrypted": False}) == {"encrypted": "update-replace"}


def test_a_policy_worded_otherwise_is_no_change(plugin: AwsUnderTest) -> None:
    role = plugin.make(ROLE, {"assumeRolePolicy": TRUST})
    policy = plugin.make(ROLE_POLICY, {"role": role.id, "policy": ALLOWED})
    other = json.dumps(json.loads(ALLOWED), indent=2)
    assert plugin.changes(policy, {**policy.inputs, "policy": other}) == {}
    more = ALLOWED.replace("ec2:DescribeVolumes", "ec2:*")
    assert plugin.change(policy, {**policy.inputs, "policy": more}).state["policy"] == more


def test_a_roles_boundary_is_kept_changed_and_taken_off_in_place(plugin: AwsUnderTest) -> None:
    edges = [f"arn:aws:iam::123456789012:policy/edge-{number}" for number in (1, 2)]
    made = plugin.make(ROLE, {"assumeRolePolicy": TRUST, "permissionsBoundary": edges[0]})
    for boundary in (edges[0], edges[1], None):
        news = {**made.inputs, "permissionsBoundary": boundary}
        assert set(plugin.changes(made, news).values()) <= {"update", "delete"}
        made = plugin.change(made, news)
        refreshed = plugin.refreshed(made)
        assert refreshed is not None and refreshed.state.get("permissionsBoundary") == boundary
        assert plugin.changes(refreshed, news) == {}
    plugin.destroy(made)


def test_a_role_in_use_stays_and_a_profile_changes_its_role_in_place(plugin: AwsUnderTest) -> None:
    roles = [plugin.make(ROLE, {"assumeRolePolicy": TRUST}) for _ in range(2)]
    profile = plugin.make(PROFILE, {"role": roles[0].id})
    with pytest.raises(Refused, match="DeleteConflict"):
        plugin.destroy(roles[0])
    changed = plugin.change(profile, {**profile.inputs, "role": roles[1].id})
    assert changed.state["role"] == roles[1].id
    plugin.destroy(roles[0])
    plugin.destroy(changed)


def test_an_attached_volume_is_refused_elsewhere_and_cannot_be_deleted(
    plugin: AwsUnderTest, cloud: FakeCloud, volume: Made, machines: list[Made]
) -> None:
    made = plugin.make(ATTACHMENT, attachment(volume, machines[0]))
    refreshed = plugin.refreshed(made)
    assert refreshed is not None and refreshed.inputs == made.inputs
    with pytest.raises(Refused, match="VolumeInUse"):
        plugin.make(ATTACHMENT, attachment(volume, machines[1]))
    with pytest.raises(Refused, match="VolumeInUse"):
        plugin.destroy(volume)
    detach(cloud, volume)


def test_what_moved_is_gone_for_a_refresh_and_is_taken_as_it_is_when_it_is_made_again(
    plugin: AwsUnderTest, cloud: FakeCloud, volume: Made, machines: list[Made]
) -> None:
    made = plugin.make(ATTACHMENT, attachment(volume, machines[0]))
    detach(cloud, volume)
    cloud.ec2.attach_volume(VolumeId=volume.id, InstanceId=machines[1].id, Device="/dev/xvdf")
    assert plugin.refreshed(made) is None
    again = plugin.make(ATTACHMENT, attachment(volume, machines[1]))
    plugin.destroy(again)
    found = cloud.ec2.describe_volumes(VolumeIds=[volume.id])["Volumes"][0]["Attachments"]
    assert [each["InstanceId"] for each in found] == [machines[1].id], "skipDestroy leaves it where it is"
    by_volume = {"filters": [{"name": "block-device-mapping.volume-id", "values": [volume.id]}]}
    holders = plain(getattr(plugin.invoke("ec2/getInstances:getInstances", by_volume), "return"))
    assert holders["ids"] == [machines[1].id]
    detach(cloud, volume)


def test_an_address_that_moved_is_no_change_of_a_machine(
    plugin: AwsUnderTest, cloud: FakeCloud, machines: list[Made]
) -> None:
    for machine in (*machines, machines[0]):
        interface = machine.state["primaryNetworkInterfaceId"]
        cloud.ec2.assign_private_ip_addresses(NetworkInterfaceId=interface, PrivateIpAddresses=["10.0.1.254"])
        for each in machines:
            refreshed = plugin.refreshed(each)
            assert refreshed is not None
            assert refreshed.state["secondaryPrivateIps"] == (["10.0.1.254"] if each is machine else [])
            assert plugin.changes(refreshed, each.inputs) == {}


@pytest.mark.parametrize(
    ("address", "code"),
    [("10.0.2.4", "InvalidParameterValue"), ("10.0.1.255", "InvalidParameterValue"), ("", "InvalidIPAddress.InUse")],
)
def test_an_address_is_of_the_subnet_and_of_no_other_machine(
    cloud: FakeCloud, machines: list[Made], address: str, code: str
) -> None:
    interface = machines[0].state["primaryNetworkInterfaceId"]
    wanted = address or machines[1].state["privateIp"]
    with pytest.raises(Exception, match=code):
        cloud.ec2.assign_private_ip_addresses(NetworkInterfaceId=interface, PrivateIpAddresses=[wanted])


def test_a_volume_is_attached_in_its_own_zone(cloud: FakeCloud, machines: list[Made]) -> None:
    zones = {each["ZoneName"] for each in cloud.ec2.describe_availability_zones()["AvailabilityZones"]}
    other = sorted(zones - {machines[0].state["availabilityZone"]})[0]
    volume = cloud.ec2.create_volume(Size=10, AvailabilityZone=other)["VolumeId"]
    with pytest.raises(Exception, match="ZoneMismatch"):
        cloud.ec2.attach_volume(VolumeId=volume, InstanceId=machines[0].id, Device="/dev/xvdg")


def test_a_role_is_of_the_account_and_has_its_tags(plugin: AwsUnderTest, cloud: FakeCloud) -> None:
    role = plugin.make(ROLE, {"assumeRolePolicy": TRUST, "tags": {"Name": "x", "Old": "y"}})
    changed = plugin.change(role, {**role.inputs, "tags": {"Name": "z"}})
    iam: Any = boto3.client("iam", region_name=REGION, endpoint_url=cloud.url, **CREDENTIALS)
    tags = iam.get_role(RoleName=role.id)["Role"]["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"Name": "z"} == changed.state["tags"]
    assert "region" not in changed.state
