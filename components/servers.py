"""The virtual machines of a cluster, each connected: booted, prepared for tasks, its keys known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Literal

import pulumi
import pulumi_aws as aws

from chef_push_jobs.config.network_checks import BASTION
from chef_push_jobs.config.stack_config import Image, Ssh
from chef_push_jobs.model.topology import Server

from .bastion import existing_bastion, made_bastion
from .component import tags
from .connection import Reachable, ServerCommand, ServerGroup, connect
from .host_keys import Bastion
from .rolling import Machine, Rolling, RollingArgs
from .vpc import PlacedSubnet


@dataclass(frozen=True)
class MachineArgs:
    """A virtual machine: its FQDN, its subnet, and what is created before it. `volume_size` is in GiB."""

    fqdn: str
    subnet: PlacedSubnet
    security_group_ids: Sequence[pulumi.Input[str]]
    instance_type: str
    volume_size: int
    has_public_address: bool
    instance_profile: pulumi.Input[str] | None = None
    depends_on: Sequence[pulumi.Resource] = ()


@dataclass(frozen=True)
class ServerArgs:
    """A server on a machine, which may have a data volume. Its tasks wait for the resources in `before_tasks`.

    `host_key` is as in `Reachable`.
    """

    server: Server
    machine: MachineArgs
    connect: ServerCommand
    host_key: str | None = None
    volume_id: pulumi.Input[str] = ""
    before_tasks: Sequence[pulumi.Resource] = ()


@dataclass(frozen=True)
class BastionArgs:
    """`address` says which of its two addresses operators use."""

    machine: MachineArgs
    address: Literal["public", "private"]


@dataclass(frozen=True)
class ServersArgs:
    """All machines boot `image`, whose id is `image_id`.

    They authorize one key: `public_key` (an OpenSSH line), or the key pair `key_name`. `protect` prevents their
    deletion, in the stack and in the cloud. `metadata` says whether metadata requests need a session token. `rolling`
    controls how machines stop for a change.
    """

    servers: Sequence[ServerArgs]
    ssh: Ssh
    image: Image
    image_id: pulumi.Input[str]
    architecture: Literal["amd64", "arm64"]
    public_key: str | None
    key_name: str | None
    protect: bool
    tags: Mapping[str, str]
    metadata: Literal["required", "optional"]
    rolling: RollingArgs
    bastion: BastionArgs | None = None


class Servers(ServerGroup):
    """`machines` are the instances by server name."""

    def __init__(
        self, name: str, args: ServersArgs, opts: pulumi.ResourceOptions | None = None, *, prefix: str | None = None
    ) -> None:
        props = {
            "servers": {each.server.name: each.machine.fqdn for each in args.servers},
            "image": args.image.id or args.image.name,
            "architecture": args.architecture,
            "keyName": args.key_name,
            "bastion": args.bastion and args.bastion.machine.fqdn,
            "protect": args.protect,
            "tags": dict(args.tags),
        }
        super().__init__("ChefServers", name, props, opts, prefix)
        self._args = args
        self._key_name = self._key_pair(f"{name}-operator")
        self._rolling, self._reached_at = Rolling(args.rolling, self.prefix), dict[str, Machine]()
        self.bastion = self._bastion(args.bastion) if args.bastion else existing_bastion(args.ssh, self)
        self.machines = {
            each.server.name: self._machine(each.server.name, str(each.server.role), each.machine)
            for each in args.servers
        }
        self.servers = {
            each.server.name: connect(args.ssh, self._reachable(each), self, self.bastion) for each in args.servers
        }
        self.departures = {}
        self._rolling.watch(self._reached_at)
        self.register_outputs(self.outputs)

    def _key_pair(self, name: str) -> pulumi.Input[str] | None:
        if self._args.public_key is None:
            return self._args.key_name
        return aws.ec2.KeyPair(
            name, public_key=self._args.public_key, tags=dict(self._args.tags), opts=self.child_opts
        ).key_name

    def _bastion(self, args: BastionArgs) -> Bastion:
        machine = self._machine(BASTION, BASTION, args.machine)
        address = self._address(BASTION, machine, args.address)
        wanted = self._args.ssh.host_keys.get(BASTION)
        return made_bastion(self._args.ssh, address, _identity(machine, wanted), wanted, self)

    def _machine(self, name: str, role: str, args: MachineArgs) -> aws.ec2.Instance:
        name, protect = f"{self.prefix}{name}", self._args.protect
        its_tags = tags(self._args.tags, name, Fqdn=args.fqdn, Role=role)
        return aws.ec2.Instance(
            name,
            ami=self._args.image_id,
            instance_type=args.instance_type,
            key_name=self._key_name,
            subnet_id=args.subnet.id,
            vpc_security_group_ids=args.security_group_ids,
            associate_public_ip_address=args.has_public_address,
            iam_instance_profile=args.instance_profile,
            user_data=first_boot(args.fqdn),
            # One hop: no container gets a token, and nothing that a server forwards to.
            metadata_options={
                "http_tokens": self._args.metadata,
                "http_endpoint": "enabled",
                "http_put_response_hop_limit": 1,
            },
            root_block_device={
                "volume_type": "gp3",
                "volume_size": args.volume_size,
                "encrypted": True,
                "tags": its_tags,
            },
            disable_api_termination=protect,
            tags=its_tags,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*args.subnet.ready, *args.depends_on],
                protect=protect,
                # A newer image, a different first boot script or key do not replace a server. Another FQDN does.
                ignore_changes=["ami", "userData", "keyName"],
                replace_on_changes=["tags.Fqdn"],
                delete_before_replace=True,
                hooks=self._rolling.hooks,
            ),
        )

    def _address(self, name: str, machine: aws.ec2.Instance, which: Literal["public", "private"]) -> pulumi.Output[str]:
        """The address at which operators reach it."""
        address = machine.public_ip if which == "public" else machine.private_ip
        self._reached_at[name] = Machine(machine, address)
        return address

    def _reachable(self, args: ServerArgs) -> Reachable:
        machine = self.machines[args.server.name]
        address = self._address(args.server.name, machine, self._args.ssh.address)
        return Reachable(
            args.server,
            address,
            machine.private_ip,
            _identity(machine, args.host_key),
            args.connect,
            args.host_key,
            volume=args.volume_id,
            after=args.before_tasks,
        )


def _identity(machine: aws.ec2.Instance, host_key: str | None) -> pulumi.Output[str]:
    """Changes if the settings give it another host key."""
    return pulumi.Output.concat(machine.id, f" {host_key}") if host_key else machine.id


def first_boot(fqdn: str) -> str:
    """User data that gives a machine its FQDN before anything needs it (docs/chef.md, An add-on of Chef server)."""
    name = fqdn.split(".", 1)[0]
    return "\n".join(
        [
            "#!/bin/sh",
            "set -eu",
            f"hostname {quote(fqdn)}",
            f"echo {quote(fqdn)} > /etc/hostname",
            "sed -i '/^127\\.0\\.1\\.1[[:space:]]/d' /etc/hosts",
            f"echo {quote(f'127.0.1.1 {fqdn} {name}')} >> /etc/hosts",
            "",
        ]
    )
