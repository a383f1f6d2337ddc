"""EC2 instance. Leaves out more than one network interface, further volumes, launch templates, spot and IPv6."""

from __future__ import annotations

import base64
import binascii

from sandbox.plugins.aws.api import API
from sandbox.plugins.aws.instance_change import change_instance, remove_instance
from sandbox.plugins.aws.instance_launch import finish_instance, make_instance
from sandbox.plugins.aws.instance_read import find_instance
from sandbox.plugins.aws.kind import Kind, not_both, only
from sandbox.plugins.framework.table import Failure, Input
from sandbox.plugins.framework.values import UNKNOWN, Values

MAX_USER_DATA = 16384
ALLOWED = {
    "metadataOptions.httpTokens": ("optional", "required"),
    "metadataOptions.httpEndpoint": ("enabled", "disabled"),
    "metadataOptions.instanceMetadataTags": ("enabled", "disabled"),
    "rootBlockDevice.volumeType": ("standard", "io1", "io2", "gp2", "gp3", "sc1", "st1"),
}


def replaced_with_user_data(olds: Values, news: Values) -> bool:
    return news.get("userDataReplaceOnChange") is True


def replaced_with_architecture(olds: Values, news: Values) -> bool:
    """Types that have no architecture in common. One that cannot be looked up replaces nothing, as in the provider."""
    before, after = olds.get("instanceType"), news.get("instanceType")
    if not isinstance(before, str) or not isinstance(after, str):
        return False
    try:
        found = API.ec2.describe_instance_types(InstanceTypes=[before, after])["InstanceTypes"]
    except API.ec2.exceptions.ClientError:
        return False
    one, *other = (set(each["ProcessorInfo"]["SupportedArchitectures"]) for each in found)
    return bool(other) and one.isdisjoint(other[0])


def check_instance(values: Values) -> list[Failure]:
    missing = [
        Failure(name, "a value is required: launch templates are not implemented by this stand-in")
        for name in ("ami", "instanceType")
        if values.get(name) is None
    ]
    return [
        *missing,
        *not_both(values, "userData", "userDataBase64"),
        *only(values, getPasswordData=False),
        *_user_data_failures(values),
        *(failure for path, allowed in ALLOWED.items() for failure in _choice(values, path, allowed)),
    ]


def _choice(values: Values, path: str, allowed: tuple[str, ...]) -> list[Failure]:
    name, member = path.split(".")
    inside = values.get(name)
    value = inside.get(member) if isinstance(inside, dict) else None
    if value is None or value is UNKNOWN or value in allowed:
        return []
    return [Failure(path, f"expected one of {', '.join(allowed)}, not {value}")]


def _user_data_failures(values: Values) -> list[Failure]:
    plain, encoded = values.get("userData"), values.get("userDataBase64")
    if isinstance(plain, str) and len(plain.encode()) > MAX_USER_DATA:
        return [Failure("userData", f"expected a length of at most {MAX_USER_DATA} bytes, not {len(plain.encode())}")]
    if isinstance(encoded, str):
        try:
            base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return [Failure("userDataBase64", "must be base64-encoded, and here the encoding of a text")]
    return []


INSTANCE = Kind(
    "aws:ec2/instance:Instance",
    noun="EC2 Instance",
    inputs={
        "ami": Input(str, replaces=True),
        "instanceType": Input(str, replaces=replaced_with_architecture),
        "keyName": Input(str, replaces=True),
        "subnetId": Input(str, replaces=True),
        "vpcSecurityGroupIds": Input(list, each=Input(str), unordered=True),
        "privateIp": Input(str, replaces=True),
        "associatePublicIpAddress": Input(bool, replaces=True),
        "availabilityZone": Input(str, replaces=True),
        "userData": Input(str, replaces=replaced_with_user_data),
        "userDataBase64": Input(str, replaces=replaced_with_user_data),
        "userDataReplaceOnChange": Input(bool, default=False),
        "metadataOptions": Input(
            dict,
            fields={
                "httpEndpoint": Input(str),
                "httpTokens": Input(str),
                "httpPutResponseHopLimit": Input(int),
                "instanceMetadataTags": Input(str),
            },
        ),
        "rootBlockDevice": Input(
            dict,
            fields={
                "volumeType": Input(str),
                "volumeSize": Input(int),
                "encrypted": Input(bool),
                "deleteOnTermination": Input(bool, default=True),
                "iops": Input(int),
                "throughput": Input(int),
                "kmsKeyId": Input(str),
                "tags": Input(dict, each=Input(str)),
            },
        ),
        "ebsOptimized": Input(bool, replaces=True),
        "disableApiTermination": Input(bool),
        "disableApiStop": Input(bool),
        "instanceInitiatedShutdownBehavior": Input(str),
        "iamInstanceProfile": Input(str),
        "sourceDestCheck": Input(bool, default=True),
        "forceDestroy": Input(bool, default=False),
        "getPasswordData": Input(bool, default=False),
    },
    computed=(
        *("ami", "instanceType", "keyName", "subnetId", "vpcSecurityGroupIds", "privateIp", "associatePublicIpAddress"),
        *("availabilityZone", "metadataOptions", "rootBlockDevice", "ebsOptimized", "disableApiTermination"),
        *("disableApiStop", "instanceInitiatedShutdownBehavior", "iamInstanceProfile"),
        *("userData", "userDataBase64"),
    ),
    uncomputed=("rootBlockDevice.tags",),
    outputs=(
        *("arn", "instanceState", "monitoring", "primaryNetworkInterfaceId", "privateDns", "publicDns", "publicIp"),
        *("tenancy", "secondaryPrivateIps"),
    ),
    write_only=("userDataReplaceOnChange", "forceDestroy", "getPasswordData"),
    nested_replaces=("rootBlockDevice.encrypted", "rootBlockDevice.kmsKeyId"),
    make=make_instance,
    finish=finish_instance,
    find=find_instance,
    change=change_instance,
    remove=remove_instance,
    check=check_instance,
)
