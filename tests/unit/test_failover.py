"""Failover on AWS: the permissions, the settings of Chef server, and the scripts that only backends get."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import pytest

from chef_push_jobs.config.settings import Settings
from chef_push_jobs.model.subnets import backend_subnet, default_vip, is_usable
from chef_push_jobs.network import failover_policy
from chef_push_jobs.runbook import chef_server
from chef_push_jobs.runbook.script_context import ScriptContext
from chef_push_jobs.runbook.steps import everywhere
from chef_push_jobs.scripts import InTurn, Script, name_device
from tests.unit.clusters import PUSH_JOBS, SHA256, settings

VOLUME = "arn:aws:ec2:us-east-1:123456789012:volume/vol-0123456789abcdef0"
MACHINES = {
    "arn:aws:ec2:us-east-1:123456789012:instance/i-a": "eni-a",
    "arn:aws:ec2:us-east-1:123456789012:instance/i-b": "eni-b",
}
AWS: dict[str, Any] = {"provider": "aws"}
CHEF_HA = {"url": f"https://packages.test/{PUSH_JOBS.replace('opscode-push-jobs-server', 'chef-ha')}", "sha256": SHA256}


def placeholder(known: Settings) -> ScriptContext:
    return ScriptContext(known.topology, known).placeholder(everywhere(known.topology))


def sent(step: str, server: int, **changes: Any) -> Script | InTurn:
    cluster = placeholder(settings(**changes))
    (found,) = [each for each in chef_server.STEPS if each.name == step]
    assert found.script is not None
    return found.script(cluster, cluster.topology.servers[server])


def script(step: str, server: int, **changes: Any) -> str:
    return sent(step, server, **changes).text


def settings_file(**changes: Any) -> str:
    """As the primary's task `configure` writes it, which is the last that it does."""
    found = sent("configure", 0, **changes)
    last = found.parts[-1] if isinstance(found, InTurn) else found
    return last.values["content"]


def test_keepalived_may_do_what_failover_needs_on_these_machines_and_this_volume_and_nothing_else() -> None:
    allowed = {
        action: statement["Resource"]
        for statement in json.loads(failover_policy.permissions(VOLUME, MACHINES))["Statement"]
        for action in statement["Action"]
    }
    interfaces = [f"arn:aws:ec2:us-east-1:123456789012:network-interface/eni-{name}" for name in "ab"]
    assert allowed == {
        "ec2:DescribeInstances": "*",
        "ec2:DescribeVolumes": "*",
        "ec2:AttachVolume": [VOLUME, *MACHINES],
        "ec2:DetachVolume": [VOLUME, *MACHINES],
        "ec2:AssignPrivateIpAddresses": interfaces,
    }


def test_only_machines_have_the_role() -> None:
    (statement,) = json.loads(failover_policy.assumed_by_machines())["Statement"]
    assert (statement["Principal"], statement["Action"]) == ({"Service": "ec2.amazonaws.com"}, "sts:AssumeRole")


def test_chef_server_is_told_of_the_address_and_the_volume() -> None:
    text = settings_file(highAvailability={**AWS, "vip": "10.0.0.100", "device": "/dev/xvdf"})
    moving = ':ipaddress => "10.0.0.100", :device => "eth0", :heartbeat_device => "eth0"'
    assert f'backend_vip "backend-0.chef.test", {moving}\n' in text
    assert (
        "ha['provider'] = 'aws'\nha['ebs_volume_id'] = '{backend-0.volume}'\nha['ebs_device'] = '/dev/xvdf'\n" in text
    )
    assert "aws_access_key_id" not in text, "the machines have a role"


def test_both_backends_know_the_volume_by_the_name_that_it_is_attached_by_on_nitro_machines_too() -> None:
    found = name_device("vol-0123456789abcdef0", "/dev/xvdf")
    assert found.values == {"serial": "vol0123456789abcdef0", "link": "xvdf"}
    assert "udev" in script("configure", 0, highAvailability=AWS)
    assert "udev" in script("copy", 1, highAvailability=AWS)
    assert "udev" not in script("copy", 2, highAvailability=AWS), "a frontend has no volume"


def test_the_volume_is_prepared_before_the_settings_are_written_unless_the_stack_says_no() -> None:
    text = script("configure", 0, highAvailability=AWS)
    assert 0 < text.index("pvcreate") < text.index("mkfs.ext4") < text.index("chef-server.rb")
    assert "pvcreate" not in script("configure", 0, highAvailability={**AWS, "prepareVolume": "false"})


@pytest.mark.parametrize(("server", "installed"), [(0, True), (1, True), (2, False)])
def test_chef_ha_and_lvm_are_installed_on_the_backends_alone(server: int, installed: bool) -> None:
    text = script("install", server, highAvailability={**AWS, "package": {**CHEF_HA, "sha256": "4c" * 32}})
    assert ("4c" * 32 in text, "lvm2" in text) == (installed, installed)


def test_a_tier_has_no_failover_in_its_scripts() -> None:
    tier = {"topology": "tier", "backends": "1"}
    assert "ha[" not in settings_file(**tier)
    assert "lvm2" not in script("install", 0, **tier)
    assert 'backend_vip "backend-0.chef.test", :ipaddress => "{backend-0.address}", :device => "eth0"\n' in (
        settings_file(**tier)
    )


@pytest.mark.parametrize("vpc", ["10.0.0.0/16", "10.7.8.0/24", "10.0.0.0/19"])
def test_the_default_address_can_be_used_in_the_backends_subnet(vpc: str) -> None:
    assert is_usable(default_vip(backend_subnet(vpc)), ipaddress.IPv4Network(vpc))
