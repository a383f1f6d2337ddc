"""Changing an EC2 instance in place, and terminating it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.plugins.aws.api import API, listed, retag
from sandbox.plugins.aws.instance_launch import (
    DEAD,
    DELETE_SECONDS,
    METADATA,
    UPDATE_SECONDS,
    renamed,
    set_attribute,
    user_data,
    wait,
)
from sandbox.plugins.aws.lookup import first
from sandbox.plugins.framework.table import Call
from sandbox.plugins.framework.values import Values


def change_instance(call: Call) -> None:
    new, old = call.inputs, call.state
    for name, modify in CHANGES.items():
        if new.get(name) is not None and new[name] != old.get(name):
            modify(call.id, new[name])
    if sorted(new.get("vpcSecurityGroupIds") or []) != sorted(old.get("vpcSecurityGroupIds") or []) and new.get(
        "vpcSecurityGroupIds"
    ):
        set_attribute(call.id, Groups=new["vpcSecurityGroupIds"])
    _change_volume(call)
    _change_profile(call)
    _change_stopped(call)
    retag(call, call.id)


def _change_metadata(identity: str, options: Values) -> None:
    API.ec2.modify_instance_metadata_options(InstanceId=identity, **renamed(options, METADATA))


CHANGES: Mapping[str, Callable[[str, Any], None]] = {
    "sourceDestCheck": lambda identity, value: set_attribute(identity, SourceDestCheck={"Value": value}),
    "disableApiTermination": lambda identity, value: set_attribute(identity, DisableApiTermination={"Value": value}),
    "disableApiStop": lambda identity, value: set_attribute(identity, DisableApiStop={"Value": value}),
    "instanceInitiatedShutdownBehavior": lambda identity, value: set_attribute(
        identity, InstanceInitiatedShutdownBehavior={"Value": value}
    ),
    "metadataOptions": _change_metadata,
}


def _change_volume(call: Call) -> None:
    new, old = call.inputs.get("rootBlockDevice") or {}, call.state.get("rootBlockDevice") or {}
    renamed = {"volumeSize": "Size", "volumeType": "VolumeType", "iops": "Iops", "throughput": "Throughput"}
    changed = {
        key: new[name] for name, key in renamed.items() if new.get(name) is not None and new[name] != old.get(name)
    }
    if changed:
        API.ec2.modify_volume(VolumeId=old["volumeId"], **changed)
    if "rootBlockDevice" in call.inputs:
        _change_volume_tags(old["volumeId"], old.get("tags") or {}, new.get("tags") or {})
    if new.get("deleteOnTermination") is not None and new["deleteOnTermination"] != old.get("deleteOnTermination"):
        ebs = {"DeleteOnTermination": new["deleteOnTermination"]}
        set_attribute(call.id, BlockDeviceMappings=[{"DeviceName": old["deviceName"], "Ebs": ebs}])


def _change_volume_tags(volume: str, old: Values, new: Values) -> None:
    if dropped := [{"Key": key} for key in sorted(old.keys() - new.keys())]:
        API.ec2.delete_tags(Resources=[volume], Tags=dropped)
    if changed := {key: value for key, value in new.items() if old.get(key) != value}:
        API.ec2.create_tags(Resources=[volume], Tags=listed(changed))


def _change_profile(call: Call) -> None:
    new, old = call.inputs.get("iamInstanceProfile"), call.state.get("iamInstanceProfile")
    if not new or new == old:
        return
    found = API.ec2.describe_iam_instance_profile_associations(Filters=[{"Name": "instance-id", "Values": [call.id]}])
    association = first(found["IamInstanceProfileAssociations"])
    if association is None:
        API.ec2.associate_iam_instance_profile(InstanceId=call.id, IamInstanceProfile={"Name": new})
    else:
        API.ec2.replace_iam_instance_profile_association(
            AssociationId=association["AssociationId"], IamInstanceProfile={"Name": new}
        )


def _change_stopped(call: Call) -> None:
    """Type and user data can only be changed while the instance is stopped; the new user data does not run."""
    new, old = call.inputs, call.state
    wanted: dict[str, Any] = {}
    if new.get("instanceType") is not None and new["instanceType"] != old.get("instanceType"):
        wanted["InstanceType"] = {"Value": new["instanceType"]}
    if any(new.get(name) is not None and new[name] != old.get(name) for name in ("userData", "userDataBase64")):
        wanted["UserData"] = {"Value": (user_data(new) or "").encode()}
    if not wanted:
        return
    API.ec2.stop_instances(InstanceIds=[call.id])
    wait(call, call.id, "stopped", UPDATE_SECONDS, broken=DEAD)
    for key, value in wanted.items():
        set_attribute(call.id, **{key: value})
    API.ec2.start_instances(InstanceIds=[call.id])
    wait(call, call.id, "running", UPDATE_SECONDS, broken=DEAD)


def remove_instance(call: Call) -> None:
    if call.state.get("forceDestroy"):
        set_attribute(call.id, DisableApiTermination={"Value": False})
    API.ec2.terminate_instances(InstanceIds=[call.id])
    wait(call, call.id, "terminated", DELETE_SECONDS)
