"""EBS volume, and its attachment to an instance. Leaves out snapshots, outposts and multi-attach."""

from __future__ import annotations

import time
import zlib
from typing import Any

from sandbox.plugins.aws.api import API, POLL_SECONDS, found_tags, retag, specified
from sandbox.plugins.aws.kind import Kind, only
from sandbox.plugins.aws.lookup import described, first
from sandbox.plugins.framework.table import Call, Failure, Input, PluginError
from sandbox.plugins.framework.values import UNKNOWN, Values

SECONDS = 300.0
CHANGED = {"size": "Size", "type": "VolumeType", "iops": "Iops", "throughput": "Throughput"}
MADE = {**CHANGED, "availabilityZone": "AvailabilityZone", "encrypted": "Encrypted", "kmsKeyId": "KmsKeyId"}
TYPES = ("standard", "io1", "io2", "gp2", "gp3", "sc1", "st1")


def make_volume(call: Call) -> str:
    given = {key: call.inputs[name] for name, key in MADE.items() if call.inputs.get(name) is not None}
    return str(API.ec2.create_volume(**given, **specified(call, "volume"))["VolumeId"])


def finish_volume(call: Call, identity: str) -> None:
    _wait(call, identity, "available", lambda volume: str(volume["State"]))


def _volume(identity: str) -> Any:
    return described("describe_volumes", "Volumes", VolumeIds=[identity])


def _wait(call: Call, identity: str, wanted: str, state: Any) -> None:
    deadline = time.monotonic() + (call.timeout or SECONDS)
    while (volume := _volume(identity)) is None or state(volume) != wanted:
        if volume is None or time.monotonic() > deadline:
            raise PluginError(f"timeout while waiting for volume {identity} to become '{wanted}'")
        call.wait(POLL_SECONDS)


def find_volume(call: Call, identity: str) -> Values | None:
    volume = _volume(identity)
    if volume is None:
        return None
    found = {name: volume[key] for name, key in MADE.items() if volume.get(key) is not None}
    return {
        "arn": API.arn(f"volume/{identity}"),
        "createTime": volume["CreateTime"].isoformat(),
        **found,
        **found_tags(call, volume.get("Tags")),
    }


def change_volume(call: Call) -> None:
    new, old = call.inputs, call.state
    changed = {
        key: new[name] for name, key in CHANGED.items() if new.get(name) is not None and new[name] != old.get(name)
    }
    if changed:
        API.ec2.modify_volume(VolumeId=call.id, **changed)
    retag(call, call.id)


def check_volume(values: Values) -> list[Failure]:
    kind = values.get("type")
    wrong = kind is not None and kind is not UNKNOWN and kind not in TYPES
    sized = [Failure("size", "a size is required where there is no snapshot")] if values.get("size") is None else []
    return [
        *([Failure("type", f"expected one of {', '.join(TYPES)}, not {kind}")] if wrong else []),
        *sized,
        *only(values, finalSnapshot=False),
    ]


# Attachments


def make_attachment(call: Call) -> str:
    """Accepts an attachment that already exists, like the real provider."""
    given = call.inputs
    if _attachment(given) is None:
        API.ec2.attach_volume(VolumeId=given["volumeId"], InstanceId=given["instanceId"], Device=given["deviceName"])
    return f"vai-{zlib.crc32('-'.join((given['deviceName'], given['instanceId'], given['volumeId'])).encode())}"


def finish_attachment(call: Call, identity: str) -> None:
    _wait(call, call.inputs["volumeId"], "in-use", lambda volume: str(volume["State"]))


def _attachment(known: Values) -> Any:
    volume = _volume(known["volumeId"])
    wanted = (known["instanceId"], known["deviceName"])
    return first([each for each in (volume or {}).get("Attachments", []) if _ends(each) == wanted])


def _ends(attachment: Any) -> tuple[str, str]:
    return attachment["InstanceId"], attachment["Device"]


def find_attachment(call: Call, identity: str) -> Values | None:
    known = call.state | call.inputs
    if _attachment(known) is None:
        return None
    return {name: known[name] for name in ("deviceName", "instanceId", "volumeId")}


def remove_attachment(call: Call) -> None:
    if call.state.get("skipDestroy"):
        return
    API.ec2.detach_volume(
        VolumeId=call.state["volumeId"],
        InstanceId=call.state["instanceId"],
        Device=call.state["deviceName"],
        Force=bool(call.state.get("forceDetach")),
    )
    _wait(call, call.state["volumeId"], "available", lambda volume: str(volume["State"]))


VOLUME = Kind(
    "aws:ebs/volume:Volume",
    noun="EBS Volume",
    inputs={
        "availabilityZone": Input(str, required=True, replaces=True),
        "size": Input(int),
        "type": Input(str),
        "iops": Input(int),
        "throughput": Input(int),
        "encrypted": Input(bool, replaces=True),
        "kmsKeyId": Input(str, replaces=True),
        "finalSnapshot": Input(bool, default=False),
    },
    computed=("size", "type", "iops", "throughput", "encrypted", "kmsKeyId"),
    outputs=("arn", "createTime"),
    write_only=("finalSnapshot",),
    make=make_volume,
    finish=finish_volume,
    find=find_volume,
    change=change_volume,
    remove=lambda call: API.ec2.delete_volume(VolumeId=call.id),
    check=check_volume,
)

ATTACHMENT = Kind(
    "aws:ec2/volumeAttachment:VolumeAttachment",
    noun="EBS Volume Attachment",
    inputs={
        **dict.fromkeys(("deviceName", "instanceId", "volumeId"), Input(str, required=True, replaces=True)),
        **dict.fromkeys(("forceDetach", "skipDestroy"), Input(bool)),
        "stopInstanceBeforeDetaching": Input(bool),
    },
    write_only=("forceDetach", "skipDestroy", "stopInstanceBeforeDetaching"),
    make=make_attachment,
    finish=finish_attachment,
    find=find_attachment,
    change=lambda call: None,
    remove=remove_attachment,
    check=lambda values: only(values, stopInstanceBeforeDetaching=False),
    tagged=False,
)

KINDS = (VOLUME, ATTACHMENT)
