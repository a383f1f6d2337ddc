"""The plugin of pulumi-aws 7.51.1: its resource types and functions. Everything else is refused."""

from __future__ import annotations

from typing import Any

import grpc  # type: ignore[import-untyped]  # publishes no types

from sandbox.plugins.aws import cidr_reservation, iam, volume
from sandbox.plugins.aws.api import API, CONFIG, explain
from sandbox.plugins.aws.functions import FUNCTIONS
from sandbox.plugins.aws.instance import INSTANCE
from sandbox.plugins.aws.internet_gateway import GATEWAY
from sandbox.plugins.aws.key_pair import KEY_PAIR
from sandbox.plugins.aws.kind import limited
from sandbox.plugins.aws.load_balancer import BALANCER
from sandbox.plugins.aws.nat import ADDRESS, NAT
from sandbox.plugins.aws.plural_functions import PLURAL_FUNCTIONS
from sandbox.plugins.aws.record import RECORD
from sandbox.plugins.aws.routing import ASSOCIATION, ROUTE, TABLE
from sandbox.plugins.aws.security_group import GROUP
from sandbox.plugins.aws.security_group_rule import RULES
from sandbox.plugins.aws.subnet import SUBNET
from sandbox.plugins.aws.target_group import ATTACHMENT, LISTENER, TARGET_GROUP
from sandbox.plugins.aws.vpc import VPC
from sandbox.plugins.framework import diff
from sandbox.plugins.framework.provider import Provider, serve
from sandbox.plugins.framework.table import Plugin
from sandbox.plugins.framework.values import from_struct, to_struct

KINDS = {
    kind.token: kind
    for kind in (
        *(VPC, SUBNET, GATEWAY, TABLE, ROUTE, ASSOCIATION, GROUP, *RULES, KEY_PAIR, INSTANCE),
        *(ADDRESS, NAT),
        *(BALANCER, TARGET_GROUP, ATTACHMENT, LISTENER, RECORD),
        *(*iam.KINDS, *volume.KINDS, *cidr_reservation.KINDS),
    )
}

PLUGIN = Plugin(
    name="aws",
    version="7.51.1",
    resources=[kind.row() for kind in KINDS.values()],
    functions=(*FUNCTIONS, *PLURAL_FUNCTIONS, *cidr_reservation.FUNCTIONS),
    config=CONFIG,
    configure=API.configure,
    explain=explain,
)


class AwsProvider(Provider):
    """The shared provider, with Diff as in bridged Terraform types, and a region whose change replaces the provider."""

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self.boundary(context):
            row = self.row(request)
            kind = KINDS[row.token]
            state, _ = from_struct(request.olds)
            olds, old_secrets = (
                from_struct(request.old_inputs) if request.HasField("old_inputs") else from_struct(request.olds)
            )
            news, new_secrets = from_struct(request.news)
            call = self.call(request, id=request.id, inputs=news, state=state)
            kinds = kind.changes(call, olds, news, request.ignoreChanges, old_secrets | new_secrets)
            replaced = any(what.endswith("-replace") for what in kinds.values())
            return diff.changes(kinds, replaced and kind.deleted_first(olds, news, call.name))

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        answer = super().Read(request, context)
        old, _ = from_struct(request.inputs)
        found, secrets = from_struct(answer.inputs)
        kind = KINDS[self.row(request).token]
        found = found if old else {name: value for name, value in found.items() if name not in kind.not_imported}
        answer.inputs.CopyFrom(to_struct(limited(found, old, kind.row().inputs), secrets))
        return answer

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        answer = super().DiffConfig(request, context)
        kinds = dict.fromkeys(answer.diffs, "update")
        return diff.changes(kinds | ({"region": "update-replace"} if "region" in kinds else {}))


def main() -> None:
    """Serves as the engine starts it."""
    serve(PLUGIN, AwsProvider)
