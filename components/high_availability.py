"""Failover on AWS as resources: the data volume, the reserved address, and the role that keepalived uses.

Once the machines run, keepalived decides which backend has the volume and the address, so no resource says it. The only
exception is the volume's first attachment, which is left alone from then on; chef-ha assigns the address at its first
reconfigure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from chef_push_jobs.network import failover_policy

from .component import Component, tags

ANY_STATE = ("pending", "running", "stopping", "stopped")


@dataclass(frozen=True)
class HighAvailabilityArgs:
    """Failover between the two backends in one subnet.

    `vip` is the address that moves, `volume_size` is in GiB, `device` is EC2's name for the volume on a machine.
    `backends` are the machines (aws.ec2.Instance), the primary first; they are outputs, because machines need this
    component. They have the role of `instance_profile`, or one that is created within the policy `permissions_boundary`
    (ARN). Role and profile are created in a path of the stack's own, because no tag can say which roles a person may
    give to machines.
    """

    vip: str
    volume_size: int
    device: str
    subnet_id: pulumi.Input[str]
    availability_zone: pulumi.Input[str]
    backends: Sequence[pulumi.Output[aws.ec2.Instance]]
    instance_profile: str | None
    permissions_boundary: str | None
    tags: Mapping[str, str]


class HighAvailability(Component):
    """The backends' machines get `instance_profile`; the primary's first has the volume `volume_id`.

    Machines wait for `before_machines`, so they are gone before the volume is deleted, and none is given the address.
    Tasks on backends wait for `before_tasks`.
    """

    def __init__(
        self,
        name: str,
        args: HighAvailabilityArgs,
        opts: pulumi.ResourceOptions | None = None,
        *,
        prefix: str | None = None,
    ) -> None:
        props = {
            "vip": args.vip,
            "volumeSize": args.volume_size,
            "device": args.device,
            "instanceProfile": args.instance_profile,
            "permissionsBoundary": args.permissions_boundary,
            "tags": dict(args.tags),
        }
        super().__init__("HighAvailability", name, props, opts, prefix)
        self._name, self._args = name, args
        volume = aws.ebs.Volume(
            f"{name}-data",
            availability_zone=args.availability_zone,
            type="gp3",
            size=args.volume_size,
            encrypted=True,
            tags=tags(args.tags, f"{name}-data"),
            opts=self.child_opts,
        )
        address = aws.ec2.SubnetCidrReservation(
            f"{name}-vip",
            subnet_id=args.subnet_id,
            cidr_block=f"{args.vip}/32",
            reservation_type="explicit",
            description="address of the backends, moved by keepalived",
            opts=self.child_opts,
        )
        self.volume_id = volume.id
        self.before_machines: Sequence[pulumi.Resource] = [volume, address]
        self.before_tasks: Sequence[pulumi.Resource] = [self._attach(volume)]
        outputs = {"volumeId": volume.id}
        self.instance_profile: pulumi.Input[str]
        if args.instance_profile is None:
            role, profile = self._role(f"{name}-backend")
            self.instance_profile = profile.name
            self.before_tasks = [self._allow(role, volume), *self.before_tasks]
            outputs["role"] = role.name
        else:
            self.instance_profile = args.instance_profile
        self.register_outputs(outputs)

    def _role(self, name: str) -> tuple[aws.iam.Role, aws.iam.InstanceProfile]:
        path = f"/{pulumi.get_project()}/{pulumi.get_stack()}/"
        role = aws.iam.Role(
            name,
            path=path,
            assume_role_policy=failover_policy.assumed_by_machines(),
            description="Chef server backends: failover by keepalived",
            permissions_boundary=self._args.permissions_boundary,
            tags=tags(self._args.tags, name),
            opts=self.child_opts,
        )
        profile = aws.iam.InstanceProfile(
            name, path=path, role=role.name, tags=tags(self._args.tags, name), opts=self.child_opts
        )
        return role, profile

    def _allow(self, role: aws.iam.Role, volume: aws.ebs.Volume) -> aws.iam.RolePolicy:
        """Lets the backends move the address and the volume."""
        parts = ("arn", "primary_network_interface_id")
        known = [_of(machine, part) for machine in self._args.backends for part in parts]

        def policy(found: list[Any]) -> str:
            volume, *parts = found
            return failover_policy.permissions(volume, dict(zip(parts[::2], parts[1::2], strict=True)))

        return aws.iam.RolePolicy(
            f"{self._name}-backend",
            role=role.name,
            policy=pulumi.Output.all(volume.arn, *known).apply(policy),
            opts=self.child_opts,
        )

    def _attach(self, volume: aws.ebs.Volume) -> aws.ec2.VolumeAttachment:
        """First attaches the volume to the primary.

        After a failover, a refresh finds that this attachment is gone; then it is created again as it is now. It never
        detaches: a terminated machine loses the volume by itself.
        """
        name = "block-device-mapping.volume-id"
        attached = volume.id.apply(lambda id: [aws.ec2.GetInstancesFilterArgs(name=name, values=[id])])
        holders = aws.ec2.get_instances_output(
            filters=attached, instance_state_names=list(ANY_STATE), opts=pulumi.InvokeOutputOptions(parent=self)
        ).ids
        primary = _of(self._args.backends[0], "id")
        return aws.ec2.VolumeAttachment(
            f"{self._name}-data",
            volume_id=volume.id,
            device_name=self._args.device,
            instance_id=pulumi.Output.all(holders, primary).apply(lambda found: (*found[0], found[1])[0]),
            skip_destroy=True,
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["instanceId"]),
        )


def _of(machine: pulumi.Output[aws.ec2.Instance], attribute: str) -> pulumi.Output[str]:
    return machine.apply(lambda made: getattr(made, attribute))
