"""What starts machines and creates disks: their metadata options, their disks, and what they are made from. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policy.resources import UNKNOWN, Resource, Stack, at, entries, whole
from policy.tokens import (
    FLEET,
    IMAGE,
    IMAGE_COPY,
    IMAGE_FROM_INSTANCE,
    INSTANCE,
    LAUNCH_CONFIGURATION,
    LAUNCH_TEMPLATE,
    METADATA_DEFAULTS,
    SCALING_GROUP,
    SNAPSHOT,
    SNAPSHOT_COPY,
    SNAPSHOT_IMPORT,
    SPOT_FLEET,
    SPOT_REQUEST,
    VOLUME,
    VOLUME_ATTACHMENT,
    VOLUME_COPY,
)

# The launch template that a machine comes from; it defines what the machine does not define itself.
OWN_TEMPLATE = ("launchTemplate.id", "launchTemplate.name")

# Metadata

# The path of the options, by type.
METADATA: Mapping[str, str] = {
    INSTANCE: "metadataOptions",
    LAUNCH_TEMPLATE: "metadataOptions",
    LAUNCH_CONFIGURATION: "metadataOptions",
    METADATA_DEFAULTS: "",
}
# EC2 accepts no metadata options for these, whatever the provider allows; by the property that starts a machine.
WITHOUT_METADATA_OPTIONS: Mapping[str, str] = {SPOT_REQUEST: "", SPOT_FLEET: "launchSpecifications"}
# A host without containers requests its metadata itself.
MOST_HOPS = 1


def takes_no_options(resource: Resource) -> bool:
    path = WITHOUT_METADATA_OPTIONS.get(resource.type)
    return path is not None and bool(entries(resource.props, path))


def answers_anybody(resource: Resource) -> bool:
    """Whether metadata is available without a session token. An instance's launch template is checked by itself."""
    options = _metadata(resource)
    if options is None or options.get("httpEndpoint") == "disabled":
        return False
    tokens = options.get("httpTokens")
    return tokens not in ("required", UNKNOWN) and not (tokens is None and _from_template(resource.props))


def hops(resource: Resource) -> int:
    """How far the session token travels, if that is further than a host needs; otherwise 0, also if it is not given."""
    options = _metadata(resource) or {}
    most = whole(options.get("httpPutResponseHopLimit")) or 0
    return most if most > MOST_HOPS and options.get("httpEndpoint") != "disabled" else 0


def _metadata(resource: Resource) -> Mapping[str, Any] | None:
    """None if there are none, or they are not known yet."""
    path = METADATA.get(resource.type)
    if path is None or resource.props.get(path) is UNKNOWN:
        return None
    return next(iter(entries(resource.props, path)), {})


def _from_template(props: Mapping[str, Any]) -> bool:
    return any(any(at(props, path)) for path in OWN_TEMPLATE)


# Disks


@dataclass(frozen=True)
class Disk:
    """`local` means a disk of the host itself, which is lost with the machine."""

    name: str
    encrypted: bool = False
    local: bool = False


@dataclass(frozen=True)
class _Disks:
    """Paths to the disks of a type; `machines` is the path of a machine's disks. Every machine has a root volume."""

    machines: str = ""
    root: str | None = "rootBlockDevice"
    snapshot_decides: bool = False


DISKS: Mapping[str, _Disks] = {
    INSTANCE: _Disks(),
    SPOT_REQUEST: _Disks(),
    LAUNCH_CONFIGURATION: _Disks(),
    SPOT_FLEET: _Disks(machines="launchSpecifications", root="rootBlockDevices"),
    IMAGE: _Disks(root=None, snapshot_decides=True),
}
# Each of these is, or copies, one disk, and says whether it is encrypted.
ONE_DISK = {
    VOLUME: "the volume",
    SNAPSHOT_COPY: "the snapshot",
    SNAPSHOT_IMPORT: "the snapshot",
    IMAGE_COPY: "the copy",
}
# Of an existing image. Only the image says which one is its root device.
ROOT_DEVICES = ("/dev/sda1", "/dev/xvda", UNKNOWN)


def disks(resource: Resource) -> Iterator[Disk]:
    """All disks that a resource is or creates; none if they are not known yet."""
    if resource.type in ONE_DISK:
        yield Disk(ONE_DISK[resource.type], _encrypted(resource.props))
    elif resource.type == LAUNCH_TEMPLATE:
        yield from _of_template(resource.props)
    elif resource.type in DISKS:
        where = DISKS[resource.type]
        for machine in entries(resource.props, where.machines):
            yield from _of_machine(machine, where)


def _of_machine(props: Mapping[str, Any], where: _Disks) -> Iterator[Disk]:
    if where.root and not (where.root not in props and _from_template(props)):
        root = next(at(props, where.root), {})
        yield Disk("the root volume", root is UNKNOWN or (isinstance(root, Mapping) and _encrypted(root)))
    for device in _used(props, "ebsBlockDevices"):
        decided = where.snapshot_decides and device.get("snapshotId")
        yield Disk(f"volume {device.get('deviceName')}", bool(decided) or _encrypted(device))
    for device in _used(props, "ephemeralBlockDevices"):
        yield Disk(f"disk {device.get('deviceName')}", local=True)


def _of_template(props: Mapping[str, Any]) -> Iterator[Disk]:
    """If it does not define a root volume, that is as in the image."""
    if props.get("blockDeviceMappings") is UNKNOWN:
        return
    mappings = _used(props, "blockDeviceMappings")
    if not any(mapping.get("deviceName") in ROOT_DEVICES for mapping in mappings):
        yield Disk("the root volume")
    for mapping in mappings:
        ebs = next(at(mapping, "ebs"), {})
        encrypted = ebs is UNKNOWN or (isinstance(ebs, Mapping) and _encrypted(ebs))
        yield Disk(f"volume {mapping.get('deviceName')}", encrypted, local=bool(mapping.get("virtualName")))


def _used(props: Mapping[str, Any], path: str) -> list[Mapping[str, Any]]:
    """Without the devices that are removed from the image's."""
    return [device for device in entries(props, path) if device.get("noDevice") in (None, False, "false", "")]


def _encrypted(settings: Mapping[str, Any]) -> bool:
    return settings.get("encrypted") in (True, "true", UNKNOWN)


# What they are made from


@dataclass(frozen=True)
class Source:
    """The properties at these paths must name a resource of one of these types."""

    paths: tuple[str, ...]
    types: tuple[str, ...]


def _template(*paths: str) -> Source:
    return Source(paths, (LAUNCH_TEMPLATE,))


_MIXED = "mixedInstancesPolicy.launchTemplate"
# A resource that takes metadata options or disks from another one; the policies must be able to see that one.
SOURCES: Mapping[str, tuple[Source, ...]] = {
    INSTANCE: (_template(*OWN_TEMPLATE),),
    SCALING_GROUP: (
        _template(
            *OWN_TEMPLATE,
            *(f"{_MIXED}.launchTemplateSpecification.launchTemplate{name}" for name in ("Id", "Name")),
            *(f"{_MIXED}.overrides.launchTemplateSpecification.launchTemplate{name}" for name in ("Id", "Name")),
        ),
        Source(("launchConfiguration",), (LAUNCH_CONFIGURATION,)),
    ),
    FLEET: (
        _template(
            *(f"launchTemplateConfigs.launchTemplateSpecification.launchTemplate{name}" for name in ("Id", "Name"))
        ),
    ),
    SPOT_FLEET: (_template(*(f"launchTemplateConfigs.launchTemplateSpecification.{name}" for name in ("id", "name"))),),
    IMAGE: (Source(("ebsBlockDevices.snapshotId",), (SNAPSHOT, SNAPSHOT_COPY, SNAPSHOT_IMPORT)),),
    IMAGE_FROM_INSTANCE: (Source(("sourceInstanceId",), (INSTANCE,)),),
    SNAPSHOT: (Source(("volumeId",), (VOLUME, VOLUME_COPY, INSTANCE)),),
    VOLUME_COPY: (Source(("sourceVolumeId",), (VOLUME, VOLUME_COPY)),),
    VOLUME_ATTACHMENT: (Source(("volumeId",), (VOLUME, VOLUME_COPY)),),
}


def strangers(stack: Stack, resource: Resource) -> Iterator[str]:
    """What a resource is made from that does not belong to the stack, by name."""
    for source in SOURCES.get(resource.type, ()):
        for path in source.paths:
            prop, _, nested = path.partition(".")
            if resource.props.get(prop) is UNKNOWN and nested and not resource.refs.get(prop):
                continue  # not set: a preview waits for AWS to say it
            for value in at(resource.props, path):
                meant = [*stack.called(value), *_perhaps(stack, resource, path, value)]
                if not any(each.type in source.types for each in meant):
                    yield "something of another program" if value is UNKNOWN else str(value)


def _perhaps(stack: Stack, resource: Resource, path: str, value: object) -> Iterator[Resource]:
    """What a value may stand for if it names nothing here: while it is unknown, what its property comes from.

    Also later, if a provider never reveals which resource has which id; but not if the property names several things.
    """
    for each in stack.referred(resource, path.partition(".")[0]):
        if value is UNKNOWN or ("." not in path and "id" not in each.props):
            yield each
