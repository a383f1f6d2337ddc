"""Route 53 alias record. Left out: records with their own values, routing policies and health checks."""

from __future__ import annotations

from typing import Any

from sandbox.plugins.aws.api import API, code_of
from sandbox.plugins.aws.kind import Kind, only
from sandbox.plugins.aws.lookup import first
from sandbox.plugins.framework.table import Call, Failure, Input
from sandbox.plugins.framework.values import UNKNOWN, Values


def make_record(call: Call) -> str:
    given = call.inputs
    _submit("CREATE", given)
    return f"{given['zoneId']}_{given['name']}_{given['type']}"


def _submit(action: str, given: Values) -> None:
    alias = given["aliases"][0]
    record = {
        "Name": given["name"],
        "Type": given["type"],
        "AliasTarget": {
            "DNSName": alias["name"],
            "HostedZoneId": alias["zoneId"],
            "EvaluateTargetHealth": alias["evaluateTargetHealth"],
        },
    }
    changes = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
    API.client("route53").change_resource_record_sets(HostedZoneId=given["zoneId"], ChangeBatch=changes)


def find_record(call: Call, identity: str) -> Values | None:
    known = call.state | call.inputs
    record = _listed(known)
    if record is None or "AliasTarget" not in record:
        return None
    alias = record["AliasTarget"]
    return {
        "zoneId": known["zoneId"],
        "name": known["name"],
        "type": record["Type"],
        "fqdn": known["name"],
        "aliases": [
            {
                "name": alias["DNSName"].rstrip("."),
                "zoneId": alias["HostedZoneId"],
                "evaluateTargetHealth": alias["EvaluateTargetHealth"],
            }
        ],
    }


def _listed(known: Values) -> Any:
    try:
        pages = API.client("route53").get_paginator("list_resource_record_sets").paginate(HostedZoneId=known["zoneId"])
        records = [each for page in pages for each in page["ResourceRecordSets"]]
    except API.client("route53").exceptions.ClientError as error:
        if code_of(error) == "NoSuchHostedZone":
            return None
        raise
    alike = [each for each in records if (each["Name"].rstrip("."), each["Type"]) == (known["name"], known["type"])]
    return first(alike)


def remove_record(call: Call) -> None:
    if _listed(call.state) is not None:
        _submit("DELETE", call.state)


def check_record(values: Values) -> list[Failure]:
    aliases = values.get("aliases")
    if aliases is UNKNOWN or (isinstance(aliases, list) and len(aliases) == 1):
        return only(values, type="A")
    return [Failure("aliases", "this stand-in implements records with one alias only")]


RECORD = Kind(
    "aws:route53/record:Record",
    noun="Route 53 Record",
    inputs={
        "zoneId": Input(str, required=True, replaces=True),
        "name": Input(str, required=True, replaces=True),
        "type": Input(str, required=True, replaces=True),
        "aliases": Input(
            list,
            each=Input(
                dict,
                fields={
                    "name": Input(str, required=True),
                    "zoneId": Input(str, required=True),
                    "evaluateTargetHealth": Input(bool, required=True),
                },
            ),
        ),
    },
    outputs=("fqdn",),
    make=make_record,
    find=find_record,
    change=lambda call: _submit("UPSERT", call.inputs),
    remove=remove_record,
    check=check_record,
    tagged=False,
    regional=False,
)
