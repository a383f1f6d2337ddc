"""Volumes and secondary addresses of instances: what EC2 refuses and moto does not, and what moto does wrongly."""

from __future__ import annotations

from typing import Any

from moto.ec2 import utils
from moto.ec2.models.instances import Instance

from sandbox.aws.ec2_validation.compute import address_usable
from sandbox.aws.ec2_validation.refusals import Arguments, refuse

LIVE = ("pending", "running", "stopping", "stopped")


def volume_free(backend: Any, arguments: Arguments) -> None:
    """A volume is attached to at most one instance, in its own availability zone."""
    volume, instance = backend.get_volume(arguments["volume_id"]), backend.get_instance(arguments["instance_id"])
    if volume.attachment is not None:
        refuse("VolumeInUse", f"{volume.id} is already attached to an instance")
    if instance.state not in LIVE:
        refuse("IncorrectState", f"Instance '{instance.id}' is not 'running'.")
    if volume.zone.name != instance._placement.zone:
        refuse("InvalidVolume.ZoneMismatch", f"The volume '{volume.id}' is not in the same availability zone as it")
    if arguments["device_path"] in instance.block_device_mapping:
        refuse("InvalidParameterValue", f"Invalid value '{arguments['device_path']}' for unixDevice. It is in use")


def volume_attached(backend: Any, arguments: Arguments) -> None:
    volume, identity = backend.get_volume(arguments["volume_id"]), arguments["instance_id"]
    if volume.attachment is None:
        refuse("IncorrectState", f"Volume '{volume.id}' is in the 'available' state.")
    if not identity:
        refuse("UnsupportedOperation", "here a volume is detached from an instance that is named")
    if volume.attachment.instance.id != identity:
        refuse("InvalidAttachment.NotFound", f"The volume '{volume.id}' is not attached to instance '{identity}'.")


def address_movable(backend: Any, arguments: Arguments) -> None:
    """A secondary address must be usable by a server in the subnet, and not be another interface's primary address."""
    interface = backend.get_network_interface(arguments["eni_id"])
    for address in arguments["private_ip_addresses"] or []:
        address_usable(interface.subnet, address)
        if any(other.private_ip_address == address for other in backend.enis.values()):
            refuse("InvalidIPAddress.InUse", f"Address {address} is in use.")


def address_moved(backend: Any, arguments: Arguments, interface: Any) -> None:
    """The interface that had the address loses it, as with AllowReassignment; in moto both would have it."""
    moved = arguments["private_ip_addresses"] or []
    for other in backend.enis.values():
        if other is not interface:
            kept = [each for each in other.private_ip_addresses if each.get("PrivateIpAddress") not in moved]
            other.private_ip_addresses = kept


def instances_found_by_volume() -> None:
    """Moto does not know this filter of DescribeInstances."""
    volumes = property(lambda instance: [each.volume_id for each in instance.block_device_mapping.values()])
    setattr(Instance, "volume_ids", volumes)  # noqa: B010 - moto's class has no such attribute
    utils.filter_dict_attribute_mapping["block-device-mapping.volume-id"] = "volume_ids"
