"""Rows of metadata, of disks, and of what is made from something that nobody sees."""

from __future__ import annotations

from typing import Any

from policy.tokens import (
    ENCRYPTION_BY_DEFAULT,
    IMAGE,
    IMAGE_COPY,
    IMAGE_FROM_INSTANCE,
    METADATA_DEFAULTS,
    SNAPSHOT,
    SNAPSHOT_COPY,
    SNAPSHOT_IMPORT,
    VOLUME,
    VOLUME_ATTACHMENT,
    VOLUME_COPY,
)
from tests.policies.parts import (
    LOCAL,
    ROOT,
    TOKENS,
    Made,
    Of,
    configuration,
    fleet,
    launch,
    made,
    mixed,
    refused_by,
    row,
    scaling_group,
    server,
    spot,
    spot_fleet,
    template,
)

OPTIONAL = {"httpTokens": "optional"}
SPOT = "imdsv2-required"  # whatever else is wrong with a spot request
UNSAID: dict[str, Any] = {"metadataOptions": None, "rootBlockDevice": None}  # left to the launch template


def hops(most: int) -> dict[str, object]:
    return {**TOKENS, "httpPutResponseHopLimit": most}


def defaults(**props: object) -> Made:
    return made(METADATA_DEFAULTS, "defaults", **props)


def further(**ebs: object) -> list[dict[str, object]]:
    """A further volume of a machine."""
    return [{"deviceName": "/dev/sdf", "volumeSize": 8, **ebs}]


def further_mapping(**ebs: object) -> dict[str, object]:
    """A further volume of a launch template."""
    return {"deviceName": "/dev/sdf", "ebs": {"volumeSize": 8, **ebs}}


def of_image(**props: object) -> list[dict[str, object]]:
    return [{"deviceName": "/dev/sda1", **props}]


COPIED = {"sourceRegion": "us-east-1", "sourceSnapshotId": "snap-1"}

REFUSED = [
    *refused_by(
        "imdsv2-required",
        row("an instance that says nothing of its metadata", server(metadataOptions=None)),
        row("an instance with `httpTokens: optional`", server(metadataOptions=OPTIONAL)),
        row(
            "an instance from a launch template of no name, so from none",
            server(metadataOptions=None, launchTemplate={"version": "1"}),
        ),
        row("an instance with a hop limit of 2", server(metadataOptions=hops(2))),
        row("a launch template that says nothing of its metadata", template(metadataOptions=None)),
        row("a launch template with `httpTokens: optional`", template(metadataOptions=OPTIONAL)),
        row("a launch template with a hop limit of 64", template(metadataOptions=hops(64))),
        row(
            "an instance that takes back what its launch template says",
            template(),
            server(launchTemplate={"id": Of("template")}, metadataOptions=OPTIONAL),
        ),
        row("a launch configuration that says nothing of its metadata", configuration(metadataOptions=None)),
        row("a launch configuration with a hop limit of 2", configuration(metadataOptions=hops(2))),
        row("the account's default: `httpTokens: optional`", defaults(httpTokens="optional")),
        row("the account's default: `httpTokens: no-preference`", defaults(httpTokens="no-preference")),
        row("the account's default: a hop limit of 2", defaults(**hops(2))),
        row("a spot request: EC2 takes no metadata options from it", spot()),
        row("a spot fleet's own launch specification, likewise", spot_fleet(launchSpecifications=launch())),
    ),
    *refused_by(
        "volumes-encrypted",
        row("an instance that says nothing of its root volume", server(rootBlockDevice=None)),
        row("an instance's root volume with `encrypted: false`", server(rootBlockDevice={"encrypted": False})),
        row("an instance with an empty launch template", server(rootBlockDevice=None, launchTemplate={})),
        row("an instance's further volume", server(ebsBlockDevices=further())),
        row("an instance's further volume, from a snapshot", server(ebsBlockDevices=further(snapshotId="snap-1"))),
        row("an instance's disk of the host (`ephemeral0`)", server(ephemeralBlockDevices=[LOCAL])),
        row("a volume", made(VOLUME, "volume", encrypted=None)),
        row("a launch template without block devices", template(blockDeviceMappings=None)),
        row(
            "a launch template that says a data volume alone",
            template(blockDeviceMappings=[further_mapping(encrypted="true")]),
        ),
        row(
            "a launch template's root volume",
            template(blockDeviceMappings=[{"deviceName": "/dev/xvda", "ebs": {"volumeSize": 40}}]),
        ),
        row(
            "a launch template's data volume",
            template(blockDeviceMappings=[ROOT, further_mapping(encrypted="false")]),
        ),
        row("a launch template's disk of the host", template(blockDeviceMappings=[ROOT, LOCAL])),
        row("a launch configuration's root volume", configuration(rootBlockDevice=None)),
        row("a launch configuration's further volume", configuration(ebsBlockDevices=further())),
        row("a spot request's root volume", spot(rootBlockDevice=None), also=SPOT),
        row("a spot fleet's root volume", spot_fleet(launchSpecifications=launch(rootBlockDevices=None)), also=SPOT),
        row(
            "a spot fleet's further volume",
            spot_fleet(launchSpecifications=launch(ebsBlockDevices=further())),
            also=SPOT,
        ),
        row("a copy of a snapshot", made(SNAPSHOT_COPY, "copy", **COPIED)),
        row("a snapshot from a file", made(SNAPSHOT_IMPORT, "import", diskContainer={"format": "VHD"})),
        row(
            "a copy of an image",
            made(IMAGE_COPY, "copy", sourceAmiId="ami-1", sourceAmiRegion="us-east-1"),
        ),
        row("an image with a new volume", made(IMAGE, "image", ebsBlockDevices=of_image(volumeSize=8))),
        row("an image with a disk of the host", made(IMAGE, "image", ephemeralBlockDevices=[LOCAL])),
        row("the account's default: no encryption", made(ENCRYPTION_BY_DEFAULT, "default", enabled=False)),
    ),
    *refused_by(
        "sources-in-sight",
        row("an instance from a launch template of another stack", server(launchTemplate={"id": "lt-1"}, **UNSAID)),
        row(
            "the same, with the version of a launch template that is here",
            template(),
            server(launchTemplate={"id": "lt-1", "version": Of("template", "latestVersion")}, **UNSAID),
        ),
        row(
            "an autoscaling group from a launch template of another stack",
            scaling_group("backend", launchTemplate={"name": "other"}),
        ),
        row(
            "an autoscaling group's override by a launch template of another stack",
            template(),
            scaling_group("backend", mixedInstancesPolicy=mixed("lt-1")),
        ),
        row(
            "an autoscaling group from a launch configuration of another stack",
            scaling_group("backend", launchConfiguration="other"),
        ),
        row("a fleet from a launch template of another stack", fleet("lt-1")),
        row(
            "a spot fleet from a launch template of another stack",
            spot_fleet(launchTemplateConfigs=[{"launchTemplateSpecification": {"name": "other", "version": "1"}}]),
        ),
        row("an image of an instance of another stack", made(IMAGE_FROM_INSTANCE, "image", sourceInstanceId="i-1")),
        row(
            "an image of a snapshot of another stack",
            made(IMAGE, "image", ebsBlockDevices=of_image(snapshotId="snap-1")),
        ),
        row("a snapshot of a volume of another stack", made(SNAPSHOT, "snapshot", volumeId="vol-1")),
        row("a copy of a volume of another stack", made(VOLUME_COPY, "copy", sourceVolumeId="vol-1")),
        row(
            "a volume of another stack on a server",
            server(),
            made(VOLUME_ATTACHMENT, "data", deviceName="/dev/sdf", instanceId=Of("server"), volumeId="vol-1"),
        ),
    ),
    *refused_by(
        "nothing-out-of-sight",
        row("a stack of CloudFormation", made("aws:cloudformation/stack:Stack", "stack", templateBody="{}")),
        row("a stack set of CloudFormation", made("aws:cloudformation/stackSet:StackSet", "stacks", templateBody="{}")),
        row(
            "a resource of Cloud Control",
            made("aws:cloudcontrol/resource:Resource", "any", typeName="AWS::EC2::Instance", desiredState="{}"),
        ),
    ),
]
