"""The policies: what a resource or a stack must not be; each violation says what, why, and what to do. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from policy.known import BACKEND, PORTS, Known
from policy.machines import answers_anybody, disks, hops, strangers, takes_no_options
from policy.members import Members
from policy.networks import is_wide, width
from policy.openings import Opening, openings
from policy.resources import UNKNOWN, Resource, Stack, at, texts
from policy.taggable import NAMED_BY_TAG, TAGGABLE
from policy.tokens import ENCRYPTION_BY_DEFAULT, PREFIX_LIST, PREFIX_LIST_ENTRY, SECURITY_GROUP
from policy.ways import leads_to

# The descriptions that the SDKs set by default.
NO_DESCRIPTION = (None, "", "Managed by Pulumi", "Managed by Terraform")
# Types that create AWS resources which the engine never shows, or shows in terms that the rules do not know.
OUT_OF_SIGHT = re.compile(
    r"aws:cloudformation/stack.*|aws:cloudcontrol/.*|aws:servicecatalog/provisionedProduct:.*"
    r"|aws:serverlessrepository/.*|aws:index/.*|aws-native:(autoscaling|cloudformation|ec2|elasticloadbalancing.*):.*"
)


@dataclass(frozen=True)
class Violation:
    """`urn` is the resource at fault, if it is not the one that was checked."""

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
    """Either `resource` or `stack` is set. `uses_ports`: the pack's configuration can give it the ports."""

    name: str
    description: str
    resource: ResourceRule | None = None
    stack: StackRule | None = None
    uses_ports: bool = False


def _ways_in(resource: Resource, ports: Mapping[str, int]) -> Iterator[tuple[Opening, str, int]]:
    """Each opening with each of the ports that it opens."""
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
    for opening, setting, port in _ways_in(resource, known.api):
        if opening.sources:
            yield Violation(
                f"{resource.name} lets {opening.sources} in on port {port} ({setting})",
                "the push jobs API trusts the frontends, which ask every request for its signature",
                "let the frontends' security group in (referencedSecurityGroupId), and no network",
            )


def ssh_world(resource: Resource, known: Known) -> Iterator[Violation]:
    for opening, setting, port in _ways_in(resource, known.ssh):
        for network in opening.world:
            yield Violation(
                f"{resource.name} lets {network} in on port {port} ({setting})",
                "a server with the organization's secrets is found and tried within minutes there",
                "name the operators' networks in operatorCidrs, or come through a VPN or bastion",
            )


def prefix_lists(resources: Sequence[Resource], known: Known) -> Iterator[Violation]:
    stack = Stack(resources)
    for resource in resources:
        for opening, setting, port in _ways_in(resource, {**known.clients, **known.ssh}):
            for name, networks in _listed(stack, resource, opening):
                wide = ", ".join(sorted(filter(is_wide, networks or ())))
                if networks is None or wide:
                    yield Violation(
                        f"{resource.name} lets {wide or 'whoever is listed'} in on port {port} ({setting}) by {name}",
                        "a prefix list is as wide as its entries, and whoever changes it changes who comes in",
                        "name the networks in the rule, or make the list in this stack, of networks that name somebody",
                        resource.urn,
                    )


def _listed(stack: Stack, resource: Resource, opening: Opening) -> Iterator[tuple[str, set[str] | None]]:
    """Each prefix list of a rule with its networks; None if it does not belong to this stack."""
    for id in opening.prefix_lists:
        named = stack.referred(resource, opening.prop) if id is UNKNOWN else stack.called(id)
        lists = [each for each in named if each.type == PREFIX_LIST]
        for each in lists:
            yield f"prefix list {each.name}", set(texts(list(at(each.props, "entries.cidr")))) | _separate(stack, each)
        if not lists:
            yield "a prefix list that is not of this stack" if id is UNKNOWN else f"prefix list {id}", None


def _separate(stack: Stack, prefix_list: Resource) -> set[str]:
    """Entries that are separate resources."""
    found = (each for each in stack.resources if each.type == PREFIX_LIST_ENTRY)
    return {
        text
        for each in found
        if prefix_list in stack.named(each, "prefixListId")
        for text in texts(each.props.get("cidr"))
    }


def world_in_sum(resources: Sequence[Resource], known: Known) -> Iterator[Violation]:
    """For a machine in several groups, the sum over all of them. Another policy checks each network alone."""
    stack = Stack(resources)
    members = Members(stack)
    networks: dict[tuple[str, str], set[str]] = defaultdict(set)  # by group or machine, and setting
    shown: dict[str, Resource] = {}
    groups_of: dict[str, set[str]] = defaultdict(set)
    for resource in resources:
        for opening, setting, _ in _ways_in(resource, {**known.clients, **known.ssh}):
            listed = [each or set() for _, each in _listed(stack, resource, opening)]
            groups = members.groups(resource, opening)
            machines = {member.resource.urn: member.resource for member in members.of(resource, opening)}
            for key, each in {**groups, **machines}.items():
                networks[key, setting] |= {text for text in set(opening.networks).union(*listed) if not is_wide(text)}
                shown.setdefault(key, each)
            for urn in machines:
                groups_of[urn] |= groups.keys()
    too_wide = {key: together for key, each in networks.items() if (together := width(each))}
    for (key, setting), together in too_wide.items():
        if not any((group, setting) in too_wide for group in groups_of[key]):
            yield Violation(
                f"{shown[key].name} lets {len(networks[key, setting])} networks in ({setting}), "
                f"together as wide as {together}",
                "the world in parts is the world: that many addresses name nobody",
                "name the networks that need it, fewer or narrower ones",
                shown[key].urn,
            )


def backends_only(resources: Sequence[Resource], known: Known) -> Iterator[Violation]:
    members = Members(Stack(resources))
    for resource in resources:
        for opening, setting, port in _ways_in(resource, known.push_jobs):
            for member in members.of(resource, opening):
                if member.role not in (BACKEND, UNKNOWN):
                    yield Violation(
                        f"{resource.name} opens port {port} ({setting}) on {member.resource.name}, "
                        + (f"a {member.role}" if member.role else "which has no tag Role"),
                        "push jobs runs on backends only: elsewhere the port is a way in that nobody watches",
                        "put the rule into the backends' security group, and nothing else into that group",
                        resource.urn,
                    )


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
            "this stack has no settings that name them, so nobody would notice if these ports were open to the world",
            "set them in the policies' configuration, see docs/policy.md",
        )
    for setting, port in known.clients.items():
        if not any(opening.covers(port) for opening in ways_in):
            yield Violation(
                f"no rule of the stack opens port {port} ({setting})",
                "nodes could not connect, or the policies watch another port than push jobs uses",
                f"open it from clientCidrs on the backends, or correct {setting}",
            )


def ways_through(resource: Resource, known: Known) -> Iterator[Violation]:
    for first, last in leads_to(resource):
        for setting, port in known.guarded.items():
            if first <= port <= last:
                yield Violation(
                    f"{resource.name} leads to port {port} ({setting})",
                    "behind a load balancer everybody has its address: the servers' security groups let all of them in",
                    "let it serve 80 and 443 alone: nodes and operators come to the servers themselves",
                )


def imdsv2(resource: Resource, known: Known) -> Iterator[Violation]:
    if takes_no_options(resource):
        yield Violation(
            f"{resource.name} starts machines that answer requests for metadata without a session token (IMDSv1)",
            "EC2 takes no metadata options from such a request, whatever is written there",
            "use an instance with instanceMarketOptions, or a fleet with a launch template",
        )
    if answers_anybody(resource):
        yield Violation(
            f"{resource.name} answers requests for metadata without a session token (IMDSv1)",
            "an attacker who can make the server fetch a URL then gets its instance profile's credentials",
            'set httpTokens: "required", and httpEndpoint: "enabled", in its metadataOptions',
        )
    if most := hops(resource):
        yield Violation(
            f"{resource.name} lets a session token for metadata travel {most} hops",
            "what forwards packets on the server, a container or a proxy, then gets the instance profile's credentials",
            "set httpPutResponseHopLimit: 1, or leave it out",
        )


def encryption(resource: Resource, known: Known) -> Iterator[Violation]:
    for disk in disks(resource):
        if disk.local:
            yield Violation(
                f"{disk.name} of {resource.name} is the host's own (instance store)",
                "it is gone with the machine, database and all, and no key of yours encrypts it",
                "use a volume of EBS, with encrypted: true",
            )
        elif not disk.encrypted:
            yield Violation(
                f"{disk.name} of {resource.name} is not encrypted",
                "keys, passwords and the whole database lie on it, and on every snapshot of it, readable",
                "set encrypted: true on it",
            )
    if resource.type == ENCRYPTION_BY_DEFAULT and resource.props.get("enabled") in (False, "false"):
        yield Violation(
            f"{resource.name} turns off encryption by default, for the whole account in its region",
            "every volume that does not say it is encrypted is readable from then on, by whomever it is made",
            "leave it on: set enabled: true",
        )


def sources(resources: Sequence[Resource], known: Known) -> Iterator[Violation]:
    stack = Stack(resources)
    for resource in resources:
        for stranger in strangers(stack, resource):
            yield Violation(
                f"{resource.name} is made from {stranger}, which is not of this stack",
                "nobody sees whether its volumes are encrypted, and its metadata needs a session token",
                "make that in this stack, or import it, so that the policies see it",
                resource.urn,
            )


def out_of_sight(resource: Resource, known: Known) -> Iterator[Violation]:
    if OUT_OF_SIGHT.fullmatch(resource.type):
        yield Violation(
            f"{resource.name} ({resource.type}) makes what the policies cannot read",
            "a security group or a machine in there is checked by none of them",
            "make it by resources of the provider aws",
        )


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
            "give it the stack's tags and a Name, like every other resource of the stack",
        )


def descriptions(resource: Resource, known: Known) -> Iterator[Violation]:
    if resource.type == SECURITY_GROUP and resource.props.get("description") in NO_DESCRIPTION:
        yield Violation(
            f"security group {resource.name} has no description",
            "it cannot be added later: AWS would replace the group",
            "say in its description what it is for",
        )
    for opening in openings(resource):
        if opening.description in NO_DESCRIPTION:
            yield Violation(
                f"a rule of {resource.name} ({opening}) has no description",
                "a rule whose reason nobody knows is a rule that nobody dares to remove",
                "say in its description who needs it and for what",
            )


POLICIES = (
    Policy(
        "push-jobs-closed-to-the-world",
        "Push jobs ports are open to named networks, its API to the frontends.",
        resource=push_jobs_world,
        uses_ports=True,
    ),
    Policy("ssh-closed-to-the-world", "SSH is open to named networks.", resource=ssh_world, uses_ports=True),
    Policy(
        "prefix-lists-in-sight",
        "Prefix lists that push jobs or SSH are open to are of this stack, and of named networks.",
        stack=prefix_lists,
        uses_ports=True,
    ),
    Policy(
        "networks-few-in-sum",
        "The networks that push jobs or SSH are open to are no wider together than one of them may be.",
        stack=world_in_sum,
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
    Policy(
        "load-balancers-lead-elsewhere",
        "No load balancer leads to push jobs or to SSH.",
        resource=ways_through,
        uses_ports=True,
    ),
    Policy(
        "imdsv2-required", "Instance metadata needs a session token (IMDSv2), and stays on the host.", resource=imdsv2
    ),
    Policy("volumes-encrypted", "Volumes are encrypted, and none is the host's own.", resource=encryption),
    Policy("sources-in-sight", "What machines and disks are made from is of this stack.", stack=sources),
    Policy("nothing-out-of-sight", "Everything on AWS is made in words that the policies read.", resource=out_of_sight),
    Policy("tags-present", "Resources have the stack's tags, and a Name.", resource=tags),
    Policy("rules-described", "Security groups and their rules say what they are for.", resource=descriptions),
)
