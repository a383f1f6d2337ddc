"""The virtual machines of a cluster, each connected: booted, prepared for tasks, its keys known."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

import pulumi
import pulumi_aws as aws

from chef_push_jobs.config.network_checks import BASTION
from chef_push_jobs.config.settings import Settings
from chef_push_jobs.model.topology import Server
from chef_push_jobs.runbook.plan import StackPlan

from .bastion import Bastion, connect_bastion
from .connection import Reachable, ServerGroup, connect
from .high_availability import HighAvailability
from .network import ChefNetwork
from .vpc import Place

# EC2's names for ours.
ARCHITECTURES = {"amd64": "x86_64", "arm64": "arm64"}


class ChefServers(ServerGroup):
    """One machine a server of the topology; `firewall` are the rules of the push jobs ports.

    `bastion` is the way in where the stack makes one, `machines` are the instances by server name.
    """

    def __init__(
        self,
        name: str,
        plan: StackPlan,
        network: ChefNetwork,
        availability: HighAvailability | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("chef-push-jobs:index:ChefServers", name, None, opts)
        settings = plan.settings
        self._settings, self._network, self._availability = settings, network, availability
        self._key_name = self._key_pair(name)
        self._image = _image(settings)
        self.bastion = self._bastion()
        self.machines = {server.name: self._machine(server) for server in settings.topology.servers}
        self._allowed = availability.allow(self.machines) if availability else ()
        self.servers = {
            server.name: connect(plan, self._reachable(server), self, self.bastion)
            for server in settings.topology.servers
        }
        self.firewall, self.departures = network.push_jobs_rules, {}
        self.register_outputs({})

    def _key_pair(self, name: str) -> pulumi.Input[str]:
        if self._settings.public_key is None:
            return str(self._settings.config.ssh.key_name)
        return aws.ec2.KeyPair(
            f"{name}-operator",
            public_key=self._settings.public_key,
            tags=dict(self._settings.config.tags),
            opts=pulumi.ResourceOptions(parent=self),
        ).key_name

    def _machine(self, server: Server) -> aws.ec2.Instance:
        subnet = self._network.subnet(server)
        machines = self._settings.config.machines
        return self._instance(
            server.name,
            server.fqdn,
            str(server.role),
            subnet,
            self._network.groups(server),
            instance_type=machines.instance_type,
            volume_size=machines.volume_size,
            public=self._settings.has_public_address(server),
            profile=self._availability.profile(server) if self._availability else None,
            after=self._availability.first if self._availability else (),
        )

    def _bastion(self) -> Bastion | None:
        """It stands in a public subnet, with an address there whichever is used."""
        bastion, fqdn = self._settings.config.bastion, self._settings.bastion_fqdn
        if bastion is None:
            return None
        place, group = self._network.public_subnet, self._network.group(BASTION)
        machine = self._instance(
            BASTION, fqdn, BASTION, place, [group], instance_type=bastion.instance_type, volume_size=8, public=True
        )
        address = machine.public_ip if bastion.address == "public" else machine.private_ip
        return connect_bastion(self._settings, address, machine.id, self)

    def _instance(
        self,
        name: str,
        fqdn: str,
        role: str,
        place: Place,
        groups: Sequence[aws.ec2.SecurityGroup],
        *,
        instance_type: str,
        volume_size: int,
        public: bool,
        profile: pulumi.Input[str] | None = None,
        after: Sequence[pulumi.Resource] = (),
    ) -> aws.ec2.Instance:
        protect = self._settings.config.protect
        tags = self._settings.tags(name, Fqdn=fqdn, Role=role)
        return aws.ec2.Instance(
            name,
            ami=self._image,
            instance_type=instance_type,
            key_name=self._key_name,
            subnet_id=place.id,
            vpc_security_group_ids=[group.id for group in groups],
            associate_public_ip_address=public,
            iam_instance_profile=profile,
            user_data=first_boot(fqdn),
            metadata_options={"http_tokens": "required", "http_endpoint": "enabled"},
            root_block_device={"volume_type": "gp3", "volume_size": volume_size, "encrypted": True, "tags": tags},
            disable_api_termination=protect,
            tags=tags,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*place.ready, *after],
                protect=protect,
                # A newer image, a first boot worded otherwise, another key for it: no reasons to replace a server.
                # Another FQDN is.
                ignore_changes=["ami", "userData", "keyName"],
                replace_on_changes=["tags.Fqdn"],
                delete_before_replace=True,
            ),
        )

    def _reachable(self, server: Server) -> Reachable:
        machine, topology = self.machines[server.name], self._settings.topology
        address = machine.public_ip if self._settings.config.ssh.address == "public" else machine.private_ip
        shared = self._availability.volume.id if self._availability and server == topology.primary else ""
        after = self._allowed if server in topology.backends else ()
        return Reachable(server, address, machine.private_ip, machine.id, volume=shared, after=after)


def first_boot(fqdn: str) -> str:
    """User data that gives a machine its FQDN before anything needs it (F1)."""
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


def _image(settings: Settings) -> pulumi.Input[str]:
    image = settings.config.machines.image
    if image.id is not None:
        return image.id
    filters: Sequence[aws.ec2.GetAmiFilterArgsDict] = [
        {"name": "name", "values": [image.name]},
        {"name": "architecture", "values": [ARCHITECTURES[settings.config.machines.architecture]]},
    ]
    return aws.ec2.get_ami_output(owners=[image.owner], filters=filters, most_recent=True).id
