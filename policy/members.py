"""The members of each security group, however they join it, and the role that the tag Role gives them. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from policy.openings import RULES, Opening
from policy.resources import UNKNOWN, Resource, Stack, at, entries, texts
from policy.tokens import (
    DEFAULT_GROUP,
    DEFAULT_VPC,
    EXCLUSIVE_RULES,
    GROUP_ATTACHMENT,
    INSTANCE,
    INTERFACE,
    INTERFACE_ATTACHMENT,
    LAUNCH_CONFIGURATION,
    LAUNCH_TEMPLATE,
    SCALING_GROUP,
    SECURITY_GROUP,
    SPOT_FLEET,
    SPOT_REQUEST,
    VPC,
    VPC_ASSOCIATION,
)

VPCS = (VPC, DEFAULT_VPC)
GROUPS = (SECURITY_GROUP, DEFAULT_GROUP, *VPCS)  # a VPC stands for its default group
# These name a group without joining it.
NOT_MEMBERS = {*GROUPS, *RULES, EXCLUSIVE_RULES, VPC_ASSOCIATION}
# A property that names groups, at the top or inside another: securityGroups, vpcSecurityGroupIds, securityGroupNames.
NAMES_GROUPS = re.compile(r"\w*[sS]ecurityGroup(s|Ids?|Names?)?")
# A resource that names another one in one of these properties gets its groups.
TAKES = (
    *("launchTemplate", "launchConfiguration", "mixedInstancesPolicy"),
    *("networkInterfaces", "primaryNetworkInterface"),
)
TAKES_ALSO = {INTERFACE_ATTACHMENT: ("networkInterfaceId",)}
# These pass their groups on to what they name.
GIVES = {
    GROUP_ATTACHMENT: ("networkInterfaceId",),
    INTERFACE_ATTACHMENT: ("instanceId",),
    INTERFACE: ("attachments",),
}
# In their VPC's default group if they name no other.
IN_DEFAULT_GROUP = (INSTANCE, SPOT_REQUEST, INTERFACE, LAUNCH_CONFIGURATION)  # and launch templates

ROLE = "Role"
# Where machines have their tags. For launch templates and autoscaling groups, see `_roles`. Nothing else has a role.
MACHINE_TAGS = {INSTANCE: "tags", INTERFACE: "tags", SPOT_REQUEST: "tags", SPOT_FLEET: "launchSpecifications.tags"}


@dataclass(frozen=True)
class Member:
    """`role` is the value of its tag, or of what it comes from; None if there is none."""

    resource: Resource
    role: object


class Members:
    """The members of each group of a stack."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._takers: dict[str, list[Resource]] = defaultdict(list)
        self._joined: dict[str, set[str]] = {}  # by carrier: the keys of what its properties name as groups
        self._undecided = []
        carriers = [each for each in stack.resources if each.type.startswith("aws:") and each.type not in NOT_MEMBERS]
        for resource in carriers:
            for prop in (*TAKES, *TAKES_ALSO.get(resource.type, ())):
                for named in stack.named(resource, prop):
                    self._takers[named.urn].append(resource)
            naming = [prop for prop in resource.props if _names_groups(prop, resource)]
            self._joined[resource.urn] = {key for prop in naming for key in stack.keys(resource, prop)}
            if not self._joined[resource.urn] and _left_to_aws(resource):
                self._undecided.append(resource)
        self._carriers: dict[str, list[Resource]] = defaultdict(list)
        for resource in carriers:
            for key in self._expanded(self._joined[resource.urn]):
                self._carriers[key].append(resource)

    def _expanded(self, keys: Iterable[str]) -> set[str]:
        """With the groups of entries that are not groups: `server.vpc_security_group_ids` names a server."""
        found: set[str] = set()
        more = set(keys)
        while more:
            found |= more
            more = {inner for key in more for inner in self._joined.get(key, ())} - found
        return found

    def groups(self, resource: Resource, opening: Opening) -> dict[str, Resource]:
        """The group that a rule of `resource` belongs to, by URN.

        If it is not in the stack, by its id and the rule itself.
        """
        if opening.group is None:
            return {resource.urn: resource}
        named = {each.urn: each for each in self._stack.named(resource, opening.group) if each.type in GROUPS}
        return named or dict.fromkeys(texts(resource.props.get(opening.group)), resource)

    def of(self, resource: Resource, opening: Opening) -> list[Member]:
        """The members of the group that a rule of `resource` belongs to."""
        groups = [group for group in self.groups(resource, opening).values() if group.type in GROUPS]
        keys = {group.urn for group in groups} | {text for group in groups for text in self._ids(group)}
        if opening.group is not None:
            keys |= self._expanded(self._stack.keys(resource, opening.group))
        for group in groups:
            if group.type == DEFAULT_GROUP:
                keys |= {vpc.urn for vpc in self._stack.named(group, "vpcId")}
        carriers = {carrier.urn: carrier for key in keys for carrier in self._carriers.get(key, ())}
        if any(group.type != SECURITY_GROUP for group in groups):
            carriers |= {each.urn: each for each in self._undecided if self._shares_vpc(each, groups)}
        return list(self._ends(list(carriers.values())))

    def _ends(self, carriers: list[Resource]) -> Iterator[Member]:
        """The machines, and everything else that has a role or passes its groups on to nothing."""
        found: list[tuple[Resource, object]] = [(carrier, None) for carrier in carriers]
        seen = set()
        while found:
            resource, inherited = found.pop()
            if (resource.urn, inherited) in seen:
                continue
            seen.add((resource.urn, inherited))
            onward = [*self._takers.get(resource.urn, ()), *self._given(resource)]
            roles = list(_roles(resource))
            if roles or not onward:
                yield from (Member(resource, role) for role in roles or [inherited])
            for role in roles or [inherited]:
                found += [(other, role) for other in onward]

    def _given(self, resource: Resource) -> Iterator[Resource]:
        for prop in GIVES.get(resource.type, ()):
            yield from self._stack.named(resource, prop)

    def _ids(self, group: Resource) -> Iterator[str]:
        yield from texts([group.props.get("id"), group.props.get("defaultSecurityGroupId")])

    def _shares_vpc(self, resource: Resource, groups: list[Resource]) -> bool:
        """Also true if the VPC of one of the two is unknown."""
        there = {key for group in groups for key in self._vpc(group)}
        here = self._vpc(resource)
        return not there or not here or bool(there & here)

    def _vpc(self, resource: Resource) -> frozenset[str]:
        if resource.type in VPCS:
            return frozenset([resource.urn])
        places = (place for prop in ("subnetId", "networkInterfaces") for place in self._stack.named(resource, prop))
        return self._stack.keys(resource, "vpcId").union(*(self._stack.keys(place, "vpcId") for place in places))


def _left_to_aws(resource: Resource) -> bool:
    """Whether nothing else names a group for it either, so that it gets its VPC's default one."""
    if resource.type == LAUNCH_TEMPLATE:
        return not any(at(resource.props, "networkInterfaces.networkInterfaceId"))
    return resource.type in IN_DEFAULT_GROUP and not any(_is_given(resource, prop) for prop in TAKES)


def _is_given(resource: Resource, prop: str) -> bool:
    """False if a preview waits for AWS to choose."""
    value = resource.props.get(prop)
    return bool(resource.refs.get(prop)) if value is UNKNOWN else bool(value)


def _names_groups(prop: str, resource: Resource) -> bool:
    return bool(NAMES_GROUPS.fullmatch(prop)) or any(map(NAMES_GROUPS.fullmatch, _names(resource.props[prop])))


def _names(value: object) -> Iterator[str]:
    """The names of properties within a value, at any depth."""
    if isinstance(value, Mapping):
        yield from value
    for inner in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _names(inner)


def _roles(resource: Resource) -> Iterator[object]:
    """The roles in the tags of the machines that come from a resource; UNKNOWN if they are not known yet."""
    for given in _machine_tags(resource):
        if given is UNKNOWN:
            yield UNKNOWN
        elif isinstance(given, Mapping) and ROLE in given:
            yield given[ROLE] if given[ROLE] is UNKNOWN else str(given[ROLE])


def _machine_tags(resource: Resource) -> Iterator[object]:
    if resource.type == LAUNCH_TEMPLATE:
        specifications = entries(resource.props, "tagSpecifications")
        yield from (each.get("tags") for each in specifications if each.get("resourceType") == "instance")
    elif resource.type == SCALING_GROUP:
        for tag in entries(resource.props, "tags"):
            if tag.get("key") == ROLE and tag.get("propagateAtLaunch") in (True, "true"):
                yield {ROLE: tag.get("value")}
    elif resource.type in MACHINE_TAGS:
        yield from at(resource.props, MACHINE_TAGS[resource.type])
