"""An EC2 instance as the API returns it, in the terms of the Pulumi package."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from sandbox.plugins.aws.api import API, default_tags, found_tags
from sandbox.plugins.aws.instance_launch import METADATA, described_instance
from sandbox.plugins.aws.lookup import first
from sandbox.plugins.framework.table import Call
from sandbox.plugins.framework.values import Values


def find_instance(call: Call, identity: str) -> Values | None:
    instance = described_instance(identity)
    if instance is None or instance["State"]["Name"] == "terminated":
        return None
    interface = first(instance.get("NetworkInterfaces")) or {}
    profile = (instance.get("IamInstanceProfile") or {}).get("Arn", "")
    return {
        "arn": API.arn(f"instance/{identity}"),
        "ami": instance["ImageId"],
        "instanceType": instance["InstanceType"],
        "instanceState": instance["State"]["Name"],
        "keyName": instance.get("KeyName", ""),
        "availabilityZone": instance["Placement"]["AvailabilityZone"],
        "tenancy": instance["Placement"].get("Tenancy", "default"),
        "subnetId": instance.get("SubnetId", ""),
        "vpcSecurityGroupIds": sorted(group["GroupId"] for group in instance["SecurityGroups"]),
        "privateIp": instance.get("PrivateIpAddress", ""),
        "secondaryPrivateIps": sorted(
            each["PrivateIpAddress"] for each in interface.get("PrivateIpAddresses", []) if not each.get("Primary")
        ),
        "privateDns": instance.get("PrivateDnsName", ""),
        "publicIp": instance.get("PublicIpAddress", ""),
        "publicDns": instance.get("PublicDnsName", ""),
        "associatePublicIpAddress": "Association" in interface,
        "primaryNetworkInterfaceId": interface.get("NetworkInterfaceId", ""),
        "sourceDestCheck": instance.get("SourceDestCheck", True),
        "ebsOptimized": instance.get("EbsOptimized", False),
        "monitoring": (instance.get("Monitoring") or {}).get("State") in ("enabled", "pending"),
        "iamInstanceProfile": profile.rpartition("/")[2],
        "metadataOptions": _named(instance.get("MetadataOptions") or {}, METADATA),
        "rootBlockDevice": _root_volume(call, instance),
        **_attributes(identity),
        **_found_user_data(call, identity),
        **found_tags(call, instance.get("Tags")),
    }


def _named(answer: Mapping[str, Any], names: Mapping[str, str]) -> Values:
    return {name: answer[key] for name, key in names.items() if answer.get(key) is not None}


def _root_volume(call: Call, instance: Any) -> Values | None:
    mappings = [each for each in instance["BlockDeviceMappings"] if each["DeviceName"] == instance["RootDeviceName"]]
    mapping = first(mappings)
    if mapping is None:
        return None
    by_id = {"Name": "volume-id", "Values": [mapping["Ebs"]["VolumeId"]]}
    volume = first(API.ec2.describe_volumes(Filters=[by_id])["Volumes"])
    if volume is None:  # it is deleted with an instance that ends meanwhile
        return None
    renamed = {
        "volumeSize": "Size",
        "volumeType": "VolumeType",
        "encrypted": "Encrypted",
        "iops": "Iops",
        "throughput": "Throughput",
    }
    return {
        "deviceName": mapping["DeviceName"],
        "volumeId": mapping["Ebs"]["VolumeId"],
        "deleteOnTermination": mapping["Ebs"]["DeleteOnTermination"],
        "kmsKeyId": volume.get("KmsKeyId", ""),
        **_named(volume, renamed),
        **_volume_tags(call, volume),
    }


def _volume_tags(call: Call, volume: Any) -> Values:
    """The volume's tags without the provider's default ones, unless the program names them itself."""
    default, given = default_tags(call.config), (call.inputs.get("rootBlockDevice") or {}).get("tags")
    everything = {tag["Key"]: tag["Value"] for tag in volume.get("Tags") or []}
    own = {key: value for key, value in everything.items() if default.get(key) != value or key in (given or {})}
    return {"tags": own} if own or given is not None else {}


def _attributes(identity: str) -> Values:
    names = ("disableApiTermination", "disableApiStop", "instanceInitiatedShutdownBehavior")
    return {name: _described_attribute(identity, name) for name in names}


def _described_attribute(identity: str, name: str) -> Any:
    answer = API.ec2.describe_instance_attribute(InstanceId=identity, Attribute=name)
    return (answer.get(name[0].upper() + name[1:]) or {}).get("Value")


def _found_user_data(call: Call, identity: str) -> Values:
    """Under the name that the program uses; as plain text, as from version 7 on."""
    encoded = _described_attribute(identity, "userData")
    if not encoded:
        return {}
    if call.inputs.get("userDataBase64") is not None:
        return {"userDataBase64": encoded}
    return {"userData": base64.b64decode(encoded).decode()}
