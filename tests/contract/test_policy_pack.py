"""The policy pack in the real engine: a program with a fault of each kind is refused, each told where it is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from policy.rules import POLICIES
from tests.contract.test_language_host import Project

PLANTED = """
import pulumi
import pulumi_aws as aws

vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16", tags={"Name": "vpc", "team": "chef"})
tags = lambda name, **more: {"Name": name, "team": "chef", **more}


def group(name, **more):
    return aws.ec2.SecurityGroup(name, vpc_id=vpc.id, tags=tags(name), **{"description": name, **more})


def rule(name, group, port, network, **more):
    given = dict(ip_protocol="tcp", from_port=port, to_port=port, cidr_ipv4=network, tags=tags(name))
    return aws.vpc.SecurityGroupIngressRule(
        name, security_group_id=group.id, **{**given, "description": name, **more}
    )


def server(name, role, group, **more):
    given = dict(metadata_options={"http_tokens": "required"}, root_block_device={"encrypted": True})
    return aws.ec2.Instance(
        name, ami="ami-1", instance_type="m5.large", vpc_security_group_ids=[group.id],
        **{**given, "tags": tags(name, Role=role), **more},
    )


backend, frontend, unnamed = group("backend"), group("frontend"), group("unnamed", description=None)
rule("heartbeat", backend, 11000, "10.1.0.0/24")
rule("heartbeat-to-the-world", backend, 11000, "0.0.0.0/0")
rule("commands-to-half-the-world", backend, 10003, "128.0.0.0/1")
rule("api-to-clients", backend, 10002, "10.1.0.0/24")
rule("heartbeat-on-frontends", frontend, 11000, "10.1.0.0/24")
rule("ssh-to-the-world", backend, 2222, "0.0.0.0/0")
rule("ssh-of-the-image-to-the-world", backend, 22, "0.0.0.0/0")
rule("no-reason", backend, 443, "10.1.0.0/24", description=None)
rule("no-tags", backend, 80, "10.1.0.0/24", tags=None)
server("good-backend", "backend", backend)
server("good-frontend", "frontend", frontend)
server("first-metadata", "backend", backend, metadata_options={"http_tokens": "optional"})
server("plain-disk", "backend", backend, root_block_device={"volume_size": 40})
server("no-owner", "backend", backend, tags={"Name": "no-owner", "Role": "backend"})
"""

# policy, the resource at fault, and what is said of it
EXPECTED = [
    ("push-jobs-closed-to-the-world", "heartbeat-to-the-world", "lets 0.0.0.0/0 in on port 11000"),
    ("push-jobs-closed-to-the-world", "commands-to-half-the-world", "lets 128.0.0.0/1 in on port 10003"),
    ("push-jobs-closed-to-the-world", "api-to-clients", "lets 10.1.0.0/24 in on port 10002"),
    ("push-jobs-on-backends-only", "heartbeat-on-frontends", "opens port 11000 (pushJobs.heartbeatPort) on"),
    ("ssh-closed-to-the-world", "ssh-to-the-world", "lets 0.0.0.0/0 in on port 2222"),
    ("ssh-closed-to-the-world", "ssh-of-the-image-to-the-world", "lets 0.0.0.0/0 in on port 22"),
    ("rules-described", "no-reason", "has no description"),
    ("rules-described", "unnamed", "has no description"),
    ("tags-present", "no-tags", "has no tag team, Name"),
    ("tags-present", "no-owner", "has no tag team"),
    ("imdsv2-required", "first-metadata", "without a session token"),
    ("volumes-encrypted", "plain-disk", "the root volume of plain-disk is not encrypted"),
]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Settings of a stack as ours, with ports of its own."""
    made = Project(tmp_path)
    for name, value in {
        "aws:region": "us-east-1",
        "aws:accessKey": "none",
        "aws:secretKey": "none",
        "aws:skipCredentialsValidation": "true",
        "aws:skipMetadataApiCheck": "true",
        "aws:skipRequestingAccountId": "true",
        "pushJobs.heartbeatPort": "11000",
        "ssh.port": "2222",
        "tags.team": "chef",
    }.items():
        assert made("config", "set", "--path", name, value).returncode == 0
    return made


def violations(output: str) -> set[tuple[str, str]]:
    """(policy, resource) of each, as the engine shows them."""
    return set(re.findall(r"\[mandatory\]\s+(\S+)\s+\(\S+: (\S+)\)", output))


def test_a_fault_of_each_kind_is_refused_where_it_is_and_nothing_else(project: Project, policy_pack: Path) -> None:
    project.write(PLANTED)
    result = project("preview", "--policy-pack", str(policy_pack))
    assert result.returncode != 0, "a mandatory policy stops it"
    assert violations(result.stdout) == {(policy, at) for policy, at, _ in EXPECTED}
    for _, _, told in EXPECTED:
        assert told in result.stdout
    assert result.stdout.count("Why: ") >= len(EXPECTED)
    assert result.stdout.count("Do:  ") >= len(EXPECTED)
    assert "can't run policy" not in result.stdout, "what is not known yet stops no policy"


def test_a_policy_can_be_made_advice_and_told_another_programs_ports(project: Project, policy_pack: Path) -> None:
    project.write(PLANTED)
    assert project("config", "rm", "--path", "pushJobs").returncode == 0
    ports = {"heartbeatPort": 11000, "commandPort": 10003, "apiPort": 10002, "sshPort": 2222}
    advice = {
        policy.name: {"enforcementLevel": "advisory", **(ports if policy.uses_ports else {})} for policy in POLICIES
    }
    file = project.directory / "policies.json"
    file.write_text(json.dumps(advice))
    result = project("preview", "--policy-pack", str(policy_pack), "--policy-pack-config", str(file))
    assert result.returncode == 0, result.stdout
    assert "lets 0.0.0.0/0 in on port 11000" in result.stdout
    assert "the policies do not know" not in result.stdout
