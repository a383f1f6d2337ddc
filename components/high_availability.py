"""Failover on AWS as resources: the data volume, the address that is kept free, and the role that keepalived acts in.

Which backend has the two is keepalived's to decide once the machines run. No resource says it, but for the first
attachment of the volume, which is left alone from then on; the address is given by chef-ha, at its first reconfigure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws

from chef_push_jobs.config.settings import Settings
from chef_push_jobs.model.topology import Role, Server
from chef_push_jobs.network import failover_policy

from .network import ChefNetwork

ANY_STATE = ("pending", "running", "stopping", "stopped")


class HighAvailability(pulumi.ComponentResource):
    """Made before the machines, which get `profile`; `allow` completes it with them.

    `first` is what machines wait for: so they are gone before the volume is deleted, and none is given the address.
    """

    def __init__(
        self, name: str, settings: Settings, network: ChefNetwork, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("chef-push-jobs:index:HighAvailability", name, None, opts)
        self._name, self._settings, self._child = name, settings, pulumi.ResourceOptions(parent=self)
        chosen, subnet = settings.config.high_availability, network.subnet(settings.topology.primary)
        assert chosen is not None
        self._device = chosen.device
        self.volume = aws.ebs.Volume(
            f"{name}-data",
            availability_zone=subnet.availability_zone,
            type="gp3",
            size=chosen.volume_size,
            encrypted=True,
            tags=self._tags(f"{name}-data"),
            opts=self._child,
        )
        address = aws.ec2.SubnetCidrReservation(
            f"{name}-vip",
            subnet_id=subnet.id,
            cidr_block=f"{settings.vip}/32",
            reservation_type="explicit",
            description="address of the backends, which keepalived moves",
            opts=self._child,
        )
        self.first: Sequence[pulumi.Resource] = [self.volume, address]
        self._role()
        self.register_outputs({})

    def profile(self, server: Server) -> pulumi.Input[str] | None:
        """The instance profile of the server's machine, if it is to have one."""
        return self._profile.name if server.role is Role.BACKEND else None

    def allow(self, machines: Mapping[str, aws.ec2.Instance]) -> Sequence[pulumi.Resource]:
        """Lets the backends' `machines` (by server name) move address and volume, and attaches that to the primary.

        Tasks on backends wait for what it returns.
        """
        backends = [machines[server.name] for server in self._settings.topology.backends]
        known = [part for machine in backends for part in (machine.arn, machine.primary_network_interface_id)]

        def policy(told: list[str]) -> str:
            volume, *parts = told
            return failover_policy.permissions(volume, dict(zip(parts[::2], parts[1::2], strict=True)))

        allowed = aws.iam.RolePolicy(
            f"{self._name}-backend",
            role=self._role_name,
            policy=pulumi.Output.all(self.volume.arn, *known).apply(policy),
            opts=self._child,
        )
        return [allowed, self._attach(machines[self._settings.topology.primary.name])]

    def _tags(self, name: str) -> dict[str, str]:
        return {**self._settings.config.tags, "Name": name}

    def _role(self) -> None:
        backend = f"{self._name}-backend"
        role = aws.iam.Role(
            backend,
            assume_role_policy=failover_policy.assumed_by_machines(),
            description="Chef server backends: failover by keepalived",
            tags=self._tags(backend),
            opts=self._child,
        )
        self._role_name = role.name
        self._profile = aws.iam.InstanceProfile(backend, role=role.name, tags=self._tags(backend), opts=self._child)

    def _attach(self, primary: aws.ec2.Instance) -> aws.ec2.VolumeAttachment:
        """At first to the primary. After a failover a refresh finds this attachment gone: then it is made as it is now.

        It is never undone either: a terminated machine loses the volume by itself.
        """
        name = "block-device-mapping.volume-id"
        attached = self.volume.id.apply(lambda volume: [aws.ec2.GetInstancesFilterArgs(name=name, values=[volume])])
        holders = aws.ec2.get_instances_output(filters=attached, instance_state_names=list(ANY_STATE)).ids
        return aws.ec2.VolumeAttachment(
            f"{self._name}-data",
            volume_id=self.volume.id,
            device_name=self._device,
            instance_id=pulumi.Output.all(holders, primary.id).apply(lambda told: (*told[0], told[1])[0]),
            skip_destroy=True,
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["instanceId"]),
        )
