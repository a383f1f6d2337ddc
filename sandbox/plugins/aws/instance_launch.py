"""Launching an EC2 instance, and waiting for its state."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from typing import Any

from sandbox.plugins.aws.api import API, POLL_SECONDS, default_tags, listed, specified
from sandbox.plugins.aws.lookup import described, first
from sandbox.plugins.aws.propagation import PROPAGATION_SECONDS, propagated
from sandbox.plugins.framework.table import Call, PluginError
from sandbox.plugins.framework.values import Values

CREATE_SECONDS, UPDATE_SECONDS, DELETE_SECONDS = 600.0, 600.0, 1200.0  # the real provider's, without customTimeouts
DEAD = ("shutting-down", "terminated")

METADATA = {
    "httpEndpoint": "HttpEndpoint",
    "httpTokens": "HttpTokens",
    "httpPutResponseHopLimit": "HttpPutResponseHopLimit",
    "instanceMetadataTags": "InstanceMetadataTags",
}
VOLUME = {
    "volumeType": "VolumeType",
    "volumeSize": "VolumeSize",
    "encrypted": "Encrypted",
    "deleteOnTermination": "DeleteOnTermination",
    "iops": "Iops",
    "throughput": "Throughput",
    "kmsKeyId": "KmsKeyId",
}
REQUEST = {
    "ami": "ImageId",
    "instanceType": "InstanceType",
    "keyName": "KeyName",
    "ebsOptimized": "EbsOptimized",
    "disableApiTermination": "DisableApiTermination",
    "disableApiStop": "DisableApiStop",
    "instanceInitiatedShutdownBehavior": "InstanceInitiatedShutdownBehavior",
}


def make_instance(call: Call) -> str:
    given = call.inputs
    request: dict[str, Any] = {key: given[name] for name, key in REQUEST.items() if given.get(name) is not None}
    if given.get("availabilityZone"):
        request["Placement"] = {"AvailabilityZone": given["availabilityZone"]}
    if given.get("iamInstanceProfile"):
        request["IamInstanceProfile"] = {"Name": given["iamInstanceProfile"]}
    if user_data(given) is not None:
        request["UserData"] = user_data(given)
    if given.get("metadataOptions"):
        request["MetadataOptions"] = renamed(given["metadataOptions"], METADATA)
    if given.get("rootBlockDevice"):
        device = renamed(given["rootBlockDevice"], VOLUME)
        request["BlockDeviceMappings"] = [{"DeviceName": _root_device(given["ami"]), "Ebs": device}]
    request |= {"MinCount": 1, "MaxCount": 1, **_interface(given), **specified(call, "instance")}
    return str(_launched(call, request)["Instances"][0]["InstanceId"])


def _launched(call: Call, request: Mapping[str, Any]) -> Any:
    """EC2 does not know a new instance profile at first: retries, like the real provider."""
    deadline = time.monotonic() + PROPAGATION_SECONDS
    while True:
        try:
            return API.ec2.run_instances(**request)
        except API.ec2.exceptions.ClientError as error:
            if "Invalid IAM Instance Profile" not in str(error) or time.monotonic() > deadline:
                raise
        call.wait(POLL_SECONDS)


def user_data(given: Values) -> str | None:
    """Plain text, because boto3 does the encoding."""
    if given.get("userDataBase64") is not None:
        return base64.b64decode(given["userDataBase64"]).decode()
    return given.get("userData")


def _interface(given: Values) -> dict[str, Any]:
    """Of the instance itself, or of its network interface where a public address is decided: the API wants it so."""
    subnet = {"SubnetId": given["subnetId"]} if given.get("subnetId") else {}
    address = {"PrivateIpAddress": given["privateIp"]} if given.get("privateIp") else {}
    groups = given.get("vpcSecurityGroupIds")
    if given.get("associatePublicIpAddress") is None:
        return {**subnet, **address, **({"SecurityGroupIds": groups} if groups else {})}
    interface = {
        "DeviceIndex": 0,
        "AssociatePublicIpAddress": given["associatePublicIpAddress"],
        "DeleteOnTermination": True,
        **subnet,
        **address,
        **({"Groups": groups} if groups else {}),
    }
    return {"NetworkInterfaces": [interface]}


def renamed(given: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {key: given[name] for name, key in names.items() if given.get(name) is not None}


def _root_device(ami: str) -> str:
    image = described("describe_images", "Images", ImageIds=[ami])
    if image is None:
        raise PluginError(
            f"creating EC2 Instance: api error InvalidAMIID.NotFound: The image id '[{ami}]' does not exist"
        )
    return str(image["RootDeviceName"])


def finish_instance(call: Call, identity: str) -> None:
    propagated(call, lambda: API.ec2.describe_instances(InstanceIds=[identity]))
    wait(call, identity, "running", CREATE_SECONDS, broken=DEAD)
    _tag_volume(call, identity)
    if call.inputs["sourceDestCheck"] is False:
        set_attribute(identity, SourceDestCheck={"Value": False})


def _tag_volume(call: Call, identity: str) -> None:
    """Tags the root volume only now, like the real provider, so a policy cannot require its tags at the launch."""
    tags = default_tags(call.config) | ((call.inputs.get("rootBlockDevice") or {}).get("tags") or {})
    instance = described_instance(identity) or {}
    root = [each for each in instance["BlockDeviceMappings"] if each["DeviceName"] == instance["RootDeviceName"]]
    if tags and root:
        API.ec2.create_tags(Resources=[root[0]["Ebs"]["VolumeId"]], Tags=listed(tags))


def wait(call: Call, identity: str, target: str, seconds: float, broken: tuple[str, ...] = ()) -> None:
    """Returns when the instance is in that state. Raises PluginError if it ends in another one, or takes too long."""
    deadline = time.monotonic() + (call.timeout or seconds)
    while True:
        instance = described_instance(identity)
        state = instance["State"]["Name"] if instance else "terminated"
        if state == target:
            return
        if state in broken:
            reason = ((instance or {}).get("StateReason") or {}).get("Message", "")
            if not reason and state != "terminated" and time.monotonic() < deadline:
                call.wait(POLL_SECONDS)
                continue
            raise PluginError(f"unexpected state '{state}', wanted target '{target}'. last error: {reason}")
        if time.monotonic() > deadline:
            raise PluginError(f"timeout while waiting for state to become '{target}' (last state: '{state}')")
        call.wait(POLL_SECONDS)


def described_instance(identity: str) -> Any:
    reservation = described("describe_instances", "Reservations", InstanceIds=[identity])
    return first(reservation["Instances"]) if reservation else None


def set_attribute(identity: str, **attribute: Any) -> None:
    API.ec2.modify_instance_attribute(InstanceId=identity, **attribute)
