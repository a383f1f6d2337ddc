"""Two operators at once, and a cluster that is destroyed and made again: nothing waits, nothing is left."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sandbox.hosts import network
from sandbox.paths import CLONE, REGION
from tests.e2e.conftest import Stack
from tests.sandbox.conftest import until

# Counts SSH connections that leave the operator's namespace.
WATCH = """
table inet watch {
  chain output {
    type filter hook output priority filter
    tcp dport 22 tcp flags & (syn | ack) == syn counter
  }
}
"""
# What the cloud holds, but for what an account has from the start.
INVENTORY = """
import boto3, json, sys
ec2 = boto3.client("ec2", region_name=sys.argv[1], endpoint_url="http://127.0.0.1:5000")
elb = boto3.client("elbv2", region_name=sys.argv[1], endpoint_url="http://127.0.0.1:5000")
route53 = boto3.client("route53", region_name=sys.argv[1], endpoint_url="http://127.0.0.1:5000")
iam = boto3.client("iam", region_name=sys.argv[1], endpoint_url="http://127.0.0.1:5000")
gone = ("terminated",)
ours = lambda thing: {"Key": "Owner", "Value": "network-team"} not in thing.get("Tags", [])
zones = [z["Id"] for z in route53.list_hosted_zones()["HostedZones"]]
records = [r for z in zones for r in route53.list_resource_record_sets(HostedZoneId=z)["ResourceRecordSets"]]
instances = [i for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]]
vpcs = [v["VpcId"] for v in ec2.describe_vpcs()["Vpcs"] if not v["IsDefault"] and ours(v)]
print(json.dumps({
    "instances": [i["InstanceId"] for i in instances if i["State"]["Name"] not in gone],
    "vpcs": vpcs,
    "groups": [g["GroupId"] for g in ec2.describe_security_groups()["SecurityGroups"] if g["GroupName"] != "default"],
    "subnets": [s["SubnetId"] for s in ec2.describe_subnets()["Subnets"] if not s["DefaultForAz"] and ours(s)],
    "gateways": [g["InternetGatewayId"] for g in ec2.describe_internet_gateways()["InternetGateways"] if ours(g)],
    "keys": [k["KeyName"] for k in ec2.describe_key_pairs()["KeyPairs"]],
    "interfaces": [n["NetworkInterfaceId"] for n in ec2.describe_network_interfaces()["NetworkInterfaces"]],
    "addresses": [a["AllocationId"] for a in ec2.describe_addresses()["Addresses"]],
    "nat": [n["NatGatewayId"] for n in ec2.describe_nat_gateways()["NatGateways"] if n["State"] != "deleted"],
    "routes": [t["RouteTableId"] for t in ec2.describe_route_tables()["RouteTables"]
               if ours(t) and not any(a["Main"] for a in t["Associations"])],
    "balancers": [b["LoadBalancerName"] for b in elb.describe_load_balancers()["LoadBalancers"]],
    "targets": [t["TargetGroupName"] for t in elb.describe_target_groups()["TargetGroups"]],
    "records": [r["Name"] for r in records if r["Type"] not in ("NS", "SOA")],
    "volumes": [v["VolumeId"] for v in ec2.describe_volumes()["Volumes"]],
    "roles": [r["RoleName"] for r in iam.list_roles()["Roles"]],
    "profiles": [p["InstanceProfileName"] for p in iam.list_instance_profiles()["InstanceProfiles"]],
}))
"""
PULUMI = (sys.executable, "-m", "sandbox", "run", "--", "pulumi", "--non-interactive")
# A round of 2+2 servers takes a minute and more; CI makes two of the small stack (SLOW=1 makes ten of the large one).
SLOW = os.environ.get("SLOW") == "1"


def inside(cluster: Stack, *argv: str, stdin: str | None = None) -> str:
    """Something run where the operator works."""
    done = subprocess.run(
        [sys.executable, "-m", "sandbox", "run", "--", *argv],
        cwd=CLONE,
        env=cluster.environment(),
        input=stdin,
        text=True,
        capture_output=True,
        check=True,
    )
    return done.stdout


def inventory(cluster: Stack) -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads(inside(cluster, sys.executable, "-c", INVENTORY, REGION))
    return found


def hosts(cluster: Stack) -> dict[str, str]:
    """Ids of the machines that run, by name; the sandbox's own hosts have no instance id."""
    return {host.name: host.id for host in cluster.lab.hosts.list() if host.id.startswith("i-")}


@contextmanager
def ssh_counted(cluster: Stack) -> Iterator[Callable[[], int]]:
    """Counts the SSH connections that the operator begins."""
    enter = network.enter(cluster.sandbox.operator)
    subprocess.run([*enter, "nft", "-f", "-"], input=WATCH, text=True, check=True)

    def count() -> int:
        table = subprocess.run(
            [*enter, "nft", "list", "table", "inet", "watch"], text=True, capture_output=True, check=True
        )
        return int(re.search(r"counter packets (\d+)", table.stdout)[1])  # type: ignore[index]

    try:
        yield count
    finally:
        subprocess.run([*enter, "nft", "delete", "table", "inet", "watch"], check=True)


def destroy(cluster: Stack) -> None:
    cluster.pulumi("destroy", "--yes", "--skip-preview", "--config-file", str(cluster.settings))


def assert_nothing_left(cluster: Stack) -> None:
    until(lambda: hosts(cluster) == {}, seconds=30)
    left = {kind: found for kind, found in inventory(cluster).items() if found}
    assert left == {}, f"left in the cloud: {left}"
    assert "resources" not in cluster.state()["deployment"], "left in the state"
    names = [*network.namespaces(cluster.sandbox)]
    assert [name for name in names if "-i-" in name] == []
    links = subprocess.run(
        [*network.enter(cluster.sandbox.router), "ip", "-json", "link"], text=True, capture_output=True, check=True
    )
    ports = [link["ifname"] for link in json.loads(links.stdout) if link["ifname"].startswith("v")]
    assert len(ports) == len(names) - 1, "a cable of a host that is gone is left in the router"
    assert list(cluster.sandbox.run.glob("hosts/i-*")) == []


def test_a_second_operator_is_refused_by_the_lock_and_told_what_to_do(new_stack: Callable[[str], Stack]) -> None:
    one = new_stack("sandbox-standalone")
    locks = one.sandbox.state / ".pulumi" / "locks"
    running: subprocess.Popen[str] = subprocess.Popen(
        [*PULUMI, "up", "--yes", "--skip-preview", "--config-file", str(one.settings), "--stack", one.name],
        cwd=CLONE,
        env=one.environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    until(lambda: any(locks.rglob("*.json")), seconds=60)
    other = one.up(check=False)
    assert running.poll() is None, "the first one still ran"
    first, _ = running.communicate(timeout=300)
    told = other.stdout + other.stderr
    assert other.returncode != 0
    assert "the stack is currently locked by 1 lock(s)" in told
    assert "wait for the other process(es) to end" in told and "pulumi cancel" in told
    assert "Traceback" not in told
    assert running.returncode == 0, first
    assert not any(locks.rglob("*.json"))
    assert re.search(r"Resources:\n\s+\d+ unchanged\n", one.up().stdout), "the second one changed nothing"


def test_a_cluster_with_dead_servers_is_destroyed_without_a_connection(new_stack: Callable[[str], Stack]) -> None:
    cluster = new_stack("sandbox")
    with ssh_counted(cluster) as connections:
        cluster.up()
        before = connections()
        assert before > 40, "the connections of the tasks are counted"
        for name in ("backend-0", "frontend-1"):
            pid = next(host.pid for host in cluster.lab.hosts.list() if host.name == name)
            assert pid is not None
            os.kill(pid, 9)
        states: dict[str, Any] = {host.name: host.state for host in cluster.lab.hosts.list()}
        until(lambda: {h.name: h.state for h in cluster.lab.hosts.list()}["backend-0"] == "dead")
        assert states["backend-1"] == "running"
        destroy(cluster)
        assert connections() == before, "destroying a cluster asks no server for anything"
    assert_nothing_left(cluster)


@pytest.mark.parametrize("rounds", [10 if SLOW else 2])
def test_destroyed_and_made_again_nothing_is_left_behind(new_stack: Callable[[str], Stack], rounds: int) -> None:
    """Two rounds of the small stack; with SLOW=1 ten of the high availability cluster."""
    cluster = new_stack("sandbox" if SLOW else "sandbox-standalone")
    for _ in range(rounds):
        cluster.up()
        assert cluster.outputs()["test"].endswith("0 failures")
        destroy(cluster)
        assert_nothing_left(cluster)
