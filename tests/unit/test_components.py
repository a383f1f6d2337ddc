"""What every component keeps to: its arguments are its props, its outputs are registered, no child comes late, and
names begin with the cluster's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pulumi
import pulumi_aws
import pytest
from google.protobuf import json_format  # type: ignore[import-untyped]  # publishes no types
from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime import mocks

from chef_push_jobs.config.settings import Settings
from chef_push_jobs.runbook.plan import plan
from components import cluster
from components.cluster import NAME, ChefPushJobsCluster, make_cluster
from components.component import Component
from components.deferred import deferred_outputs
from tests import programs
from tests.unit.clusters import DEFAULTS, ROOT, settings
from tests.unit.test_arguments import CASES, Notes

KEY = "ssh-ed25519 " + "A" * 68
PRIVATE_KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nnobody may read this\n"
ENTRIES = [
    {"name": name, "fqdn": f"{name}.chef.test", "role": name.partition("-")[0], "address": f"10.0.0.{at}"}
    for at, name in enumerate(("backend-0", "backend-1", "frontend-0"), start=5)
]
EXISTING: dict[str, Any] = {"domain": None, "backends": None, "frontends": None, "servers": ENTRIES, "ssh": {}}
OWN: dict[str, Settings] = {
    **CASES,
    "existing": settings(**EXISTING),
    "private-key": settings(ssh={"keyName": "operators", "privateKey": PRIVATE_KEY}),
}
PACKAGED: dict[str, Any] = {
    "made": {
        **DEFAULTS,
        "bastion": {},
        "entry": {"loadBalancer": "internal"},
        "chefServer": {"apiFqdn": "api.chef.test"},
    },
    "existing": {
        name: value for name, value in {**DEFAULTS, **EXISTING, "highAvailability": None}.items() if value is not None
    },
    "private-key": {**DEFAULTS, "ssh": {"keyName": "operators", "privateKey": PRIVATE_KEY}},
}


@dataclass
class Registered:
    """What a program asked the engine for: resources as requests, and components' outputs by name."""

    resources: list[dict[str, Any]] = field(default_factory=list)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def components(self) -> list[dict[str, Any]]:
        return [one for one in self.resources if one["type"].startswith("chef-push-jobs:")]

    @property
    def names(self) -> set[tuple[str, str]]:
        """(type, name) of each."""
        return {(one["type"], one["name"]) for one in self.resources}


def registered(program: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> Registered:
    found = Registered()
    resource, outputs = mocks.MockMonitor.RegisterResource, mocks.MockMonitor.RegisterResourceOutputs

    def on_resource(monitor: Any, request: Any) -> Any:
        found.resources.append(json_format.MessageToDict(request))
        return resource(monitor, request)  # type: ignore[no-untyped-call]  # publishes no types

    def on_outputs(monitor: Any, request: Any) -> Any:
        name = request.urn.rpartition("::")[2]
        found.outputs[name] = json_format.MessageToDict(request).get("outputs", {})
        return outputs(monitor, request)  # type: ignore[no-untyped-call]  # publishes no types

    monkeypatch.setattr(mocks.MockMonitor, "RegisterResource", on_resource)
    monkeypatch.setattr(mocks.MockMonitor, "RegisterResourceOutputs", on_outputs)

    def silent() -> None:
        program()

    programs.run(silent, Notes())
    return found


def packaged(name: str, case: str) -> ChefPushJobsCluster:
    return ChefPushJobsCluster(name, PACKAGED[case], root=ROOT)


PROGRAMS: dict[str, Callable[[], Any]] = {
    **{f"own {name}": partial(make_cluster, plan(of)) for name, of in OWN.items()},
    **{f"packaged {case}": partial(packaged, "chef", case) for case in PACKAGED},
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_component_shows_its_arguments_which_wait_for_nothing_and_hold_no_secret(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = registered(PROGRAMS[name], monkeypatch)
    assert found.components
    for one in found.components:
        assert one.get("object"), f"{one['name']} has no props"
        assert not one.get("dependencies") and not one.get("propertyDependencies", {}).get("urns"), one["name"]
        assert len(json.dumps(one["object"])) < 2000, f"{one['name']} swells the state"
        assert "nobody may read this" not in json.dumps(one["object"])


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_component_registers_its_outputs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = registered(PROGRAMS[name], monkeypatch)
    assert found.outputs.keys() == {one["name"] for one in found.components}
    without = {one["type"].rpartition(":")[2] for one in found.components if not found.outputs[one["name"]]}
    assert without <= {"ChefEntry"}, "only where no load balancer is made"


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_component_makes_a_child_once_it_is_constructed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    constructed: list[pulumi.Resource] = []
    late: list[str] = []
    for kind in subclasses(Component):

        def construct(
            self: Component, *args: Any, init: Callable[..., None] = kind.__init__, kind: type = kind, **given: Any
        ) -> None:
            init(self, *args, **given)
            if type(self) is kind:
                constructed.append(self)

        monkeypatch.setattr(kind, "__init__", construct)
    init = pulumi.Resource.__init__

    def watch(self: pulumi.Resource, *args: Any, **given: Any) -> None:
        init(self, *args, **given)
        options = [one for one in (*args, *given.values()) if isinstance(one, pulumi.ResourceOptions)]
        if any(option.parent is one for option in options for one in constructed):
            late.append(args[1])

    monkeypatch.setattr(pulumi.Resource, "__init__", watch)
    registered(PROGRAMS[name], monkeypatch)
    assert constructed
    assert not late


def subclasses(kind: type[Component]) -> Iterator[type[Component]]:
    for below in kind.__subclasses__():
        yield below
        yield from subclasses(below)


# What the project's own program calls a resource, and what a cluster called chef does.
NAMES = """
chef-push-jobs:index:ChefNetwork           network                     chef-network
aws:ec2/vpc:Vpc                            network                     chef-network
aws:ec2/subnet:Subnet                      network-backend             chef-network-backend
aws:ec2/securityGroup:SecurityGroup        frontend                    chef-frontend
aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule out-backend-https chef-out-backend-https
chef-push-jobs:index:ChefServers           servers                     chef-servers
aws:ec2/instance:Instance                  backend-0                   chef-backend-0
aws:ec2/instance:Instance                  bastion                     chef-bastion
command:remote:Command                     connect-bastion             chef-connect-bastion
command:remote:Command                     connect-backend-0           chef-connect-backend-0
chef-push-jobs:index:HighAvailability      availability                chef-availability
aws:iam/role:Role                          availability-backend        chef-availability-backend
aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule in-peer-112 chef-in-peer-112
chef-push-jobs:index:ChefEntry             entry                       chef-entry
aws:lb/targetGroup:TargetGroup             entry-443                   chef-entry-443
aws:lb/targetGroupAttachment:TargetGroupAttachment entry-443-frontend-0 chef-entry-443-frontend-0
chef-push-jobs:index:Rollout               chef                        chef-chef
chef-push-jobs:index:Rollout               push-jobs                   chef-push-jobs
command:remote:Command                     push-jobs-copy-backend-1    chef-push-jobs-copy-backend-1
"""


def test_names_in_a_package_are_the_programs_own_with_the_clusters_before_them(monkeypatch: pytest.MonkeyPatch) -> None:
    of = cluster.plan_of(PACKAGED["made"], ROOT)
    own = registered(lambda: make_cluster(of), monkeypatch).names
    in_package = registered(lambda: packaged("chef", "made"), monkeypatch).names
    rows = [line.split() for line in NAMES.strip().splitlines()]
    assert {(kind, name) for kind, name, _ in rows} <= own
    assert {(kind, name) for kind, _, name in rows} <= in_package
    assert in_package == {(kind, f"chef-{name}") for kind, name in own} | {
        ("chef-push-jobs:index:ChefPushJobsCluster", "chef")
    }


def test_tags_and_rules_of_two_clusters_are_told_apart_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def program() -> None:
        packaged("alpha", "made")
        packaged("beta", "made")

    found = registered(program, monkeypatch)
    assert len(found.names) == len(found.resources), "no URN twice"
    tags = [one["object"]["tags"]["Name"] for one in found.resources if "Name" in one["object"].get("tags", {})]
    assert tags and {tag.partition("-")[0] for tag in tags} == {"alpha", "beta"}


def test_a_component_by_itself_names_its_children_after_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def program() -> None:
        made = Component("Toy", "toy", {}, None, None)
        assert made.prefix == "toy-"

    registered(program, monkeypatch)


LIMITS = {"aws:lb/loadBalancer:LoadBalancer": 32, "aws:lb/targetGroup:TargetGroup": 32, "aws:iam/role:Role": 64}
SUFFIX = len("-0123abc")  # that Pulumi gives


def test_the_longest_name_of_a_cluster_fits_what_aws_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    longest = next("x" * length for length in range(60, 0, -1) if NAME.fullmatch("x" * length))
    found = registered(lambda: packaged(longest, "made"), monkeypatch)
    lengths = {
        kind: max(len(one["name"]) for one in found.resources if one["type"] == kind) + SUFFIX for kind in LIMITS
    }
    assert all(lengths[kind] <= limit for kind, limit in LIMITS.items()), lengths
    assert lengths["aws:lb/targetGroup:TargetGroup"] == LIMITS["aws:lb/targetGroup:TargetGroup"], (
        "no shorter than needed"
    )


@pytest.mark.parametrize("name", ["", "x" * 15, "-a", "a-", "1a", "a.b", "a_b", "internal", "internal-a", "a b"])
def test_a_name_that_aws_would_refuse_is_refused_with_its_rule(name: str) -> None:
    with pytest.raises(pulumi.RunError, match="Rule: it has up to 14 letters"):
        ChefPushJobsCluster(name, PACKAGED["made"])


@given(st.from_regex(NAME, fullmatch=True))
def test_a_name_that_is_taken_begins_a_load_balancers(name: str) -> None:
    assert name.isascii() and name.replace("-", "").isalnum() and not f"{name}-entry".startswith("internal-")


def test_an_error_before_deferred_outputs_are_resolved_ends_the_program_and_is_the_one_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise ValueError("no servers today")

    monkeypatch.setattr(cluster, "Servers", fails)
    with pytest.raises(ValueError, match="no servers today"):
        registered(partial(packaged, "chef", "made"), monkeypatch)


def test_deferred_outputs_are_what_they_are_resolved_from(monkeypatch: pytest.MonkeyPatch) -> None:
    values: list[str] = []

    def program() -> None:
        with deferred_outputs(2) as (outputs, resolve):
            pulumi.Output.all(*outputs).apply(values.extend)
            resolve([pulumi.Output.from_input(text) for text in ("a", "b")])

    registered(program, monkeypatch)
    assert values == ["a", "b"]


def test_resources_and_look_ups_use_the_provider_in_the_clusters_options(monkeypatch: pytest.MonkeyPatch) -> None:
    used: dict[str, set[str]] = {}
    monkeypatch.setattr(Notes, "new_resource", noting(used, Notes.new_resource, "typ"))
    monkeypatch.setattr(Notes, "call", noting(used, Notes.call, "token"))
    zones: Any = {**PACKAGED["made"], "network": {"zones": ["us-east-1a"]}}

    def program() -> None:
        elsewhere = pulumi_aws.Provider("elsewhere", region="us-east-1")
        ChefPushJobsCluster("chef", zones, pulumi.ResourceOptions(providers=[elsewhere]), root=ROOT)

    registered(program, monkeypatch)
    asked = {kind: providers for kind, providers in used.items() if kind.startswith("aws:")}
    assert {"aws:ec2/getAmi:getAmi", "aws:ec2/getInstances:getInstances", "aws:ec2/instance:Instance"} <= asked.keys()
    assert "aws:index/getAvailabilityZones:getAvailabilityZones" in asked
    assert {provider.partition("::elsewhere::")[1] for providers in asked.values() for provider in providers} == {
        "::elsewhere::"
    }


def test_a_cluster_in_another_program_has_advice_and_refuses_changed_host_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def program() -> None:
        for name in ("one", "two"):
            packaged(name, "made")

    found = registered(program, monkeypatch)
    hooks = {one["name"]: one.get("hooks") or {} for one in found.resources}
    for its in ("one", "two"):
        assert set(hooks[f"{its}-backend-0"]["onError"]) == {f"{its}-none-after-a-failure", f"{its}-advice"}
        task = hooks[f"{its}-push-jobs-install-backend-0"]
        assert task["beforeCreate"] == task["beforeUpdate"] == [f"{its}-before-dialling"]


LOOK_UPS = {
    "aws:ec2/getAmi:getAmi": (
        "Your query returned no results. Please change your search criteria and try again.",
        "machines.image.name: 'ubuntu/images/hvm-ssd/ubuntu-xenial-16.04-amd64-server-*' of 099720109477",
    ),
    "aws:ec2/getVpcs:getVpcs": ("api error UnauthorizedOperation: no", "network.vpcId: api error UnauthorizedOp"),
    "aws:index/getAvailabilityZones:getAvailabilityZones": ("no credentials", "network.zones: no credentials\n"),
}


@pytest.mark.parametrize("token", LOOK_UPS)
def test_a_look_up_that_fails_is_told_by_its_setting_and_without_a_stack_trace(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, (said, told) = Notes.call, LOOK_UPS[token]

    def call(self: Notes, args: Any) -> Any:
        if args.token == token:
            return {}, [("", f"invocation of {token} returned an error: {said}")]
        return answer(self, args)

    monkeypatch.setattr(Notes, "call", call)
    there: Any = {
        "vpcId": "vpc-0e57a7e000000001",
        "backendSubnetId": "subnet-0a1b2c3d",
        "frontendSubnetIds": ["subnet-0a1b2c3d"],
    }
    network: Any = {"Zones": {"zones": ["us-east-1a"]}, "Vpcs": there}
    given = next((network[what] for what in network if what in token), None)
    settings: Any = {**PACKAGED["made"], "network": given} if given else PACKAGED["made"]
    if given is there:
        settings = {**DEFAULTS, "topology": "tier", "backends": "1", "highAvailability": None, "network": there}

    def program() -> None:
        ChefPushJobsCluster("chef", settings, root=ROOT)

    with pytest.raises(pulumi.RunError, match="1 problem in the stack's settings; nothing was changed") as refused:
        registered(program, monkeypatch)
    assert told in str(refused.value)


def test_a_provider_that_could_not_begin_has_said_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Notes, "call", lambda self, args: ({}, [("", "Invoke: context canceled")]))

    def program() -> None:
        ChefPushJobsCluster("chef", PACKAGED["made"], root=ROOT)

    with pytest.raises(pulumi.RunError, match=r"^nothing more starts, because of the error above$"):
        registered(program, monkeypatch)


def noting(used: dict[str, set[str]], method: Callable[..., Any], kind: str) -> Callable[..., Any]:
    def noted(self: Notes, args: Any) -> Any:
        used.setdefault(getattr(args, kind), set()).add(args.provider)
        return method(self, args)

    return noted
