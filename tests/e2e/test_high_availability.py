"""Failover as on AWS: address and data volume move to the other backend, in the cloud and for real, outside of Pulumi.

One cluster; the tests are the life of it, in their order.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator

import pytest

from sandbox.job_clients import run_job
from sandbox.paths import REGION
from tests.e2e.conftest import Stack, stack
from tests.e2e.observed import TEST, calls, change, listed, tasks
from tests.e2e.test_operators import assert_nothing_left, destroy, inside
from tests.sandbox.conftest import until

VIP = "10.0.15.254"
API = 10002
# Who has what, by the names of the machines: {"vip": [...], "data": [[machine, device], ...], "encrypted": true}
CLOUD = f"""
import boto3, json, sys
ec2 = boto3.client("ec2", region_name=sys.argv[1], endpoint_url="http://127.0.0.1:5000")
found = [i for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]]
names = {{i["InstanceId"]: t["Value"] for i in found for t in i["Tags"] if t["Key"] == "Name"}}
vips = [
    names[interface["Attachment"]["InstanceId"]]
    for interface in ec2.describe_network_interfaces()["NetworkInterfaces"]
    for each in interface["PrivateIpAddresses"]
    if each["PrivateIpAddress"] == "{VIP}" and not each["Primary"]
]
(data,) = ec2.describe_volumes(Filters=[{{"Name": "tag:Name", "Values": ["availability-data"]}}])["Volumes"]
print(json.dumps({{
    "vip": vips,
    "data": [[names[each["InstanceId"]], each["Device"]] for each in data["Attachments"]],
    "encrypted": data["Encrypted"],
}}))
"""
WITHOUT_POLICY = """
import boto3, sys
iam = boto3.client("iam", region_name=sys.argv[1], endpoint_url="http://127.0.0.1:5000")
for role in iam.list_roles()["Roles"]:
    for name in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
        iam.delete_role_policy(RoleName=role["RoleName"], PolicyName=name)
"""
# As the machine that it runs on: what the EC2 API says.
ASK = """
import sys
sys.path.insert(0, "/opt/opscode/embedded/lib")
from chef_standin import aws
from chef_standin.files import StandinError
try:
    aws._ask({action!r}, {parameters!r})
    print("done")
except StandinError as error:
    print(error)
"""
FIRST_VERSION = "curl -s -o /dev/null -w '%{http_code}' http://169.254.169.254/latest/meta-data/instance-id"
STATUS = "cat /var/opt/opscode/keepalived/current_cluster_status"


@pytest.fixture(scope="module")
def cluster(root: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack("sandbox-ha-aws", tmp_path_factory.mktemp("failover")) as made:
        made.up()
        yield made


def in_cloud(cluster: Stack) -> dict[str, object]:
    found: dict[str, object] = json.loads(inside(cluster, sys.executable, "-c", CLOUD, REGION))
    return found


def on_hosts(cluster: Stack, *backends: str) -> list[str]:
    """The backends whose interface has the address, and which are master."""
    held = [name for name in backends if f"inet {VIP}/32" in cluster.output(name, "ip -4 address show dev eth0")]
    assert held == [name for name in backends if cluster.output(name, STATUS) == "master"]
    return held


def becomes_master(cluster: Stack, backend: str) -> None:
    """And serves: keepalived's part is done when the services have begun to start."""
    until(lambda: cluster.output(backend, STATUS) == "master", seconds=60)
    until(lambda: cluster.output(backend, f"ss -Hltn 'sport = :{API}'") != "", seconds=30)


def asked(cluster: Stack, server: str, action: str, **parameters: str) -> str:
    script = ASK.format(action=action, parameters=parameters)
    return cluster.output(server, f"python3 -I - <<'END'\n{script}END")


def operations(cluster: Stack, *arguments: str) -> set[tuple[str, str]]:
    """What a preview would do, but for rules (moto forgets descriptions): (operation, type)."""
    steps = listed(cluster.preview(*arguments))
    return {(op, kind) for op, kind, _ in steps if op not in ("refresh", "read") and "SecurityGroup" not in kind}


def test_the_primary_is_master_with_the_address_and_the_encrypted_volume(cluster: Stack) -> None:
    assert cluster.outputs()["vip"] == VIP
    assert cluster.outputs()["test"].endswith("0 failures")
    assert in_cloud(cluster) == {"vip": ["backend-0"], "data": [["backend-0", "/dev/xvdf"]], "encrypted": True}
    assert on_hosts(cluster, "backend-0", "backend-1") == ["backend-0"]
    assert cluster.lab.reaches("frontend-0", VIP, API), "frontends use the address that moves"
    assert not cluster.lab.reaches("stranger-0", VIP, API)
    run_job(cluster.sandbox, "hostname", print)
    assert operations(cluster) == set()


def test_machines_may_do_nothing_but_failover(cluster: Stack) -> None:
    ids = {host.name: host.id for host in cluster.lab.hosts.list()}
    assert asked(cluster, "backend-1", "DescribeInstances") == "done"
    refused = asked(cluster, "backend-1", "TerminateInstances", **{"InstanceId.1": ids["frontend-0"]})
    assert "UnauthorizedOperation" in refused and "ec2:TerminateInstances" in refused
    volume = re.search(r"vol-\w+", cluster.output("backend-0", "cat /etc/opscode/chef-server.rb"))
    assert volume is not None
    elsewhere = {"VolumeId": volume[0], "InstanceId": ids["frontend-0"], "Device": "/dev/xvdg"}
    assert f"instance/{ids['frontend-0']}" in asked(cluster, "backend-1", "AttachVolume", **elsewhere)
    assert "the machine has no role" in asked(cluster, "frontend-0", "DescribeInstances")
    assert cluster.output("backend-1", FIRST_VERSION) == "401", "metadata is told by IMDSv2 alone"


def test_when_keepalived_stops_on_the_master_the_other_backend_takes_over(cluster: Stack) -> None:
    cluster.output("backend-0", "chef-server-ctl stop keepalived")
    becomes_master(cluster, "backend-1")
    assert in_cloud(cluster) == {"vip": ["backend-1"], "data": [["backend-1", "/dev/xvdf"]], "encrypted": True}
    assert on_hosts(cluster, "backend-0", "backend-1") == ["backend-1"]
    until(lambda: cluster.output("backend-0", STATUS) == "backup", seconds=60)
    cluster.output("backend-1", "chef-server-ctl ha-status")
    run_job(cluster.sandbox, "hostname", print)
    found = cluster.output("client-0", "knife job list").splitlines()
    assert [line.split("\t")[1] for line in found] == ["complete", "complete"], "jobs of before are known after"


def test_a_failover_is_no_change_to_pulumi(cluster: Stack) -> None:
    assert operations(cluster) == set()


def test_the_next_test_is_the_new_masters(cluster: Stack) -> None:
    found = change(cluster, reverify="after the failover")
    assert found.planned == tasks(TEST)
    assert found.ctl == calls("backend-1: push test")
    assert cluster.outputs()["test"].endswith("0 failures")


def test_without_its_permissions_a_backend_takes_over_nothing_and_up_gives_them_back(cluster: Stack) -> None:
    """A refresh finds the first attachment gone too: it is made as it is, and the volume stays where it is."""
    inside(cluster, sys.executable, "-c", WITHOUT_POLICY, REGION)
    tried = cluster.lab.shell("backend-0", "/var/opt/opscode/keepalived/bin/ha_backend_ip attach")
    assert tried.returncode != 0
    assert "UnauthorizedOperation" in tried.stderr
    attachment, policy = "aws:ec2/volumeAttachment:VolumeAttachment", "aws:iam/rolePolicy:RolePolicy"
    assert operations(cluster, "--refresh") == {("create", attachment), ("create", policy)}
    cluster.up("--refresh")
    assert in_cloud(cluster) == {"vip": ["backend-1"], "data": [["backend-1", "/dev/xvdf"]], "encrypted": True}


def test_a_backend_that_comes_back_takes_nothing_away_and_takes_over_from_a_dead_machine(cluster: Stack) -> None:
    cluster.output("backend-0", "chef-server-ctl start keepalived")
    until(lambda: cluster.lab.shell("backend-0", "chef-server-ctl ha-status").returncode == 0, seconds=60)
    assert on_hosts(cluster, "backend-0", "backend-1") == ["backend-1"]
    pid = next(host.pid for host in cluster.lab.hosts.list() if host.name == "backend-1")
    assert pid is not None
    os.kill(pid, 9)
    becomes_master(cluster, "backend-0")
    assert in_cloud(cluster) == {"vip": ["backend-0"], "data": [["backend-0", "/dev/xvdf"]], "encrypted": True}
    assert cluster.lab.reaches("frontend-0", VIP, API)
    run_job(cluster.sandbox, "hostname", print)


def test_destroy_leaves_nothing(cluster: Stack) -> None:
    destroy(cluster)
    assert_nothing_left(cluster)
