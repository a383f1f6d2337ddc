"""The sandbox's cloud refuses what EC2 refuses, and its instances are hosts, which only take notes here."""

from __future__ import annotations

import fcntl
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]  # publishes no types

from sandbox.aws.fault_injection import FAULTS, Faults
from sandbox.paths import ACTIONS_FILE, FAULTS_FILE
from tests.contract.aws_harness import PUBLIC_KEY, UBUNTU, FakeCloud, wait_until


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeCloud]:
    running = FakeCloud(tmp_path_factory.mktemp("cloud"))
    yield running
    running.stop()


@pytest.fixture
def ec2(cloud: FakeCloud) -> Any:
    return cloud.ec2


@pytest.fixture
def vpc(ec2: Any) -> str:
    return str(ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"])


@pytest.fixture
def subnet(ec2: Any, vpc: str) -> str:
    return str(ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"])


@pytest.fixture
def group(ec2: Any, vpc: str) -> str:
    return new_group(ec2, vpc, "group")


def new_group(ec2: Any, vpc: str, name: str) -> str:
    return str(ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"])


def launch(ec2: Any, subnet: str, *groups: str, **others: object) -> Any:
    request = {"ImageId": UBUNTU, "InstanceType": "t3.micro", "SubnetId": subnet, "SecurityGroupIds": list(groups)}
    return ec2.run_instances(MinCount=1, MaxCount=1, **(request | others))["Instances"][0]


def reservations(ec2: Any, subnet: str) -> Any:
    return ec2.get_subnet_cidr_reservations(SubnetId=subnet)["SubnetIpv4CidrReservations"]


def instance(ec2: Any, id: str) -> Any:
    return ec2.describe_instances(InstanceIds=[id])["Reservations"][0]["Instances"][0]


def running(ec2: Any, subnet: str, *groups: str, **others: object) -> str:
    id = str(launch(ec2, subnet, *groups, **others)["InstanceId"])
    wait_until(lambda: instance(ec2, id)["State"]["Name"] == "running")
    return id


def end(ec2: Any, id: str) -> None:
    ec2.terminate_instances(InstanceIds=[id])
    wait_until(lambda: instance(ec2, id)["State"]["Name"] == "terminated")


def refused(code: str) -> Any:
    return pytest.raises(ClientError, match=rf"\({code}\)")


def tcp(port: int, **source: object) -> list[dict[str, object]]:
    return [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **source}]


# What is in use stays


def test_what_an_instance_uses_cannot_be_deleted_until_it_is_terminated(
    ec2: Any, vpc: str, subnet: str, group: str
) -> None:
    id = running(ec2, subnet, group)
    deletions: tuple[Callable[[], object], ...] = (
        lambda: ec2.delete_security_group(GroupId=group),
        lambda: ec2.delete_subnet(SubnetId=subnet),
        lambda: ec2.delete_vpc(VpcId=vpc),
    )
    for delete in deletions:
        with refused("DependencyViolation"):
            delete()
    end(ec2, id)
    for delete in deletions:
        delete()


def test_a_group_that_a_rule_of_another_refers_to_cannot_be_deleted(ec2: Any, vpc: str, group: str) -> None:
    other = new_group(ec2, vpc, "other")
    pair = {"UserIdGroupPairs": [{"GroupId": group}]}
    ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=tcp(22, **pair))
    with refused("DependencyViolation"):
        ec2.delete_security_group(GroupId=group)
    ec2.delete_security_group(GroupId=other)
    ec2.delete_security_group(GroupId=group)


def test_a_group_whose_own_rule_refers_to_it_can_be_deleted(ec2: Any, group: str) -> None:
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=tcp(22, UserIdGroupPairs=[{"GroupId": group}]))
    ec2.delete_security_group(GroupId=group)


def test_the_default_group_cannot_be_deleted(ec2: Any, vpc: str) -> None:
    groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"]
    with refused("CannotDelete"):
        ec2.delete_security_group(GroupId=groups[0]["GroupId"])


def test_a_group_that_an_instance_has_left_can_be_deleted(ec2: Any, vpc: str, subnet: str, group: str) -> None:
    other = new_group(ec2, vpc, "other")
    id = running(ec2, subnet, group)
    ec2.modify_instance_attribute(InstanceId=id, Groups=[other])
    ec2.delete_security_group(GroupId=group)
    with refused("DependencyViolation"):
        ec2.delete_security_group(GroupId=other)


@pytest.mark.parametrize("thing", ["group", "gateway", "table", "subnet"])
def test_a_network_with_something_in_it_cannot_be_deleted(ec2: Any, vpc: str, thing: str) -> None:
    if thing == "group":
        new_group(ec2, vpc, "left")
    elif thing == "gateway":
        attached_gateway(ec2, vpc)
    elif thing == "table":
        ec2.create_route_table(VpcId=vpc)
    else:
        ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")
    with refused("DependencyViolation"):
        ec2.delete_vpc(VpcId=vpc)


def attached_gateway(ec2: Any, vpc: str) -> str:
    gateway = str(ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"])
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    return gateway


def test_a_gateway_stays_as_long_as_it_is_attached_and_addresses_are_public(ec2: Any, vpc: str, subnet: str) -> None:
    gateway = attached_gateway(ec2, vpc)
    interface = {"DeviceIndex": 0, "SubnetId": subnet, "AssociatePublicIpAddress": True}
    id = str(
        ec2.run_instances(
            ImageId=UBUNTU, InstanceType="t3.micro", MinCount=1, MaxCount=1, NetworkInterfaces=[interface]
        )["Instances"][0]["InstanceId"]
    )
    with refused("DependencyViolation"):
        ec2.delete_internet_gateway(InternetGatewayId=gateway)
    with refused("DependencyViolation"):
        ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    end(ec2, id)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)


def test_a_network_has_one_gateway(ec2: Any, vpc: str) -> None:
    attached_gateway(ec2, vpc)
    with refused("InvalidParameterValue"):
        attached_gateway(ec2, vpc)


def test_the_main_route_table_and_an_associated_one_stay(ec2: Any, vpc: str, subnet: str) -> None:
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    for each in (tables[0]["RouteTableId"], table):
        with refused("DependencyViolation"):
            ec2.delete_route_table(RouteTableId=each)
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_route_table(RouteTableId=table)


def test_a_subnet_has_one_route_table_of_its_own_network(ec2: Any, vpc: str, subnet: str) -> None:
    one, other = (ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for _ in range(2))
    ec2.associate_route_table(RouteTableId=one, SubnetId=subnet)
    with refused("Resource.AlreadyAssociated"):
        ec2.associate_route_table(RouteTableId=other, SubnetId=subnet)
    elsewhere = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    foreign = ec2.create_route_table(VpcId=elsewhere)["RouteTable"]["RouteTableId"]
    with refused("InvalidParameterValue"):
        ec2.associate_route_table(RouteTableId=foreign, SubnetId=subnet)


def test_a_route_needs_a_gateway_that_is_attached_to_its_network(ec2: Any, vpc: str) -> None:
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    with refused("InvalidParameterValue"):
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    with refused("RouteAlreadyExists"):
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)


# What cannot be is not made


@pytest.mark.parametrize(
    ("block", "code"),
    [
        ("10.0.1.0/25", "InvalidSubnet.Conflict"),
        ("10.1.0.0/24", "InvalidSubnet.Range"),
        ("10.0.2.0/29", "InvalidSubnet.Range"),
        ("10.0.2.1/24", "InvalidParameterValue"),
    ],
)
def test_a_subnet_lies_in_its_network_and_over_no_other(ec2: Any, vpc: str, subnet: str, block: str, code: str) -> None:
    with refused(code):
        ec2.create_subnet(VpcId=vpc, CidrBlock=block)


@pytest.mark.parametrize("block", ["10.0.0.1/16", "10.0.0.0"])
def test_a_network_has_a_block_without_host_bits(ec2: Any, block: str) -> None:
    with refused("InvalidParameterValue|InvalidVpc.Range"):
        ec2.create_vpc(CidrBlock=block)


def test_a_new_subnet_gives_no_public_addresses(ec2: Any, vpc: str) -> None:
    found = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.9.0/24")["Subnet"]
    assert (found["DefaultForAz"], found["MapPublicIpOnLaunch"]) == (False, False)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"ImageId": "ami-00000000"}, "InvalidAMIID.NotFound"),
        ({"KeyName": "nobodys"}, "InvalidKeyPair.NotFound"),
        ({"InstanceType": "t9.moon"}, "InvalidInstanceType.*"),
        ({"SubnetId": "subnet-0000"}, "InvalidSubnetID.NotFound"),
        ({"SecurityGroupIds": ["sg-0000"]}, "InvalidGroup.NotFound"),
        ({"PrivateIpAddress": "10.0.2.9"}, "InvalidParameterValue"),
        ({"PrivateIpAddress": "10.0.1.3"}, "InvalidParameterValue"),
        ({"PrivateIpAddress": "10.0.1.255"}, "InvalidParameterValue"),
        ({"UserData": "#" * 16385}, "InvalidParameterValue"),
    ],
)
def test_an_instance_of_what_is_not_there_is_not_made(
    ec2: Any, subnet: str, group: str, wrong: dict[str, object], code: str
) -> None:
    before = len(ec2.describe_instances()["Reservations"])
    with refused(code):
        launch(ec2, subnet, group, **wrong)
    assert len(ec2.describe_instances()["Reservations"]) == before


def test_an_address_is_taken_once_and_free_again_after_its_instance(ec2: Any, subnet: str, group: str) -> None:
    id = running(ec2, subnet, group, PrivateIpAddress="10.0.1.50")
    with refused("InvalidIPAddress.InUse"):
        launch(ec2, subnet, group, PrivateIpAddress="10.0.1.50")
    end(ec2, id)
    end(ec2, running(ec2, subnet, group, PrivateIpAddress="10.0.1.50"))


def test_an_instance_and_its_groups_are_of_one_network(ec2: Any, subnet: str, group: str) -> None:
    elsewhere = new_group(ec2, ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"], "elsewhere")
    with refused("InvalidParameter"):
        launch(ec2, subnet, elsewhere)
    id = running(ec2, subnet, group)
    with refused("InvalidParameter"):
        ec2.modify_instance_attribute(InstanceId=id, Groups=[elsewhere])


def test_a_group_needs_a_network_and_a_proper_name(ec2: Any, vpc: str, group: str) -> None:
    with refused("InvalidVpcID.NotFound"):
        new_group(ec2, "vpc-0000", "x")
    with refused("InvalidGroup.Duplicate"):
        new_group(ec2, vpc, "group")
    for name in ("sg-mine", "näme"):
        with refused("InvalidParameterValue"):
            ec2.create_security_group(GroupName=name, Description="x", VpcId=vpc)
    with refused("InvalidParameterValue"):
        ec2.create_security_group(GroupName="x", Description="don't", VpcId=vpc)


@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_a_rule_is_there_once_whatever_its_description(ec2: Any, group: str, direction: str) -> None:
    authorize = getattr(ec2, f"authorize_security_group_{direction}")
    for description in ("one", "other"):
        for source in (
            {"IpRanges": [{"CidrIp": "10.0.0.0/24", "Description": description}]},
            {"UserIdGroupPairs": [{"GroupId": group, "Description": description}]},
        ):
            if description == "one":
                authorize(GroupId=group, IpPermissions=tcp(22, **source))
            else:
                with refused("InvalidPermission.Duplicate"):
                    authorize(GroupId=group, IpPermissions=tcp(22, **source))


@pytest.mark.parametrize(
    ("permission", "code"),
    [
        ({"IpProtocol": "tcp", "FromPort": 5, "ToPort": 4}, "InvalidParameterValue"),
        ({"IpProtocol": "tcp", "FromPort": 1, "ToPort": 70000}, "InvalidParameterValue"),
        ({"IpProtocol": "tcp"}, "MissingParameter"),
        ({"IpProtocol": "icmp"}, "MissingParameter"),
        ({"IpProtocol": "vrrp"}, "InvalidParameterValue"),
        ({"IpProtocol": "256"}, "InvalidParameterValue"),
    ],
)
def test_a_rule_has_ports_that_can_be(ec2: Any, group: str, permission: dict[str, object], code: str) -> None:
    with refused(code):
        ec2.authorize_security_group_ingress(
            GroupId=group, IpPermissions=[permission | {"IpRanges": [{"CidrIp": "10.0.0.0/24"}]}]
        )


@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_a_rule_of_another_protocol_has_no_ports_and_is_there_once(ec2: Any, group: str, direction: str) -> None:
    authorize = getattr(ec2, f"authorize_security_group_{direction}")
    permission = {"IpProtocol": "112", "UserIdGroupPairs": [{"GroupId": group, "Description": "VRRP"}]}
    made = authorize(GroupId=group, IpPermissions=[permission])["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    (found,) = ec2.describe_security_group_rules(SecurityGroupRuleIds=[made])["SecurityGroupRules"]
    assert (found["IpProtocol"], found["FromPort"], found["ToPort"]) == ("112", -1, -1)
    with refused("InvalidPermission.Duplicate"):
        authorize(GroupId=group, IpPermissions=[permission])
    changed = {"IpProtocol": "112", "ReferencedGroupId": group, "Description": "VRRP of keepalived"}
    update = {"SecurityGroupRuleId": made, "SecurityGroupRule": changed}
    ec2.modify_security_group_rules(GroupId=group, SecurityGroupRules=[update])
    (found,) = ec2.describe_security_group_rules(SecurityGroupRuleIds=[made])["SecurityGroupRules"]
    assert (found["IpProtocol"], found["Description"]) == ("112", "VRRP of keepalived")


def test_a_rule_for_a_group_is_for_all_addresses_of_its_members_from_when_they_have_them(
    cloud: FakeCloud, ec2: Any, vpc: str, subnet: str
) -> None:
    backend, frontend = new_group(ec2, vpc, "backend"), new_group(ec2, vpc, "frontend")
    ec2.authorize_security_group_egress(
        GroupId=frontend, IpPermissions=tcp(5432, UserIdGroupPairs=[{"GroupId": backend}])
    )
    master, client = running(ec2, subnet, backend), running(ec2, subnet, frontend)
    interface = instance(ec2, master)["NetworkInterfaces"][0]
    ec2.assign_private_ip_addresses(
        NetworkInterfaceId=interface["NetworkInterfaceId"], PrivateIpAddresses=["10.0.1.200"]
    )
    (allowed,) = [line for line in cloud.firewall(client).splitlines() if "5432" in line]
    assert {"10.0.1.200/32", f"{interface['PrivateIpAddress']}/32"} <= set(re.findall(r"[\d.]+/32", allowed))


def test_no_group_is_asked_about_metadata_names_and_time(cloud: FakeCloud, ec2: Any, subnet: str, group: str) -> None:
    script = cloud.firewall(running(ec2, subnet, group)).replace("/32", "")
    for allowed in ("169.254.169.254 tcp dport 80", "169.254.169.253 udp dport 53", "169.254.169.123 udp dport 123"):
        assert f"ip daddr {allowed} accept" in script


def test_a_changed_rule_keeps_its_kind_of_source(ec2: Any, group: str) -> None:
    permission = tcp(22, IpRanges=[{"CidrIp": "10.0.0.0/24"}])
    answer = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=permission)
    rule_id = answer["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    other = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "ReferencedGroupId": group}
    update = {"SecurityGroupRuleId": rule_id, "SecurityGroupRule": other}
    with refused("InvalidParameterValue"):
        ec2.modify_security_group_rules(GroupId=group, SecurityGroupRules=[update])
    with refused("InvalidSecurityGroupRuleId.NotFound"):
        ec2.modify_security_group_rules(GroupId=group, SecurityGroupRules=[update | {"SecurityGroupRuleId": "sgr-0"}])


def test_a_key_of_a_kind_that_ec2_does_not_take_is_refused(ec2: Any) -> None:
    with refused("InvalidKey.Format"):
        ec2.import_key_pair(KeyName="k", PublicKeyMaterial=b"ecdsa-sha2-nistp256 AAAA")


# What is used up


def test_a_subnet_without_a_free_address_takes_no_instance_until_one_ends(ec2: Any, vpc: str, group: str) -> None:
    small = str(ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.3.0/28")["Subnet"]["SubnetId"])
    first = running(ec2, small, group)
    for _ in range(10):
        ec2.create_network_interface(SubnetId=small)
    with refused("InsufficientFreeAddressesInSubnet"):
        launch(ec2, small, group)
    end(ec2, first)
    launch(ec2, small, group)


def test_a_group_has_sixty_rules_in_each_direction_and_an_instance_five_groups(
    ec2: Any, vpc: str, subnet: str, group: str
) -> None:
    for direction in ("ingress", "egress"):
        authorize = getattr(ec2, f"authorize_security_group_{direction}")
        for number in range(60 if direction == "ingress" else 59):  # a new group has one that lets everything out
            authorize(GroupId=group, IpPermissions=tcp(1000 + number, IpRanges=[{"CidrIp": "10.0.0.0/24"}]))
        with refused("RulesPerSecurityGroupLimitExceeded"):
            authorize(GroupId=group, IpPermissions=tcp(22, IpRanges=[{"CidrIp": "10.0.0.0/24"}]))
    others = [new_group(ec2, vpc, f"other-{number}") for number in range(5)]
    with refused("SecurityGroupsPerInterfaceLimitExceeded"):
        launch(ec2, subnet, group, *others)


# What is injected


@pytest.fixture
def faults(cloud: FakeCloud) -> Iterator[Faults]:
    store = Faults(cloud.directory / FAULTS_FILE)
    yield store
    store.clear()


@pytest.fixture
def once(cloud: FakeCloud) -> Any:
    """A client that never tries again."""
    return cloud.client("ec2", max_attempts=1)


def test_a_fault_meets_its_requests_as_often_as_it_is_told_and_no_others(once: Any, faults: Faults) -> None:
    faults.inject("RequestLimitExceeded", "DescribeVpcs", 2)
    once.describe_subnets()
    for _ in range(2):
        with refused("RequestLimitExceeded") as told:
            once.describe_vpcs()
        assert told.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    once.describe_vpcs()
    assert faults.waiting() == ()


def test_a_client_that_tries_again_does_not_notice_throttling(cloud: FakeCloud, faults: Faults) -> None:
    faults.inject("RequestLimitExceeded", times=2)
    cloud.client("ec2", max_attempts=5).describe_vpcs()
    assert faults.waiting() == ()


def test_what_was_just_made_is_not_found_at_first_and_all_else_is(once: Any, vpc: str, faults: Faults) -> None:
    faults.inject("NotFoundYet", "CreateSubnet", 2)
    subnet = once.create_subnet(VpcId=vpc, CidrBlock="10.0.7.0/24")["Subnet"]["SubnetId"]
    once.describe_vpcs(VpcIds=[vpc])
    for _ in range(2):
        with refused("InvalidSubnetID.NotFound"):
            once.describe_subnets(SubnetIds=[subnet])
    once.describe_subnets(SubnetIds=[subnet])


def test_a_slow_answer_is_the_right_one(once: Any, faults: Faults) -> None:
    faults.inject("SlowAnswer", "DescribeVpcs")
    started = time.monotonic()
    assert once.describe_vpcs()["Vpcs"]
    assert time.monotonic() - started >= 3


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - {"SlowAnswer", "NotFoundYet"}))
def test_every_error_of_the_table_is_told_as_ec2_tells_it(once: Any, subnet: str, faults: Faults, fault: str) -> None:
    calls: dict[str, Callable[[], object]] = {
        "*": once.describe_vpcs,
        "AllocateAddress": once.allocate_address,
        "AuthorizeSecurityGroupIngress": lambda: once.authorize_security_group_ingress(GroupId="sg-0"),
        "CreateInternetGateway": once.create_internet_gateway,
        "CreateNatGateway": lambda: once.create_nat_gateway(SubnetId=subnet),
        "CreateSecurityGroup": lambda: once.create_security_group(GroupName="g", Description="g"),
        "CreateVolume": lambda: once.create_volume(AvailabilityZone="us-east-1a", Size=1),
        "CreateVpc": lambda: once.create_vpc(CidrBlock="10.0.0.0/16"),
        "RunInstances": lambda: launch(once, subnet),
    }
    known = FAULTS[fault]
    if known.action not in calls:
        assert known.action == "CreateLoadBalancer", "of another service than EC2"
        return
    faults.inject(fault)
    with refused(fault) as told:
        calls[known.action]()
    answer = told.value.response
    assert (answer["Error"]["Message"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (known.message, known.status)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("Meteor",), "fault 'Meteor': must be one of AddressLimitExceeded, "),
        (("VpcLimitExceeded", "CreateSubnet"), "is an answer to CreateVpc, not to CreateSubnet"),
        (("RequestLimitExceeded", "RunInstance"), "action 'RunInstance': is none of ec2, "),
        (("RequestLimitExceeded", "RunInstances", 0), "0 is not a number of times"),
    ],
)
def test_a_fault_that_is_none_is_refused(tmp_path: Path, wrong: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Faults(tmp_path / FAULTS_FILE).inject(*wrong)


def test_every_action_that_was_asked_for_is_noted_once(cloud: FakeCloud, ec2: Any) -> None:
    for _ in range(2):
        ec2.describe_vpcs()
    assert (cloud.directory / ACTIONS_FILE).read_text().splitlines().count("ec2:DescribeVpcs") == 1


# Images


def test_there_are_only_the_sandboxs_own_images_and_at_once(ec2: Any) -> None:
    started = time.monotonic()
    found = {image["Name"]: image for image in ec2.describe_images()["Images"]}
    assert time.monotonic() - started < 1
    assert {name: image["OwnerId"] for name, image in found.items()} == {
        "sandbox-ubuntu": "099720109477",
        "sandbox-ubuntu-chef-server": "123456789012",
        "sandbox-ubuntu-chef-ha": "123456789012",
    }
    for owner, names in (("self", ["sandbox-ubuntu-chef-server", "sandbox-ubuntu-chef-ha"]), ("amazon", [])):
        assert [image["Name"] for image in ec2.describe_images(Owners=[owner])["Images"]] == names
    image = found["sandbox-ubuntu"]
    assert (image["Architecture"], image["RootDeviceName"], image["RootDeviceType"]) == ("x86_64", "/dev/sda1", "ebs")


# Instances are hosts


def test_an_instance_is_pending_until_its_host_has_booted(ec2: Any, subnet: str, group: str) -> None:
    launched = launch(ec2, subnet, group, UserData="#!/bin/sh\nSLOW")
    assert launched["State"]["Name"] == "pending"
    time.sleep(0.3)
    assert instance(ec2, launched["InstanceId"])["State"]["Name"] == "pending"
    with refused("IncorrectInstanceState"):
        ec2.stop_instances(InstanceIds=[launched["InstanceId"]])
    wait_until(lambda: instance(ec2, launched["InstanceId"])["State"]["Name"] == "running")


def test_hosts_boot_side_by_side_and_get_addresses_of_their_own(ec2: Any, subnet: str, group: str) -> None:
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        launched = list(pool.map(lambda _: launch(ec2, subnet, group, UserData="#!/bin/sh\nSLOW"), range(8)))
    for each in launched:
        wait_until(lambda each=each: instance(ec2, each["InstanceId"])["State"]["Name"] == "running")  # type: ignore[misc]  # a lambda's default
    assert time.monotonic() - started < 5, "eight hosts that take a second each boot together"
    assert len({each["PrivateIpAddress"] for each in launched}) == 8


def test_a_host_that_does_not_boot_ends_its_instance_with_the_reason(
    ec2: Any, cloud: FakeCloud, subnet: str, group: str
) -> None:
    id = launch(ec2, subnet, group, UserData="#!/bin/sh\nFAIL")["InstanceId"]
    wait_until(lambda: instance(ec2, id)["State"]["Name"] == "terminated")
    wait_until(lambda: instance(ec2, id)["StateReason"]["Code"] == "Server.InternalError")
    assert instance(ec2, id)["StateReason"]["Message"] == "Server.InternalError: Internal error on launch"
    ec2.delete_subnet(SubnetId=subnet)


def test_an_instance_that_is_terminated_while_it_boots_leaves_no_host(
    ec2: Any, cloud: FakeCloud, subnet: str, group: str
) -> None:
    id = launch(ec2, subnet, group, UserData="#!/bin/sh\nSLOW")["InstanceId"]
    end(ec2, id)
    notes = [note["method"] for note in cloud.notes(id=id) if note["method"] != "set_firewall"]
    assert notes == ["boot", "booted", "terminate"], "it is removed when it is whole: half of one could be left else"


def test_a_host_learns_its_name_key_and_user_data(ec2: Any, cloud: FakeCloud, subnet: str, group: str) -> None:
    ec2.import_key_pair(KeyName="mine", PublicKeyMaterial=PUBLIC_KEY.encode())
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "backend-0"}]}]
    others = {"KeyName": "mine", "UserData": "#!/bin/sh\n", "TagSpecifications": tags}
    id = running(ec2, subnet, group, **others)
    (boot,) = cloud.notes("boot", id)
    assert (boot["name"], boot["authorized_key"], boot["user_data"]) == ("backend-0", PUBLIC_KEY, "#!/bin/sh\n")


def test_a_reboot_and_a_stop_and_start_boot_the_same_host_again(
    ec2: Any, cloud: FakeCloud, subnet: str, group: str
) -> None:
    id = running(ec2, subnet, group)
    with refused("IncorrectInstanceState"):
        ec2.modify_instance_attribute(InstanceId=id, InstanceType={"Value": "t3.large"})
    ec2.reboot_instances(InstanceIds=[id])
    wait_until(lambda: len(cloud.notes("reboot", id)) == 1)
    ec2.stop_instances(InstanceIds=[id])
    wait_until(lambda: instance(ec2, id)["State"]["Name"] == "stopped")
    assert "accept" not in cloud.firewall(id).replace("iif lo accept", "").replace("oif lo accept", "").replace(
        "ct state established,related accept", ""
    ), "nothing reaches a stopped instance"
    with refused("IncorrectInstanceState"):
        ec2.reboot_instances(InstanceIds=[id])
    ec2.modify_instance_attribute(InstanceId=id, InstanceType={"Value": "t3.large"})
    ec2.start_instances(InstanceIds=[id])
    wait_until(lambda: instance(ec2, id)["State"]["Name"] == "running")
    assert [note["method"] for note in cloud.notes(id=id) if note["method"] in ("reboot", "stop", "start")] == [
        "reboot",
        "stop",
        "start",
    ]


# Firewalls


def test_a_rule_holds_when_the_request_for_it_is_answered(ec2: Any, cloud: FakeCloud, subnet: str, group: str) -> None:
    id = running(ec2, subnet, group)
    assert "dport 10003" not in cloud.firewall(id)
    permission = tcp(10003, IpRanges=[{"CidrIp": "10.1.0.0/24"}])
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=permission)
    assert "ip saddr 10.1.0.0/24 tcp dport 10003 accept" in cloud.firewall(id)
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=permission)
    assert "dport 10003" not in cloud.firewall(id)


def test_a_rule_is_on_a_host_from_its_first_packet(ec2: Any, cloud: FakeCloud, subnet: str, group: str) -> None:
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=tcp(22, IpRanges=[{"CidrIp": "10.8.0.0/24"}]))
    id = running(ec2, subnet, group)
    assert "ip saddr 10.8.0.0/24 tcp dport 22 accept" in cloud.notes("boot", id)[0]["firewall"]


def test_a_rule_for_a_group_follows_its_members(ec2: Any, cloud: FakeCloud, vpc: str, subnet: str, group: str) -> None:
    clients = new_group(ec2, vpc, "clients")
    ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=tcp(10002, UserIdGroupPairs=[{"GroupId": clients}])
    )
    server = running(ec2, subnet, group)
    assert "dport 10002" not in cloud.firewall(server), "the group has no members yet"
    client = running(ec2, subnet, clients, PrivateIpAddress="10.0.1.60")
    assert "ip saddr 10.0.1.60 tcp dport 10002 accept" in cloud.firewall(server).replace("10.0.1.60/32", "10.0.1.60")
    ec2.modify_instance_attribute(InstanceId=client, Groups=[group])
    assert "dport 10002" not in cloud.firewall(server)
    ec2.modify_instance_attribute(InstanceId=client, Groups=[clients])
    end(ec2, client)
    wait_until(lambda: "dport 10002" not in cloud.firewall(server))


def test_a_host_whose_rules_did_not_change_is_left_alone(ec2: Any, cloud: FakeCloud, vpc: str, subnet: str) -> None:
    one, other = new_group(ec2, vpc, "one"), new_group(ec2, vpc, "other")
    id = running(ec2, subnet, one)
    ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=tcp(22, IpRanges=[{"CidrIp": "10.8.0.0/24"}]))
    assert cloud.notes("set_firewall", id) == []


def test_an_instance_without_a_group_has_its_networks_default_one(ec2: Any, vpc: str, subnet: str) -> None:
    id = str(
        ec2.run_instances(ImageId=UBUNTU, InstanceType="t3.micro", MinCount=1, MaxCount=1, SubnetId=subnet)[
            "Instances"
        ][0]["InstanceId"]
    )
    assert [group["GroupName"] for group in instance(ec2, id)["SecurityGroups"]] == ["default"]


def test_a_request_beside_another_that_meets_a_fault_meets_its_own(tmp_path: Path) -> None:
    """While the file is written anew it is empty for a moment: that does not mean that no fault waits."""
    faults = Faults(tmp_path / FAULTS_FILE)
    faults.inject("RequestLimitExceeded", "CreateVpc")
    with ThreadPoolExecutor() as pool, (tmp_path / FAULTS_FILE).open("r+") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        text = other.read()
        other.truncate(0)
        taking = pool.submit(faults.take, "CreateVpc")
        time.sleep(0.2)
        other.seek(0)
        other.write(text)
        other.close()
        found = taking.result(timeout=10)
    assert found is not None and found.action == "CreateVpc"


# What is said of what was made: an answer that is off by one word makes the real provider replace the thing


@pytest.mark.parametrize("public", [True, False])
def test_an_interface_has_an_association_where_it_has_a_public_address(
    ec2: Any, subnet: str, group: str, public: bool
) -> None:
    interface = {"DeviceIndex": 0, "SubnetId": subnet, "Groups": [group], "AssociatePublicIpAddress": public}
    request = {"ImageId": UBUNTU, "InstanceType": "t3.micro", "NetworkInterfaces": [interface]}
    made = ec2.run_instances(MinCount=1, MaxCount=1, **request)["Instances"][0]["InstanceId"]
    (found,) = instance(ec2, made)["NetworkInterfaces"]
    assert ("Association" in found) is public
    (alone,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[found["NetworkInterfaceId"]])["NetworkInterfaces"]
    assert ("Association" in alone) is public


@pytest.mark.parametrize("described", [{"Description": "the address that moves"}, {}])
def test_a_reservation_keeps_its_description(ec2: Any, subnet: str, described: dict[str, str]) -> None:
    asked = {"SubnetId": subnet, "Cidr": "10.0.1.200/32", "ReservationType": "explicit"}
    made = ec2.create_subnet_cidr_reservation(**asked, **described)["SubnetCidrReservation"]
    (found,) = reservations(ec2, subnet)
    assert [each.get("Description") for each in (made, found)] == [described.get("Description")] * 2
