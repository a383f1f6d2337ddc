"""The policies: what a resource, or a stack, must not be, each told as what, why, and what to do. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chef_push_jobs.model.topology import Role
from policy.known import PORTS, Known
from policy.resources import SECURITY_GROUPS, UNKNOWN, Opening, Resource, entries, openings
from policy.taggable import NAMED_BY_TAG, TAGGABLE

INSTANCE = "aws:ec2/instance:Instance"
LAUNCH_TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
VOLUME = "aws:ebs/volume:Volume"
MACHINES = (
    INSTANCE,
    LAUNCH_TEMPLATE,
    "aws:ec2/launchConfiguration:LaunchConfiguration",
    "aws:ec2/spotInstanceRequest:SpotInstanceRequest",
)
# What the SDKs say where nobody says anything.
NO_DESCRIPTION = (None, "", "Managed by Pulumi", "Managed by Terraform")


@dataclass(frozen=True)
class Violation:
    """`urn` is of the resource that is at fault, where it is not the one that was looked at."""

    what: str
    why: str
    remedy: str
    urn: str | None = None

    def __str__(self) -> str:
        return f"{self.what}.\n     Why: {self.why}.\n     Do:  {self.remedy}."


ResourceRule = Callable[[Resource, Known], Iterator[Violation]]
StackRule = Callable[[Sequence[Resource], Known], Iterator[Violation]]


@dataclass(frozen=True)
class Policy:
    """One of `resource` and `stack` is given. `uses_ports`: it can be told the ports by the pack's configuration."""

    name: str
    description: str
    resource: ResourceRule | None = None
    stack: StackRule | None = None
    uses_ports: bool = False


def _ways_in(resource: Resource, ports: Mapping[str, int]) -> Iterator[tuple[Opening, str, int]]:
    """Each opening with each of the ports that it lets in."""
    for opening in openings(resource):
        if opening.ingress:
            yield from ((opening, setting, port) for setting, port in ports.items() if opening.covers(port))


def push_jobs_world(resource: Resource, known: Known) -> Iterator[Violation]:
    for opening, setting, port in _ways_in(resource, known.clients):
        for network in opening.world:
            yield Violation(
                f"{resource.name} lets {network} in on port {port} ({setting})",
                "whoever reaches the push jobs ports can pose as a node, or keep real nodes from their jobs",
                "name the networks of the nodes in clientCidrs, and no wider ones",
            )
    api = {setting: port for setting, port in known.push_jobs.items() if setting not in known.clients}
    for opening, setting, port in _ways_in(resource, api):
        if opening.networks:
            yield Violation(
                f"{resource.name} lets {', '.join(opening.networks)} in on port {port} ({setting})",
                "the push jobs API trusts the frontends, which ask every request for its signature",
                "let the frontends' security group in (referencedSecurityGroupId), and no network",
            )


def ssh_world(resource: Resource, known: Known) -> Iterator[Violation]:
    """Port 22 too, where the stack's SSH listens elsewhere: an image may start its own."""
    for opening, _, port in _ways_in(resource, {"": 22, **known.ssh}):
        for network in opening.world:
            yield Violation(
                f"{resource.name} lets {network} in on port {port} (SSH)",
                "a server with the organization's secrets is found and tried within minutes there",
                "name the operators' networks in operatorCidrs, or come through a VPN or bastion",
            )


def imdsv2(resource: Resource, known: Known) -> Iterator[Violation]:
    if resource.type not in MACHINES or resource.props.get("metadataOptions") is UNKNOWN:
        return
    options = next(iter(entries(resource.props, "metadataOptions")), {})
    if options.get("httpTokens") in ("required", UNKNOWN) or options.get("httpEndpoint") == "disabled":
        return
    yield Violation(
        f"{resource.name} answers requests for metadata without a session token (IMDSv1)",
        "a server that can be made to fetch a URL then gives its instance profile's credentials away",
        'set metadataOptions: {httpTokens: "required", httpEndpoint: "enabled"}',
    )


def encryption(resource: Resource, known: Known) -> Iterator[Violation]:
    for volume, settings in _volumes(resource):
        if settings.get("encrypted") not in (True, "true", UNKNOWN):
            yield Violation(
                f"{volume} of {resource.name} is not encrypted",
                "keys, passwords and the whole database lie on it, and on every snapshot of it, readable",
                "set encrypted: true on it",
            )


def _volumes(resource: Resource) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The volumes that a resource is or brings. An instance has a root volume, whether it says so or not."""
    if resource.type == VOLUME:
        yield "the volume", resource.props
    elif resource.type == LAUNCH_TEMPLATE:
        for mapping in entries(resource.props, "blockDeviceMappings"):
            yield from ((f"volume {mapping.get('deviceName')}", ebs) for ebs in entries(mapping, "ebs"))
    elif resource.type in MACHINES:
        if resource.props.get("rootBlockDevice") is not UNKNOWN:
            yield "the root volume", next(iter(entries(resource.props, "rootBlockDevice")), {})
        for device in entries(resource.props, "ebsBlockDevices"):
            yield f"volume {device.get('deviceName')}", device


def tags(resource: Resource, known: Known) -> Iterator[Violation]:
    given = [resource.props.get(name) for name in ("tags", "tagsAll")]
    if resource.type not in TAGGABLE or UNKNOWN in given:
        return
    has = {key for each in given if isinstance(each, Mapping) for key in each}
    wanted = [*known.tags, *(["Name"] if resource.type in NAMED_BY_TAG else [])]
    if missing := [key for key in wanted if key not in has]:
        yield Violation(
            f"{resource.name} has no tag {', '.join(missing)}",
            "what has no name and no owner is found by nobody when it costs, fails or is to be deleted",
            "give it the stack's tags and a Name, as every other resource of the stack",
        )


def descriptions(resource: Resource, known: Known) -> Iterator[Violation]:
    if resource.type in SECURITY_GROUPS and resource.props.get("description") in NO_DESCRIPTION:
        yield Violation(
            f"security group {resource.name} has no description",
            "it cannot be given later: AWS replaces the group for it",
            "say in its description what it is for",
        )
    for opening in openings(resource):
        if opening.description in NO_DESCRIPTION:
            yield Violation(
                f"a rule of {resource.name} ({opening}) has no description",
                "a rule whose reason nobody knows is a rule that nobody dares to remove",
                "say in its description who needs it and for what",
            )


def backends_only(resources: Sequence[Resource], known: Known) -> Iterator[Violation]:
    instances = [resource for resource in resources if resource.type == INSTANCE]
    by_urn = {resource.urn: resource for resource in resources}
    for resource in resources:
        for opening, setting, port in _ways_in(resource, known.push_jobs):
            for machine in _members(resource, opening, by_urn, instances):
                role = _role(machine)
                if role not in (Role.BACKEND, UNKNOWN):
                    yield Violation(
                        f"{resource.name} opens port {port} ({setting}) on {machine.name}, "
                        + (f"a {role}" if role else "which has no tag Role"),
                        "push jobs runs on backends only: elsewhere the port is a way in that nobody watches",
                        "put the rule into the backends' security group",
                        resource.urn,
                    )


def _members(
    resource: Resource, opening: Opening, by_urn: Mapping[str, Resource], instances: Sequence[Resource]
) -> Iterator[Resource]:
    """The instances in the group that a rule belongs to."""
    groups = [resource] if opening.group is None else list(by_urn.values())
    groups = [group for group in groups if group.type in SECURITY_GROUPS]
    for group in groups:
        if opening.group is None or resource.comes_from(opening.group, group):
            yield from (machine for machine in instances if machine.comes_from("vpcSecurityGroupIds", group))


def _role(machine: Resource) -> object:
    given = machine.props.get("tags")
    return given.get("Role") if isinstance(given, Mapping) else given


def ports_agree(resources: Sequence[Resource], known: Known) -> Iterator[Violation]:
    for setting, own, given in known.disputed:
        yield Violation(
            f"{setting} is {own} in the stack and {given} in the policies' configuration",
            "one of the two would be checked, and the other one opened",
            f"take {given} out of the policies' configuration: the stack's own settings are read",
        )
    ways_in = [opening for resource in resources for opening in openings(resource) if opening.ingress]
    if not ways_in:
        return
    if missing := [name for name, setting in PORTS.items() if setting not in known.ports]:
        yield Violation(
            f"the policies do not know {', '.join(missing)}",
            "this stack has no settings of its own that say them, so nobody could see the ports opened to the world",
            "give them in the policies' configuration, see docs/policy.md",
        )
    for setting, port in known.clients.items():
        if not any(opening.covers(port) for opening in ways_in):
            yield Violation(
                f"no rule of the stack opens port {port} ({setting})",
                "nodes could not connect, or the policies watch another port than push jobs uses",
                f"open it from clientCidrs on the backends, or correct {setting}",
            )


POLICIES = (
    Policy(
        "push-jobs-closed-to-the-world",
        "Push jobs ports are open to named networks, its API to the frontends.",
        resource=push_jobs_world,
        uses_ports=True,
    ),
    Policy(
        "push-jobs-on-backends-only",
        "Push jobs ports are open on backends, and on no other server.",
        stack=backends_only,
        uses_ports=True,
    ),
    Policy(
        "push-jobs-ports-agree",
        "The ports that the policies watch are those that the stack opens.",
        stack=ports_agree,
        uses_ports=True,
    ),
    Policy("ssh-closed-to-the-world", "SSH is open to named networks.", resource=ssh_world, uses_ports=True),
    Policy("imdsv2-required", "Instance metadata needs a session token (IMDSv2).", resource=imdsv2),
    Policy("volumes-encrypted", "Volumes are encrypted.", resource=encryption),
    Policy("tags-present", "Resources have the stack's tags, and a Name.", resource=tags),
    Policy("rules-described", "Security groups and their rules say what they are for.", resource=descriptions),
)
