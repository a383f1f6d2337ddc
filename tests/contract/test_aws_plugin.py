"""What a program may rely on in pulumi-aws: each type made, read, changed, replaced and deleted, through gRPC.

Where the stand-in is stricter or quicker than the real one on purpose, a test says so and is for the stand-in only.
"""

from __future__ import annotations

import base64
import inspect
from collections.abc import Iterator
from typing import Any

import pulumi_aws
import pytest
from pulumi.runtime.proto import provider_pb2, status_pb2
from pulumi_aws import _inputs as provider_inputs
from pulumi_aws import provider as pulumi_aws_provider

from sandbox.aws.fault_injection import Faults
from sandbox.operator.plugins import AWS
from sandbox.paths import FAULTS_FILE
from sandbox.plugins.aws.plugin import PLUGIN
from sandbox.plugins.framework.table import Input
from tests import under_test
from tests.contract.aws_harness import (
    ASSOCIATION,
    EGRESS,
    GATEWAY,
    GROUP,
    INGRESS,
    INSTANCE,
    KEY,
    PUBLIC_KEY,
    REGION,
    ROUTE,
    SUBNET,
    TABLE,
    UBUNTU,
    VPC,
    AwsUnderTest,
    FakeCloud,
    Made,
    provider_config,
    wait_until,
)
from tests.contract.plugin import UNKNOWN, Refused, is_secret, plain, struct

AWS_PLUGIN = under_test.path(AWS)
SECONDS_FOR_FAILURE = 1
ANY = "0.0.0.0/0"

stand_in_only = under_test.stand_in_only(AWS)


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
    return plugin.make(VPC, {"cidrBlock": "10.0.0.0/16", "tags": {"Name": "net"}})


@pytest.fixture(scope="module")
def subnet(plugin: AwsUnderTest, vpc: Made) -> Made:
    return plugin.make(SUBNET, {"vpcId": vpc.id, "cidrBlock": "10.0.1.0/24"})


@pytest.fixture(scope="module")
def key(plugin: AwsUnderTest) -> Made:
    return plugin.make(KEY, {"publicKey": PUBLIC_KEY})


@pytest.fixture
def group(plugin: AwsUnderTest, vpc: Made) -> Iterator[Made]:
    made = plugin.make(GROUP, {"vpcId": vpc.id})
    yield made
    plugin.destroy(made, 10)


@pytest.fixture
def machine(plugin: AwsUnderTest, subnet: Made, group: Made, key: Made) -> Iterator[Made]:
    made = plugin.make(INSTANCE, machine_inputs(subnet, group, key))
    yield made
    plugin.destroy(made, 10)


def machine_inputs(subnet: Made, group: Made, key: Made, **others: object) -> dict[str, object]:
    return {
        "ami": UBUNTU,
        "instanceType": "t3.medium",
        "keyName": key.id,
        "subnetId": subnet.id,
        "vpcSecurityGroupIds": [group.id],
        "userData": "#!/bin/sh\ntrue\n",
        "metadataOptions": {"httpTokens": "required", "httpEndpoint": "enabled"},
        "rootBlockDevice": {"volumeType": "gp3", "volumeSize": 30, "encrypted": True},
        "tags": {"Name": "backend-0"},
        **others,
    }


def kept_id(error: Refused) -> str:
    """The id in the error's details, which tells the engine that the resource exists."""
    status = status_pb2.Status.FromString(error.details)
    failed = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(failed), "the details are of another kind"
    return str(failed.id)


def ingress(group: Made, **others: object) -> dict[str, object]:
    rule = {"securityGroupId": group.id, "ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "cidrIpv4": "10.8.0.0/24"}
    return {name: value for name, value in (rule | others).items() if value is not None}


# The provider


def test_the_version_is_the_one_that_the_programs_package_asks_for(plugin: AwsUnderTest) -> None:
    from google.protobuf import empty_pb2  # type: ignore[import-untyped]  # noqa: PLC0415 - publishes no types

    assert plugin.stub.GetPluginInfo(empty_pb2.Empty()).version == "7.51.1"


@stand_in_only
def test_an_unknown_configuration_value_is_refused_by_name(plugin: AwsUnderTest, cloud: FakeCloud) -> None:
    answer = check_config(plugin, provider_config(cloud.url) | {"assumeRoles": "[]", "regoin": "x"})
    assert sorted(failure.property for failure in answer.failures) == ["assumeRoles", "regoin"]


@stand_in_only
def test_an_endpoint_of_a_service_that_is_not_implemented_is_refused(plugin: AwsUnderTest, cloud: FakeCloud) -> None:
    answer = check_config(plugin, provider_config(cloud.url) | {"endpoints": '[{"s3": "http://127.0.0.1:1"}]'})
    assert [failure.property for failure in answer.failures] == ["endpoints[0].s3"]


def check_config(plugin: AwsUnderTest, config: dict[str, object]) -> Any:
    return plugin.stub.CheckConfig(provider_pb2.CheckRequest(urn=PROVIDER, news=struct(config)), timeout=10)


PROVIDER = "urn:pulumi:dev::test::pulumi:providers:aws::default"


@pytest.mark.parametrize(
    ("change", "replaced"),
    [({}, []), ({"endpoints": '[{"ec2":"http://127.0.0.1:9"}]'}, []), ({"region": "eu-west-1"}, ["region"])],
)
def test_a_changed_configuration_is_a_difference_and_another_region_another_provider(
    plugin: AwsUnderTest, cloud: FakeCloud, change: dict[str, object], replaced: list[str]
) -> None:
    old = provider_config(cloud.url)
    request = provider_pb2.DiffRequest(urn=PROVIDER, id="x", old_inputs=struct(old), news=struct(old | change))
    answer = plugin.stub.DiffConfig(request, timeout=10)
    some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
    assert answer.changes == (some if change else none)
    assert list(answer.replaces) == replaced


@stand_in_only
@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"region": ""}, "no AWS region"),
        ({"region": "us-moon-1"}, "invalid AWS Region: us-moon-1"),
        ({"allowedAccountIds": '["210987654321"]'}, "AWS account ID not allowed: 123456789012"),
        ({"forbiddenAccountIds": '["123456789012"]'}, "AWS account ID not allowed: 123456789012"),
        ({"skipCredentialsValidation": "false", "endpoints": "[]"}, "no endpoint for sts"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused_before_anything_is_made(
    cloud: FakeCloud, config: dict[str, str], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    plugin = AwsUnderTest(AWS_PLUGIN, cloud.url)
    try:
        with pytest.raises(Refused, match=reason):
            plugin.set_up(plugin.settings | config)
    finally:
        plugin.stop()


def test_an_account_that_is_allowed_gets_into_the_arns(cloud: FakeCloud) -> None:
    config = {"allowedAccountIds": '["123456789012"]'}
    plugin = AwsUnderTest(AWS_PLUGIN, cloud.url, **config)
    try:
        made = plugin.make(VPC, {"cidrBlock": "10.9.0.0/16"})
        assert made.state["arn"] == f"arn:aws:ec2:{REGION}:123456789012:vpc/{made.id}"
        plugin.destroy(made)
    finally:
        plugin.stop()


def test_an_api_that_does_not_answer_is_one_sentence(cloud: FakeCloud) -> None:
    plugin = AwsUnderTest(AWS_PLUGIN, "http://127.0.0.1:1", maxRetries="0", skipRequestingAccountId="true")
    try:
        with pytest.raises(Refused, match=r"(?i)endpoint|connect|answer") as refused:
            plugin.make(VPC, {"cidrBlock": "10.9.0.0/16"})
        assert "Traceback" not in str(refused.value)
    finally:
        plugin.stop()


def test_default_tags_are_on_everything_and_are_no_ones_own(cloud: FakeCloud, plugin: AwsUnderTest) -> None:
    tagging = AwsUnderTest(AWS_PLUGIN, cloud.url, defaultTags='{"tags": {"Owner": "us"}}')
    try:
        made = tagging.make(VPC, {"cidrBlock": "10.9.0.0/16", "tags": {"Name": "x"}})
        refreshed = tagging.refreshed(made)
        assert made.state["tagsAll"] == {"Owner": "us", "Name": "x"}
        assert refreshed is not None and refreshed.inputs["tags"] == {"Name": "x"}
        assert tagging.changes(made, made.inputs) == {}
        assert "tagsAll" in plugin.changes(made, made.inputs), "with other default tags the resource is to be changed"
        changed = plugin.change(made, made.inputs)
        assert changed.state["tagsAll"] == {"Name": "x"}
        tagging.destroy(made)
    finally:
        tagging.stop()


# Every type


TYPES = [(row.token, row) for row in PLUGIN.resources]


@pytest.mark.parametrize(("token", "row"), TYPES)
def test_no_argument_of_a_type_is_invented(token: str, row: Any) -> None:
    module, name = token.split(":")[1].split("/", maxsplit=1)[0], token.rsplit(":", 1)[1]
    place = getattr(pulumi_aws, module)
    assert sorted(unknown_names(row.inputs, getattr(place, f"{name}Args"), place)) == []


@pytest.mark.parametrize(("token", "row"), TYPES)
def test_no_output_of_a_type_is_invented(token: str, row: Any) -> None:
    module, name = token.split(":")[1].split("/", maxsplit=1)[0], token.rsplit(":", 1)[1]
    known = {camel(each) for each, member in inspect.getmembers(getattr(getattr(pulumi_aws, module), name)) if member}
    assert set(row.outputs) <= known


@pytest.mark.parametrize("function", PLUGIN.functions, ids=lambda function: function.token)
def test_no_argument_of_a_function_is_invented(function: Any) -> None:
    module, name = function.token.split(":")[1].split("/")
    place = getattr(pulumi_aws, module) if module != "index" else pulumi_aws
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    assert set(function.inputs) <= {camel(each) for each in inspect.signature(getattr(place, snake)).parameters}


def test_no_configuration_value_is_invented() -> None:
    special = {"s3UsePathStyle"}
    known = {camel(each) for each in inspect.signature(pulumi_aws_provider.ProviderArgs.__init__).parameters} | special
    assert set(PLUGIN.config) <= known
    endpoints = PLUGIN.config["endpoints"].each
    assert endpoints is not None and endpoints.fields is not None
    assert set(endpoints.fields) <= set(inspect.signature(provider_inputs.ProviderEndpointArgs.__init__).parameters)


def camel(snake: str) -> str:
    first, *others = snake.split("_")
    return first + "".join(part.title() for part in others)


def unknown_names(declared: dict[str, Input], arguments: type, place: Any) -> Iterator[str]:
    signature = inspect.signature(arguments.__init__).parameters  # type: ignore[misc]  # a class, not an instance
    known = {camel(name): parameter for name, parameter in signature.items()}
    for name, rule in declared.items():
        if name not in known:
            yield name
        elif inside := rule.fields or (rule.each and rule.each.fields):
            inner = str(known[name].annotation).split("'")[1]
            yield from unknown_names(dict(inside), getattr(place, inner), place)


@pytest.mark.parametrize("token", [token for token, _ in TYPES])
def test_an_unknown_property_is_refused_by_name(plugin: AwsUnderTest, token: str) -> None:
    failures = plugin.check(token.removeprefix("aws:"), {"colour": "green"}).failures
    assert any("colour" in (failure.property or failure.reason) for failure in failures)


@stand_in_only
@pytest.mark.parametrize(
    ("token", "name"),
    [(VPC, "ipv6CidrBlock"), (GROUP, "ingress"), (TABLE, "routes"), (INSTANCE, "launchTemplate"), (INSTANCE, "hostId")],
)
def test_what_the_real_plugin_has_and_this_one_not_is_refused_and_not_ignored(
    plugin: AwsUnderTest, token: str, name: str
) -> None:
    assert name in [failure.property for failure in plugin.check(token, {name: "x"}).failures]


@pytest.mark.parametrize(
    ("token", "inputs", "property"),
    [
        (VPC, {"cidrBlock": "10.0.0.1/16"}, "cidrBlock"),
        (VPC, {"cidrBlock": "10.0.0.0/8"}, "cidrBlock"),
        (SUBNET, {"cidrBlock": "10.0.0.0/24"}, "vpcId"),
        (INGRESS, {"securityGroupId": "sg-1", "ipProtocol": "tcp", "fromPort": 1, "toPort": 1}, "cidrIpv4"),
        (INGRESS, {"securityGroupId": "sg-1", "ipProtocol": "-1", "cidrIpv4": "10.0.0.1/24"}, "cidrIpv4"),
        (INGRESS, {"securityGroupId": "sg-1", "ipProtocol": "tcp", "cidrIpv4": "10.0.0.0/24"}, "fromPort"),
        (GROUP, {"name": "sg-mine"}, "name"),
        (KEY, {}, "publicKey"),
        (INSTANCE, {"instanceType": "t3.micro"}, "ami"),
        (INSTANCE, {"ami": "x", "instanceType": "y", "userData": "#" * 16385}, "userData"),
        (INSTANCE, {"ami": "x", "instanceType": "y", "userData": "a", "userDataBase64": "YQ=="}, "userData"),
        (INSTANCE, {"ami": "x", "instanceType": "y", "metadataOptions": {"httpTokens": "yes"}}, "metadataOptions"),
        (INSTANCE, {"ami": "x", "instanceType": "y", "vpcSecurityGroupIds": "sg-1"}, "vpcSecurityGroupIds"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_check(
    plugin: AwsUnderTest, token: str, inputs: dict[str, object], property: str
) -> None:
    failures = plugin.check(token, inputs).failures
    assert any(property in (failure.property + failure.reason) for failure in failures), failures


# VPC, subnet, gateway, routes


def test_a_vpc_has_what_the_cloud_makes_with_it(plugin: AwsUnderTest, cloud: FakeCloud, vpc: Made) -> None:
    group = cloud.ec2.describe_security_groups(GroupIds=[vpc.state["defaultSecurityGroupId"]])["SecurityGroups"][0]
    assert group["VpcId"] == vpc.id
    assert vpc.state["mainRouteTableId"].startswith("rtb-")
    assert (vpc.state["enableDnsSupport"], vpc.state["enableDnsHostnames"]) == (True, False)


def test_a_vpc_is_changed_in_place_but_for_its_addresses(plugin: AwsUnderTest) -> None:
    made = plugin.make(VPC, {"cidrBlock": "10.3.0.0/16"})
    news: dict[str, object] = {"cidrBlock": "10.3.0.0/16", "enableDnsHostnames": True, "tags": {"Name": "y"}}
    assert plugin.changes(made, news) == {"enableDnsHostnames": "update", "tags": "add"}
    changed = plugin.change(made, news)
    assert (changed.state["enableDnsHostnames"], changed.state["tagsAll"]) == (True, {"Name": "y"})
    assert plugin.change(changed, {"cidrBlock": "10.3.0.0/16"}).state["tagsAll"] == {}
    assert plugin.changes(made, {"cidrBlock": "10.4.0.0/16"}) == {"cidrBlock": "update-replace"}
    plugin.destroy(made)


def test_an_input_that_the_cloud_chose_is_no_difference_when_it_is_given_or_left_out(
    plugin: AwsUnderTest, subnet: Made
) -> None:
    zone = subnet.state["availabilityZone"]
    assert plugin.changes(subnet, subnet.inputs | {"availabilityZone": zone}) == {}
    given = Made(subnet.token, subnet.id, subnet.inputs | {"availabilityZone": zone}, subnet.state)
    assert plugin.changes(given, subnet.inputs) == {}
    other = f"{REGION}a" if zone != f"{REGION}a" else f"{REGION}b"
    assert plugin.changes(given, subnet.inputs | {"availabilityZone": other}) == {"availabilityZone": "update-replace"}


def test_a_subnets_public_addresses_are_switched_in_place(plugin: AwsUnderTest, vpc: Made) -> None:
    made = plugin.make(SUBNET, {"vpcId": vpc.id, "cidrBlock": "10.0.7.0/24"})
    assert made.state["mapPublicIpOnLaunch"] is False
    news = made.inputs | {"mapPublicIpOnLaunch": True}
    assert plugin.changes(made, news) == {"mapPublicIpOnLaunch": "update"}
    assert plugin.change(made, news).state["mapPublicIpOnLaunch"] is True
    plugin.destroy(made)


def test_a_gateway_moves_between_networks_and_leaves_on_delete(plugin: AwsUnderTest, cloud: FakeCloud) -> None:
    one, other = (plugin.make(VPC, {"cidrBlock": "10.5.0.0/16"}) for _ in range(2))
    made = plugin.make(GATEWAY, {"vpcId": one.id})
    assert plugin.changes(made, {"vpcId": other.id}) == {"vpcId": "update"}
    changed = plugin.change(made, {"vpcId": other.id})
    gateways = cloud.ec2.describe_internet_gateways(InternetGatewayIds=[made.id])["InternetGateways"]
    assert [each["VpcId"] for each in gateways[0]["Attachments"]] == [other.id]
    plugin.destroy(changed)
    for each in (one, other):
        plugin.destroy(each)


def test_a_route_and_an_association_follow_their_table(plugin: AwsUnderTest, cloud: FakeCloud) -> None:
    vpc = plugin.make(VPC, {"cidrBlock": "10.6.0.0/16"})
    subnet = plugin.make(SUBNET, {"vpcId": vpc.id, "cidrBlock": "10.6.1.0/24"})
    gateway = plugin.make(GATEWAY, {"vpcId": vpc.id})
    table, other = (plugin.make(TABLE, {"vpcId": vpc.id}) for _ in range(2))
    default = {"routeTableId": table.id, "destinationCidrBlock": "0.0.0.0/0", "gatewayId": gateway.id}
    route = plugin.make(ROUTE, default)
    assert route.id == f"r-{table.id}1080289494", "the id is the table's and a checksum of the destination"
    assert (route.state["origin"], route.state["state"]) == ("CreateRoute", "active")
    assert plugin.changes(route, default | {"destinationCidrBlock": "10.8.0.0/24"}) == {
        "destinationCidrBlock": "update-replace"
    }
    association = plugin.make(ASSOCIATION, {"subnetId": subnet.id, "routeTableId": table.id})
    moved = {"subnetId": subnet.id, "routeTableId": other.id}
    assert plugin.changes(association, moved) == {"routeTableId": "update"}
    association = plugin.change(association, moved)
    assert association.state["routeTableId"] == other.id
    refreshed = plugin.refreshed(association)
    assert refreshed is not None and refreshed.inputs == moved
    for each in (association, route, table, other, gateway, subnet, vpc):
        plugin.destroy(each)
    assert plugin.refreshed(route) is None and plugin.refreshed(association) is None


# Names


@pytest.mark.parametrize(("token", "name"), [(GROUP, "name"), (KEY, "keyName")])
def test_a_name_is_generated_once_and_kept(plugin: AwsUnderTest, token: str, name: str) -> None:
    inputs = {"publicKey": PUBLIC_KEY} if token == KEY else {}
    first, second = (plugin.checked(token, inputs)[name] for _ in range(2))
    assert first != second and first.startswith("it-") and len(first) == len("it-") + 7
    assert plain(plugin.check(token, inputs, {name: first}).inputs)[name] == first


def test_a_replacement_that_keeps_a_given_name_waits_until_the_old_one_is_gone(plugin: AwsUnderTest, vpc: Made) -> None:
    for given, waits in (({"name": "mine"}, True), ({}, False)):
        made = plugin.make(GROUP, {"vpcId": vpc.id, **given})
        answer = plugin.diffed(made, {"vpcId": vpc.id, "description": "another", **given})
        assert (list(answer.replaces), answer.deleteBeforeReplace) == (["description"], waits)
        plugin.destroy(made)


# Security groups


def test_a_new_group_lets_nothing_out(plugin: AwsUnderTest, cloud: FakeCloud, group: Made) -> None:
    found = cloud.ec2.describe_security_groups(GroupIds=[group.id])["SecurityGroups"][0]
    assert (found["IpPermissions"], found["IpPermissionsEgress"]) == ([], [])
    assert group.state["description"] == "Managed by Pulumi"


def test_a_description_that_ec2_does_not_take_is_refused_before_anything_is_made(
    plugin: AwsUnderTest, group: Made
) -> None:
    (failure,) = plugin.check(INGRESS, ingress(group, description="keepalived's heartbeat")).failures
    assert "description" in failure.property or "description" in failure.reason
    assert "comply" in failure.reason or "must" in failure.reason


def test_a_rule_is_made_changed_in_place_and_deleted(plugin: AwsUnderTest, cloud: FakeCloud, group: Made) -> None:
    made = plugin.make(INGRESS, ingress(group, description="SSH", tags={"Name": "ssh"}))
    assert made.id.startswith("sgr-") and made.state["securityGroupRuleId"] == made.id
    assert made.state["tagsAll"] == {"Name": "ssh"}
    news = ingress(group, description="other", fromPort=2200, toPort=2201, cidrIpv4="10.9.0.0/24")
    assert plugin.changes(made, news) == {
        **dict.fromkeys(("cidrIpv4", "description", "fromPort", "toPort"), "update"),
        "tags": "delete",
    }
    changed = plugin.change(made, news)
    found = cloud.ec2.describe_security_group_rules(SecurityGroupRuleIds=[made.id])["SecurityGroupRules"][0]
    assert (found["FromPort"], found["ToPort"], found["CidrIpv4"]) == (2200, 2201, "10.9.0.0/24")
    assert (found["Description"], changed.state["tagsAll"]) == ("other", {})
    plugin.destroy(changed)
    assert plugin.refreshed(changed) is None
    plugin.destroy(changed)


def test_another_kind_of_source_replaces_a_rule(plugin: AwsUnderTest, group: Made) -> None:
    made = plugin.make(INGRESS, ingress(group))
    changes = plugin.changes(made, ingress(group, cidrIpv4=None, referencedSecurityGroupId=group.id))
    assert changes == {"cidrIpv4": "delete-replace", "referencedSecurityGroupId": "add-replace"}
    other = {**ingress(group), "securityGroupId": "sg-other"}
    assert plugin.changes(made, other) == {"securityGroupId": "update-replace"}
    plugin.destroy(made)


def test_a_rule_for_everything_has_no_ports(plugin: AwsUnderTest, group: Made) -> None:
    inputs: dict[str, object] = {"securityGroupId": group.id, "ipProtocol": "-1", "referencedSecurityGroupId": group.id}
    for token in (INGRESS, EGRESS):
        made = plugin.make(token, inputs)
        refreshed = plugin.refreshed(made)
        assert refreshed is not None and refreshed.inputs == inputs
        assert not {"fromPort", "toPort"} & refreshed.state.keys()
        changed = plugin.change(made, inputs | {"description": "all"})
        assert changed.state["description"] == "all"
        plugin.destroy(changed)


def test_the_same_rule_twice_is_refused(plugin: AwsUnderTest, group: Made) -> None:
    made = plugin.make(INGRESS, ingress(group))
    with pytest.raises(Refused, match=r"InvalidPermission\.Duplicate"):
        plugin.make(INGRESS, ingress(group, description="another"))
    plugin.destroy(made)


def test_a_group_that_is_deleted_with_its_rules_when_it_says_so(plugin: AwsUnderTest, vpc: Made) -> None:
    group, other = (plugin.make(GROUP, {"vpcId": vpc.id, "revokeRulesOnDelete": True}) for _ in range(2))
    plugin.make(INGRESS, ingress(group, cidrIpv4=None, referencedSecurityGroupId=other.id))
    with pytest.raises(Refused, match="DependencyViolation"):
        plugin.destroy(other, SECONDS_FOR_FAILURE)
    plugin.destroy(group)
    plugin.destroy(other)


# Key pairs


def test_a_key_pair_is_named_by_its_name_and_replaced_with_its_key(plugin: AwsUnderTest, key: Made) -> None:
    assert key.id == key.state["keyName"]
    assert key.state["keyPairId"].startswith("key-") and key.state["keyType"] == "ed25519"
    assert plugin.changes(key, {"publicKey": PUBLIC_KEY + "\n"}) == {}, "space around a key means nothing"
    assert plugin.changes(key, {"publicKey": PUBLIC_KEY + "else"}) == {"publicKey": "update-replace"}
    tagged = plugin.change(key, {"publicKey": PUBLIC_KEY, "tags": {"a": "b"}})
    assert tagged.state["tagsAll"] == {"a": "b"}


# Instances


def test_an_instance_is_running_and_its_host_is_what_was_asked_for(
    plugin: AwsUnderTest, cloud: FakeCloud, machine: Made
) -> None:
    (boot,) = cloud.notes("boot", machine.id)
    assert machine.state["instanceState"] == "running"
    assert (boot["name"], boot["address"], boot["prefix"]) == ("backend-0", machine.state["privateIp"], 24)
    assert (boot["image"], boot["authorized_key"]) == ("base", PUBLIC_KEY)
    assert boot["user_data"] == machine.state["userData"] == "#!/bin/sh\ntrue\n"
    assert machine.state["rootBlockDevice"]["volumeSize"] == 30
    assert machine.state["privateDns"].startswith("ip-10-0-1-")


def test_refreshing_an_instance_finds_no_difference(plugin: AwsUnderTest, machine: Made) -> None:
    refreshed = plugin.refreshed(machine)
    assert refreshed is not None
    assert refreshed.inputs == machine.inputs
    assert refreshed.state == machine.state
    assert plugin.changes(refreshed, machine.inputs) == {}


REPLACING = {
    "ami": "ami-0c4ef00000000002b",
    "keyName": "another",
    "subnetId": "subnet-1",
    "privateIp": "10.0.1.77",
    "associatePublicIpAddress": True,
    "availabilityZone": "us-west-1a",  # only asked about: never the one that the cloud chose
    "ebsOptimized": True,
    "instanceType": "t4g.large",  # another architecture
}
IN_PLACE = {
    "instanceType": "t3.large",
    "userData": "#!/bin/sh\nfalse\n",
    "disableApiTermination": True,
    "sourceDestCheck": False,
    "userDataReplaceOnChange": True,
}


@pytest.mark.parametrize("name", REPLACING)
def test_a_change_that_replaces_an_instance(plugin: AwsUnderTest, machine: Made, name: str) -> None:
    ((path, kind),) = plugin.changes(machine, machine.inputs | {name: REPLACING[name]}).items()
    assert path == name and kind.endswith("-replace")


@pytest.mark.parametrize("name", IN_PLACE)
def test_a_change_that_does_not_replace_an_instance(plugin: AwsUnderTest, machine: Made, name: str) -> None:
    assert plugin.changes(machine, machine.inputs | {name: IN_PLACE[name]}) == {name: "update"}


def test_user_data_replaces_an_instance_that_says_so(plugin: AwsUnderTest, machine: Made) -> None:
    saying = Made(machine.token, machine.id, machine.inputs | {"userDataReplaceOnChange": True}, machine.state)
    assert plugin.changes(saying, saying.inputs | {"userData": "#!/bin/sh\nfalse\n"}) == {"userData": "update-replace"}


def test_of_a_root_volume_only_the_encryption_replaces(plugin: AwsUnderTest, machine: Made) -> None:
    volume = machine.inputs["rootBlockDevice"]
    grown = machine.inputs | {"rootBlockDevice": volume | {"volumeSize": 40, "encrypted": False}}
    assert plugin.changes(machine, grown) == {
        "rootBlockDevice.volumeSize": "update",
        "rootBlockDevice.encrypted": "update-replace",
    }


def test_what_the_program_says_no_more_stays_but_for_tags(plugin: AwsUnderTest, machine: Made) -> None:
    volume = machine.inputs["rootBlockDevice"]
    tagged = Made(machine.token, machine.id, machine.inputs | {"rootBlockDevice": volume | {"tags": {"a": "b"}}}, {})
    tagged.state.update(machine.state | {"rootBlockDevice": machine.state["rootBlockDevice"] | {"tags": {"a": "b"}}})
    assert plugin.changes(tagged, machine.inputs) == {"rootBlockDevice.tags": "delete"}
    silent = {name: value for name, value in machine.inputs.items() if name not in ("userData", "rootBlockDevice")}
    assert plugin.changes(machine, silent) == {}


def test_the_order_of_security_groups_means_nothing(plugin: AwsUnderTest, machine: Made, vpc: Made) -> None:
    other = plugin.make(GROUP, {"vpcId": vpc.id})
    both = [*machine.inputs["vpcSecurityGroupIds"], other.id]
    news = machine.inputs | {"vpcSecurityGroupIds": both}
    assert plugin.changes(machine, news) == {"vpcSecurityGroupIds[1]": "add"}
    changed = plugin.change(machine, news)
    assert plugin.changes(changed, news | {"vpcSecurityGroupIds": both[::-1]}) == {}
    refreshed = plugin.refreshed(changed)
    assert refreshed is not None and refreshed.inputs["vpcSecurityGroupIds"] == both, "the old order is kept"
    plugin.change(changed, machine.inputs)
    plugin.destroy(other)


def test_what_is_not_known_yet_is_a_change(plugin: AwsUnderTest, machine: Made) -> None:
    assert plugin.changes(machine, machine.inputs | {"subnetId": UNKNOWN}) == {"subnetId": "update-replace"}
    assert plugin.changes(machine, machine.inputs | {"vpcSecurityGroupIds": UNKNOWN}) == {
        "vpcSecurityGroupIds": "update"
    }
    unknown_tag = machine.inputs | {"tags": {"Name": UNKNOWN}}
    assert plugin.changes(machine, unknown_tag) == {"tags.Name": "update"}


def test_what_the_program_ignores_is_no_difference(plugin: AwsUnderTest, machine: Made) -> None:
    news = machine.inputs | {"ami": "ami-other", "userData": "#!/bin/sh\nfalse\n"}
    assert plugin.changes(machine, news, ignored=("ami", "userData")) == {}


def test_changes_in_place_are_made(plugin: AwsUnderTest, cloud: FakeCloud, machine: Made) -> None:
    volume = machine.inputs["rootBlockDevice"]
    options = {"httpTokens": "optional", "httpEndpoint": "enabled"}
    news = machine.inputs | IN_PLACE | {"rootBlockDevice": volume | {"volumeSize": 40}, "metadataOptions": options}
    changed = plugin.change(machine, news | {"tags": {"Name": "renamed"}})
    assert {name: changed.state[name] for name in IN_PLACE} == IN_PLACE
    assert changed.state["rootBlockDevice"]["volumeSize"] == 40
    assert changed.state["metadataOptions"]["httpTokens"] == "optional"
    assert changed.state["tagsAll"] == {"Name": "renamed"}
    assert changed.id == machine.id and changed.state["privateIp"] == machine.state["privateIp"]
    stops = [note["method"] for note in cloud.notes(id=machine.id) if note["method"] in ("stop", "start")]
    assert stops == ["stop", "start"], "type and user data need a stop and a start"
    with pytest.raises(Refused, match="OperationNotPermitted"):
        plugin.destroy(changed, SECONDS_FOR_FAILURE)
    plugin.change(changed, changed.inputs | {"disableApiTermination": False})


def test_force_destroy_overcomes_the_protection(plugin: AwsUnderTest, subnet: Made, group: Made, key: Made) -> None:
    inputs = machine_inputs(subnet, group, key, disableApiTermination=True, forceDestroy=True)
    made = plugin.make(INSTANCE, inputs)
    plugin.destroy(made, 10)
    assert plugin.refreshed(made) is None


def test_a_public_address_is_given_when_asked_for(plugin: AwsUnderTest, subnet: Made, group: Made, key: Made) -> None:
    made = plugin.make(INSTANCE, machine_inputs(subnet, group, key, associatePublicIpAddress=True))
    assert made.state["publicIp"] and made.state["associatePublicIpAddress"] is True
    plugin.destroy(made, 10)


def test_user_data_in_base64_reaches_the_host_as_text(
    plugin: AwsUnderTest, cloud: FakeCloud, subnet: Made, group: Made, key: Made
) -> None:
    encoded = base64.b64encode(b"#!/bin/sh\n").decode()
    inputs = machine_inputs(subnet, group, key, userDataBase64=encoded)
    made = plugin.make(INSTANCE, {name: value for name, value in inputs.items() if name != "userData"})
    assert cloud.notes("boot", made.id)[0]["user_data"] == "#!/bin/sh\n"
    assert made.state["userDataBase64"] == encoded and "userData" not in made.state
    plugin.destroy(made, 10)


def test_an_instance_that_cannot_boot_fails_with_the_reason_and_keeps_its_id(
    plugin: AwsUnderTest, cloud: FakeCloud, subnet: Made, group: Made, key: Made
) -> None:
    inputs = plugin.checked(INSTANCE, machine_inputs(subnet, group, key, userData="#!/bin/sh\nFAIL\n"))
    with pytest.raises(Refused, match=r"unexpected state .*Server\.InternalError: Internal error on launch") as refused:
        plugin.create(INSTANCE, inputs)
    identity = kept_id(refused.value)
    assert cloud.notes("terminate", identity), "what was booted of it is removed"
    made = Made(INSTANCE, identity, inputs, inputs)
    assert plugin.refreshed(made) is None, "a refresh finds that there is nothing"
    with pytest.raises(Refused, match="did not exist while updating"):
        plugin.change(made, inputs)
    plugin.destroy(made)


def test_an_instance_that_takes_too_long_keeps_its_id(
    plugin: AwsUnderTest, subnet: Made, group: Made, key: Made
) -> None:
    inputs = plugin.checked(INSTANCE, machine_inputs(subnet, group, key, userData="#!/bin/sh\nSLOW\n"))
    with pytest.raises(Refused, match="timeout while waiting for state to become 'running'") as refused:
        plugin.create(INSTANCE, inputs, timeout=0.3)
    made = Made(INSTANCE, kept_id(refused.value), inputs, inputs)
    plugin.destroy(made, 10)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"ami": "ami-00000000"}, "InvalidAMIID.NotFound"),
        ({"keyName": "nobodys"}, "InvalidKeyPair.NotFound"),
        ({"vpcSecurityGroupIds": ["sg-00000000"]}, "InvalidGroup.NotFound"),
        ({"subnetId": "subnet-00000000"}, "InvalidSubnetID.NotFound"),
        ({"instanceType": "t9.moon"}, "InvalidInstanceType|InvalidParameterValue"),
        ({"privateIp": "10.0.2.10"}, "InvalidParameterValue"),
    ],
)
def test_an_instance_of_what_is_not_there_is_refused_and_not_kept(
    plugin: AwsUnderTest, machine: Made, wrong: dict[str, object], code: str
) -> None:
    with pytest.raises(Refused, match=code) as refused:
        plugin.make(INSTANCE, machine.inputs | wrong)
    assert not refused.value.details


def test_a_terminated_instance_is_gone_and_its_address_free(
    plugin: AwsUnderTest, cloud: FakeCloud, subnet: Made, group: Made, key: Made
) -> None:
    inputs = machine_inputs(subnet, group, key, privateIp="10.0.1.99")
    for _ in range(2):
        made = plugin.make(INSTANCE, inputs)
        assert made.state["privateIp"] == "10.0.1.99"
        plugin.destroy(made, 10)
        assert cloud.notes("terminate", made.id), "delete returns when the host is gone"
        assert plugin.refreshed(made) is None


def test_an_instance_that_somebody_terminated_is_found_missing(
    plugin: AwsUnderTest, cloud: FakeCloud, machine: Made
) -> None:
    cloud.ec2.terminate_instances(InstanceIds=[machine.id])
    wait_until(lambda: plugin.refreshed(machine) is None)


def test_drift_of_what_the_program_sets_is_found(plugin: AwsUnderTest, cloud: FakeCloud, machine: Made) -> None:
    cloud.ec2.create_tags(Resources=[machine.id], Tags=[{"Key": "Name", "Value": "moved"}])
    refreshed = plugin.refreshed(machine)
    assert refreshed is not None
    assert plugin.changes(refreshed, machine.inputs) == {"tags.Name": "update"}


@pytest.mark.parametrize("kind", ["group", "subnet", "vpc"])
def test_deleting_in_the_wrong_order_is_refused(
    plugin: AwsUnderTest, machine: Made, kind: str, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(Refused, match="DependencyViolation"):
        plugin.destroy(request.getfixturevalue(kind), SECONDS_FOR_FAILURE)


def test_what_is_gone_is_deleted_without_complaint(plugin: AwsUnderTest, vpc: Made) -> None:
    group = plugin.make(GROUP, {"vpcId": vpc.id})
    for _ in range(2):
        plugin.destroy(group)
    assert plugin.refreshed(group) is None


# Previews and imports


def test_a_preview_makes_nothing_and_knows_what_is_given(plugin: AwsUnderTest, cloud: FakeCloud) -> None:
    before = len(cloud.ec2.describe_vpcs()["Vpcs"])
    inputs = plugin.checked(VPC, {"cidrBlock": "10.0.0.0/16"})
    identity, state = plugin.create(VPC, inputs, preview=True)
    assert (identity, state["cidrBlock"], state["arn"]) == ("", "10.0.0.0/16", UNKNOWN)
    assert len(cloud.ec2.describe_vpcs()["Vpcs"]) == before


def test_a_preview_of_an_instance_knows_neither_its_address_nor_its_state(plugin: AwsUnderTest) -> None:
    inputs = plugin.checked(INSTANCE, {"ami": UBUNTU, "instanceType": "t3.micro", "subnetId": UNKNOWN})
    _, state = plugin.create(INSTANCE, inputs, preview=True)
    assert {state[name] for name in ("privateIp", "publicIp", "instanceState", "subnetId", "arn")} == {UNKNOWN}


def test_an_imported_resource_has_inputs_that_make_no_difference(
    plugin: AwsUnderTest, group: Made, machine: Made, subnet: Made
) -> None:
    for made in (group, machine, subnet):
        imported = plugin.imported(made.token, made.id)
        assert imported.id == made.id
        assert imported.state["arn"] == made.state["arn"]
        assert plugin.changes(imported, imported.inputs) == {}


# Look-ups


def test_an_image_is_found_by_owner_and_name(plugin: AwsUnderTest) -> None:
    filters = [{"name": "name", "values": ["sandbox-ubuntu"]}, {"name": "architecture", "values": ["x86_64"]}]
    arguments = {"owners": ["099720109477"], "filters": filters, "mostRecent": True}
    found = plain(getattr(plugin.invoke("ec2/getAmi:getAmi", arguments), "return"))
    assert (found["id"], found["imageId"], found["name"]) == (UBUNTU, UBUNTU, "sandbox-ubuntu")
    assert (found["architecture"], found["rootDeviceName"], found["state"]) == ("x86_64", "/dev/sda1", "available")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"owners": ["self"], "nameRegex": "^nothing"}, "Your query returned no results"),
        ({"owners": ["amazon"], "mostRecent": True}, "Your query returned no results"),
        ({"nameRegex": "^sandbox-"}, "Your query returned more than one result"),
        ({"nameRegex": "^sandbox-", "mostRecent": True}, "third party"),
    ],
)
def test_an_image_that_is_not_exactly_one_is_an_error(
    plugin: AwsUnderTest, arguments: dict[str, object], reason: str
) -> None:
    with pytest.raises(Refused, match=reason):
        plugin.invoke("ec2/getAmi:getAmi", arguments)


def test_zones_are_listed_by_name(plugin: AwsUnderTest) -> None:
    answer = plugin.invoke("index/getAvailabilityZones:getAvailabilityZones", {"state": "available"})
    found = plain(getattr(answer, "return"))
    assert found["names"][:2] == [f"{REGION}a", f"{REGION}b"] and found["id"] == REGION
    excluding = plugin.invoke("index/getAvailabilityZones:getAvailabilityZones", {"excludeNames": [f"{REGION}a"]})
    assert plain(getattr(excluding, "return"))["names"][0] == f"{REGION}b"


def test_a_network_and_a_subnet_are_found(plugin: AwsUnderTest, vpc: Made, subnet: Made) -> None:
    found = plain(getattr(plugin.invoke("ec2/getVpc:getVpc", {"tags": {"Name": "net"}}), "return"))
    assert (found["id"], found["cidrBlock"], found["default"]) == (vpc.id, "10.0.0.0/16", False)
    one = plain(getattr(plugin.invoke("ec2/getSubnet:getSubnet", {"id": subnet.id}), "return"))
    assert (one["vpcId"], one["cidrBlock"]) == (vpc.id, "10.0.1.0/24")
    with pytest.raises(Refused, match="no matching EC2 VPC found"):
        plugin.invoke("ec2/getVpc:getVpc", {"tags": {"Name": "nobodys"}})
    with pytest.raises(Refused, match="multiple EC2 Subnets matched"):
        plugin.invoke("ec2/getSubnet:getSubnet", {"state": "available"})


@stand_in_only
def test_a_type_or_a_function_that_is_not_there_is_refused_by_name(plugin: AwsUnderTest) -> None:
    with pytest.raises(Refused, match="does not implement the resource type aws:s3/bucket:Bucket"):
        plugin.check("s3/bucket:Bucket", {})
    with pytest.raises(Refused, match="does not implement the function aws:index/getRegion:getRegion"):
        plugin.invoke("index/getRegion:getRegion", {})


def test_a_secret_stays_one(plugin: AwsUnderTest, subnet: Made, group: Made, key: Made) -> None:
    hidden = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": "#!/bin/sh\n"}
    made = plugin.make(INSTANCE, machine_inputs(subnet, group, key, userData=hidden))
    assert is_secret(made.inputs["userData"]) and is_secret(made.state["userData"])
    plugin.destroy(made, 10)


# A bad day of the API


@pytest.fixture
def faults(cloud: FakeCloud) -> Iterator[Faults]:
    store = Faults(cloud.directory / FAULTS_FILE)
    yield store
    store.clear()


@stand_in_only
@pytest.mark.parametrize(
    ("fault", "action"),
    [("RequestLimitExceeded", "CreateSecurityGroup"), ("InternalError", "AuthorizeSecurityGroupIngress")],
)
def test_what_passes_by_itself_is_tried_again(
    plugin: AwsUnderTest, vpc: Made, faults: Faults, fault: str, action: str
) -> None:
    faults.inject(fault, action, 3)
    group = plugin.make(GROUP, {"vpcId": vpc.id})
    plugin.make(
        INGRESS, {"securityGroupId": group.id, "ipProtocol": "tcp", "fromPort": 1, "toPort": 1, "cidrIpv4": ANY}
    )
    assert faults.waiting() == ()
    plugin.destroy(group)


@stand_in_only
def test_what_was_just_made_is_waited_for_until_it_is_found(
    plugin: AwsUnderTest, key: Made, faults: Faults, cloud: FakeCloud
) -> None:
    vpc = _late(plugin, faults, "CreateVpc", VPC, {"cidrBlock": "10.8.0.0/16", "enableDnsHostnames": True})
    subnet = _late(plugin, faults, "CreateSubnet", SUBNET, {"vpcId": vpc.id, "cidrBlock": "10.8.1.0/24"})
    gateway = _late(plugin, faults, "CreateInternetGateway", GATEWAY, {"vpcId": vpc.id})
    table = _late(plugin, faults, "CreateRouteTable", TABLE, {"vpcId": vpc.id})
    association = plugin.make(ASSOCIATION, {"subnetId": subnet.id, "routeTableId": table.id})
    group = _late(plugin, faults, "CreateSecurityGroup", GROUP, {"vpcId": vpc.id})
    rule = {"securityGroupId": group.id, "ipProtocol": "tcp", "fromPort": 1, "toPort": 1, "cidrIpv4": ANY}
    late_rule = _late(plugin, faults, "AuthorizeSecurityGroupIngress", INGRESS, rule | {"tags": {"Name": "a rule"}})
    machine = _late(plugin, faults, "RunInstances", INSTANCE, machine_inputs(subnet, group, key))
    for made in (machine, late_rule, group, association, table, gateway, subnet, vpc):
        plugin.destroy(made, 10)


def _late(plugin: AwsUnderTest, faults: Faults, action: str, token: str, inputs: dict[str, object]) -> Made:
    faults.inject("NotFoundYet", action, 3)
    made = plugin.make(token, inputs)
    assert faults.waiting() == ()
    return made


@stand_in_only
def test_an_instance_profile_that_ec2_does_not_know_yet_is_waited_for(
    plugin: AwsUnderTest, subnet: Made, group: Made, key: Made, faults: Faults
) -> None:
    faults.inject("InvalidParameterValue", times=2)
    plugin.destroy(plugin.make(INSTANCE, machine_inputs(subnet, group, key)), 10)
    assert faults.waiting() == ()


@stand_in_only
@pytest.mark.parametrize(("action", "token"), [("ModifyVpcAttribute", VPC), ("RevokeSecurityGroupEgress", GROUP)])
def test_what_is_made_by_half_keeps_its_id(
    plugin: AwsUnderTest, vpc: Made, faults: Faults, action: str, token: str
) -> None:
    inputs: dict[str, dict[str, object]] = {
        VPC: {"cidrBlock": "10.7.0.0/16", "enableDnsHostnames": True},
        GROUP: {"vpcId": vpc.id},
    }
    checked = plugin.checked(token, inputs[token])
    faults.inject("UnauthorizedOperation", action)
    with pytest.raises(Refused, match=r"creating EC2 .*api error UnauthorizedOperation: ") as refused:
        plugin.create(token, checked)
    plugin.destroy(Made(token, kept_id(refused.value), checked, checked))


@stand_in_only
def test_lack_of_capacity_is_told_at_once_in_the_providers_words_and_nothing_is_kept(
    plugin: AwsUnderTest, subnet: Made, group: Made, key: Made, faults: Faults
) -> None:
    faults.inject("InsufficientInstanceCapacity")  # one: tried again, it would be a success
    words = (
        r"creating EC2 Instance: operation error EC2: RunInstances, .* 500, .*api error InsufficientInstanceCapacity"
    )
    with pytest.raises(Refused, match=words) as refused:
        plugin.make(INSTANCE, machine_inputs(subnet, group, key))
    assert not refused.value.details
    assert faults.waiting() == ()
