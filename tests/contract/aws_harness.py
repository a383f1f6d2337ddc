"""The AWS plugin under test, and the sandbox's cloud with hosts that only take notes: no root, nothing but loopback."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]  # publishes no types
from botocore.config import Config  # type: ignore[import-untyped]  # publishes no types
from pulumi.runtime.proto import provider_pb2

from tests.contract.plugin import PluginUnderTest, plain, struct

REPOSITORY = Path(__file__).resolve().parents[2]
REGION = "us-east-1"
UBUNTU = "ami-0ba5e00000000001a"
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPIbVLzTOj9oFmhHK4z7uFhh7J4vH8iiyhlpH2EFNsYK somebody"

CREDENTIALS = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}

VPC = "ec2/vpc:Vpc"
SUBNET = "ec2/subnet:Subnet"
GATEWAY = "ec2/internetGateway:InternetGateway"
TABLE = "ec2/routeTable:RouteTable"
ROUTE = "ec2/route:Route"
ASSOCIATION = "ec2/routeTableAssociation:RouteTableAssociation"
GROUP = "ec2/securityGroup:SecurityGroup"
INGRESS = "vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "vpc/securityGroupEgressRule:SecurityGroupEgressRule"
KEY = "ec2/keyPair:KeyPair"
INSTANCE = "ec2/instance:Instance"
ADDRESS = "ec2/eip:Eip"
NAT = "ec2/natGateway:NatGateway"
BALANCER = "lb/loadBalancer:LoadBalancer"
TARGET_GROUP = "lb/targetGroup:TargetGroup"
ATTACHMENT = "lb/targetGroupAttachment:TargetGroupAttachment"
LISTENER = "lb/listener:Listener"
RECORD = "route53/record:Record"


class FakeCloud:
    """A process with the cloud in it. `notes` are the calls of the hosts' methods, in order."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._file = directory / "hosts.jsonl"
        self._log = (directory / "cloud.log").open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.contract.fake_cloud", str(directory)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    @cached_property
    def ec2(self) -> Any:
        """A client of the API itself, to see and do what the plugin does not."""
        return self.client("ec2")

    def client(self, service: str, max_attempts: int = 3) -> Any:
        """One that tries each request that often."""
        retries = Config(retries={"mode": "standard", "total_max_attempts": max_attempts})
        return boto3.client(service, region_name=REGION, endpoint_url=self.url, config=retries, **CREDENTIALS)

    def notes(self, method: str = "", id: str = "") -> list[dict[str, Any]]:
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        every: list[dict[str, Any]] = [json.loads(line) for line in lines]
        return [note for note in every if method in ("", note["method"]) and id in ("", note["id"])]

    def firewall(self, id: str) -> str:
        """The script that holds on a host now."""
        scripts = [note.get("firewall") or note.get("ruleset") for note in self.notes(id=id)]
        return str([script for script in scripts if script][-1])

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        self._log.close()


def wait_until(true: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@dataclass
class Made:
    """A resource as the engine remembers it."""

    token: str
    id: str
    inputs: dict[str, Any]
    state: dict[str, Any]


class AwsUnderTest(PluginUnderTest):
    """The plugin, configured for a cloud; keeps what it makes, as an engine does."""

    def __init__(self, executable: str, url: str, **config: str) -> None:
        super().__init__(executable, "aws")
        self.settings = provider_config(url) | config
        self.set_up(self.settings)

    def configure(self, config: Mapping[str, object]) -> None:
        """The shared constructor configures with nothing, which this plugin refuses."""

    def set_up(self, config: Mapping[str, object]) -> None:
        super().configure(config)

    def make(self, token: str, inputs: Mapping[str, object], name: str = "it", timeout: float = 0) -> Made:
        checked = self.checked(token, inputs)
        identity, state = self.create(token, checked, name=name, timeout=timeout)
        return Made(token, identity, checked, state)

    def changes(self, made: Made, news: Mapping[str, object], ignored: tuple[str, ...] = ()) -> dict[str, str]:
        """What Diff says to the new inputs: path and kind, in small letters as in the engine's own words."""
        answer = self.diffed(made, news, ignored)
        kinds = provider_pb2.PropertyDiff.Kind
        return {path: kinds.Name(each.kind).lower().replace("_", "-") for path, each in answer.detailedDiff.items()}

    def diffed(self, made: Made, news: Mapping[str, object], ignored: tuple[str, ...] = ()) -> Any:
        checked = self.check(made.token, news, made.inputs)
        assert not checked.failures, checked.failures
        request = provider_pb2.DiffRequest(
            **self._about(made.token, "it"),
            id=made.id,
            olds=struct(made.state),
            old_inputs=struct(made.inputs),
            news=checked.inputs,
            ignoreChanges=ignored,
        )
        return self._ask("Diff", request)

    def change(self, made: Made, news: Mapping[str, object]) -> Made:
        """Update in place."""
        checked = plain(self.check(made.token, news, made.inputs).inputs)
        request = provider_pb2.UpdateRequest(
            **self._about(made.token, "it"),
            id=made.id,
            olds=struct(made.state),
            old_inputs=struct(made.inputs),
            news=struct(checked),
        )
        state = plain(self._ask("Update", request).properties)
        return Made(made.token, made.id, checked, state)

    def refreshed(self, made: Made) -> Made | None:
        answer = self.read(made.token, made.id, made.state, made.inputs)
        return Made(made.token, answer.id, plain(answer.inputs), plain(answer.properties)) if answer.id else None

    def imported(self, token: str, id: str) -> Made:
        answer = self.read(token, id, {}, {})
        return Made(token, answer.id, plain(answer.inputs), plain(answer.properties))

    def destroy(self, made: Made, timeout: float = 1) -> None:
        request = provider_pb2.DeleteRequest(
            **self._about(made.token, "it"), id=made.id, properties=struct(made.state), timeout=timeout
        )
        self._ask("Delete", request)


def provider_config(url: str) -> dict[str, object]:
    """As the engine sends it: strings, nested values as JSON."""
    return {
        "region": REGION,
        "accessKey": "sandbox",
        "secretKey": "sandbox",
        "skipCredentialsValidation": "true",
        "skipMetadataApiCheck": "true",
        "endpoints": json.dumps([dict.fromkeys(("ec2", "elbv2", "iam", "route53", "sts"), url)]),
    }
