"""Networks as one would really have them: private servers behind a bastion and a load balancer, and an existing VPC."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from sandbox.hosts import network
from sandbox.paths import REGION
from tests.e2e.conftest import Stack, stack
from tests.e2e.test_operators import assert_nothing_left, destroy, inside

# Reads lines [service, method, arguments], answers with a list.
CLIENT = """
import boto3, json, sys
clients = {}
answers = []
for service, method, arguments in json.load(sys.stdin):
    made = boto3.client(service, region_name=sys.argv[1], endpoint_url="http://127.0.0.1:5000")
    answers.append(getattr(clients.setdefault(service, made), method)(**arguments))
print(json.dumps(answers, default=str))
"""
EXISTING = {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}
BACKEND_SUBNET, FRONTEND_SUBNET = "subnet-0e57a7e00000000a", "subnet-0e57a7e00000000b"
Question = tuple[str, str, dict[str, Any]]
INSTANCES: Question = ("ec2", "describe_instances", {"Filters": [EXISTING]})


def asked(cluster: Stack, *questions: Question) -> list[Any]:
    """What the cloud itself says."""
    told: list[Any] = json.loads(inside(cluster, sys.executable, "-c", CLIENT, REGION, stdin=json.dumps(questions)))
    return told


def machines(answer: Any) -> dict[str, dict[str, Any]]:
    """By their Name."""
    every = [instance for reservation in answer["Reservations"] for instance in reservation["Instances"]]
    return {next(tag["Value"] for tag in each["Tags"] if tag["Key"] == "Name"): each for each in every}


def operator_reaches(cluster: Stack, address: str) -> bool:
    probe = f"import socket; socket.create_connection(('{address}', 22), timeout=1)"
    argv = [*network.enter(cluster.sandbox.operator), sys.executable, "-c", probe]
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0


def unchanged(cluster: Stack) -> None:
    steps = {(step["op"], step["urn"].rsplit("::", 1)[1]) for step in cluster.preview()}
    assert {op for op, _ in steps} == {"same"}, f"a preview would change {[s for s in steps if s[0] != 'same']}"


@pytest.fixture(scope="module")
def private(root: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Private servers, a bastion, NAT, a load balancer with its record: up, and protected."""
    with ExitStack() as made:
        cluster = made.enter_context(stack("sandbox-private", tmp_path_factory.mktemp("private")))
        cluster.change(protect=True)
        cluster.up()
        yield cluster


def test_a_cluster_in_private_subnets_comes_up_through_its_bastion_and_stays_as_it_is(private: Stack) -> None:
    outputs = private.outputs()
    assert outputs["test"].endswith("0 failures")
    assert outputs["entry"]["apiFqdn"] == "api.chef.test"
    ask = "curl -ksf -m 5 https://api.chef.test/_status"
    assert '"status": "pong"' in private.output("client-0", ask), "by its name, and through the load balancer"
    assert private.lab.shell("stranger-0", ask).returncode != 0
    assert 'api_fqdn "api.chef.test"' in private.output("frontend-0", "cat /etc/opscode/chef-server.rb")
    bastion = outputs["bastion"]["host"]
    for name in outputs["servers"]:
        logins = private.output(name, "grep 'Accepted publickey' /var/log/sshd.log")
        others = [line for line in logins.splitlines() if f"from {bastion} " not in line and "from 10." not in line]
        assert others == []
        from_operator = [line for line in logins.splitlines() if "from 10.8.0." in line]
        assert from_operator == [], "the operator came past the bastion"
    unchanged(private)
    refreshed = private.pulumi("refresh", "--yes", "--skip-preview", "--config-file", str(private.settings))
    assert "updated" not in refreshed.stdout, refreshed.stdout
    unchanged(private)


def test_the_operator_reaches_the_bastion_alone_and_nobody_else_reaches_even_that(private: Stack) -> None:
    outputs = private.outputs()
    bastion = outputs["bastion"]["host"]
    assert operator_reaches(private, bastion)
    for server in outputs["servers"].values():
        assert not operator_reaches(private, server["address"])
        assert not private.lab.reaches("stranger-0", server["address"], 22)
    assert not private.lab.reaches("stranger-0", bastion, 22)
    assert not private.lab.reaches("client-0", bastion, 22)
    backend, frontend = (outputs["servers"][name]["address"] for name in ("backend-0", "frontend-0"))
    assert private.lab.reaches("client-0", backend, 10003), "push jobs clients still come to the backend"
    assert not private.lab.reaches("client-0", frontend, 443), "clients enter through the load balancer"


def test_no_subnet_of_a_server_has_a_route_to_the_internet_gateway_but_one_to_nat(private: Stack) -> None:
    told, tables, volumes = asked(
        private, INSTANCES, ("ec2", "describe_route_tables", {}), ("ec2", "describe_volumes", {})
    )
    found = machines(told)
    zones = {name: each["Placement"]["AvailabilityZone"] for name, each in found.items()}
    assert zones == {
        "backend-0": f"{REGION}a",
        "frontend-0": f"{REGION}a",
        "frontend-1": f"{REGION}b",
        "bastion": f"{REGION}a",
    }
    ways = {
        association["SubnetId"]: route
        for table in tables["RouteTables"]
        for association in table["Associations"]
        for route in table["Routes"]
        if route.get("DestinationCidrBlock") == "0.0.0.0/0" and "SubnetId" in association
    }
    for name, machine in found.items():
        way = ways[machine["SubnetId"]]
        assert ("NatGatewayId" in way) == (name != "bastion"), f"{name} leaves by {way}"
        assert bool(machine.get("PublicIpAddress")) == (name == "bastion")
    tag = {"Key": "CostCenter", "Value": "platform"}
    assert all(tag in each["Tags"] for each in (*found.values(), *volumes["Volumes"])), "the stack's tags are on all"
    assert len(volumes["Volumes"]) == 4 and all(each["Encrypted"] for each in volumes["Volumes"])


def test_the_load_balancer_has_the_frontends_and_the_record_is_its_alias(private: Stack) -> None:
    told, balancers, groups, records = asked(
        private,
        INSTANCES,
        ("elbv2", "describe_load_balancers", {}),
        ("elbv2", "describe_target_groups", {}),
        ("route53", "list_resource_record_sets", {"HostedZoneId": "ZSANDBOX"}),
    )
    (balancer,) = balancers["LoadBalancers"]
    assert (balancer["Type"], balancer["Scheme"]) == ("network", "internet-facing")
    assert {zone["ZoneName"] for zone in balancer["AvailabilityZones"]} == {f"{REGION}a", f"{REGION}b"}
    targets = groups["TargetGroups"]
    assert {(each["Port"], each["HealthCheckProtocol"], each["HealthCheckPath"]) for each in targets} == {
        (443, "HTTPS", "/_status"),
        (80, "HTTPS", "/_status"),
    }
    arns = [each["TargetGroupArn"] for each in targets]
    frontends = {each["InstanceId"] for name, each in machines(told).items() if name.startswith("frontend")}
    for health in asked(private, *[("elbv2", "describe_target_health", {"TargetGroupArn": arn}) for arn in arns]):
        assert {each["Target"]["Id"] for each in health["TargetHealthDescriptions"]} == frontends
    aliases = {each["Name"]: each["AliasTarget"] for each in records["ResourceRecordSets"] if "AliasTarget" in each}
    assert {name: alias["DNSName"].rstrip(".") for name, alias in aliases.items()} == {
        "api.chef.test.": balancer["DNSName"]
    }
    assert private.outputs()["entry"]["loadBalancer"] == balancer["DNSName"]


def test_the_backends_come_to_the_load_balancer_by_the_address_of_nat_and_the_test_waits_for_all_of_the_way(
    private: Stack,
) -> None:
    groups, rules, gateways = asked(
        private,
        ("ec2", "describe_security_groups", {}),
        ("ec2", "describe_security_group_rules", {}),
        ("ec2", "describe_nat_gateways", {}),
    )
    (door,) = [each["GroupId"] for each in groups["SecurityGroups"] if "load-balancer" in each["Description"]]
    its = [each for each in rules["SecurityGroupRules"] if each["GroupId"] == door and not each["IsEgress"]]
    (gateway,) = gateways["NatGateways"]
    nat = f"{gateway['NatGatewayAddresses'][0]['PublicIp']}/32"
    assert {(each["FromPort"], each["CidrIpv4"]) for each in its} == {
        (443, "10.1.0.0/24"),
        (80, "10.1.0.0/24"),
        (443, nat),
    }
    resources = {resource["urn"]: resource for resource in private.state()["deployment"]["resources"]}
    (test,) = [urn for urn in resources if urn.endswith("::push-jobs-test-backend-0")]
    before: set[str] = set()
    found = [test]
    while found:
        new = set(resources[found.pop()].get("dependencies", [])) - before
        before |= new
        found += new
    kinds = ("lb/listener:", "lb/targetGroupAttachment:", "route53/record:")
    way = {urn for urn in resources if any(kind in urn.split("::")[2] for kind in kinds)}
    assert len(way) == 2 + 2 * 2 + 1
    assert way <= before


def test_doctor_goes_through_the_bastion_too(private: Stack) -> None:
    arguments = [
        "-m",
        "chef_push_jobs",
        "doctor",
        "--stack",
        private.name,
        "--config-file",
        str(private.settings),
        "--format",
        "json",
    ]
    told = json.loads(inside(private, sys.executable, *arguments))
    assert told["well"], told


def test_a_protected_cluster_is_destroyed_only_after_the_stack_says_that_it_is_not(private: Stack) -> None:
    """Pulumi's preview refuses, the cloud refuses, and after `up` without `protect` nothing is left."""
    refused = private.pulumi("destroy", "--yes", "--config-file", str(private.settings), check=False)
    assert refused.returncode != 0
    assert "cannot be deleted" in refused.stdout + refused.stderr
    unchanged(private)
    found = machines(asked(private, INSTANCES)[0])
    assert len(found) == 4, "nothing was deleted"
    with pytest.raises(subprocess.CalledProcessError) as error:
        asked(private, ("ec2", "terminate_instances", {"InstanceIds": [found["backend-0"]["InstanceId"]]}))
    assert "OperationNotPermitted" in error.value.stderr
    before = private.connections()
    private.change(protect=None)
    private.up()
    assert private.connections() == before, "no server is asked for anything"
    destroy(private)
    assert_nothing_left(private)


def test_an_existing_vpc_is_used_as_it_is_and_left_as_it_was(
    root: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With an existing target group, too, which the frontend is attached to."""
    with stack("sandbox-existing-vpc", tmp_path_factory.mktemp("existing")) as cluster:
        its = cluster.setting("network")
        cluster.change(network={**its, "backendSubnetId": "subnet-0e57a7e0000000ff"})
        told = cluster.up(check=False).stdout
        assert "network.backendSubnetId: 'subnet-0e57a7e0000000ff', which does not exist" in told
        assert "Traceback" not in told
        theirs = {"Name": "theirs", "Protocol": "TCP", "Port": 443, "VpcId": its["vpcId"]}
        before, made = asked(cluster, ("ec2", "describe_subnets", {}), ("elbv2", "create_target_group", theirs))
        group = {"TargetGroupArn": made["TargetGroups"][0]["TargetGroupArn"]}
        entry = {"targetGroupArn": group["TargetGroupArn"], "loadBalancerCidrs": ["10.40.3.0/24"]}
        cluster.change(network=its, entry=entry)
        cluster.up()
        assert cluster.outputs()["test"].endswith("0 failures")
        told, health = asked(cluster, INSTANCES, ("elbv2", "describe_target_health", group))
        found = machines(told)
        places = {name: each["SubnetId"] for name, each in found.items()}
        assert places == {"backend-0": BACKEND_SUBNET, "frontend-0": FRONTEND_SUBNET}
        attached = [each["Target"]["Id"] for each in health["TargetHealthDescriptions"]]
        assert attached == [found["frontend-0"]["InstanceId"]]
        unchanged(cluster)
        destroy(cluster)
        after, _ = asked(cluster, ("ec2", "describe_subnets", {}), ("elbv2", "delete_target_group", group))
        assert after["Subnets"] == before["Subnets"], "the VPC's own subnets are as they were"
        assert_nothing_left(cluster)
