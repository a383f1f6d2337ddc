"""Target group of a network load balancer, its instances, and the listener that forwards to them. TCP only."""

from __future__ import annotations

import secrets
from typing import Any

from sandbox.plugins.aws.kind import Kind, generated_name, only
from sandbox.plugins.aws.load_balancer import attributes_as_text, check_name, elb, retag_arn, tagged, tags_of_arn
from sandbox.plugins.aws.lookup import described, first
from sandbox.plugins.framework.table import Call, Failure, Input
from sandbox.plugins.framework.values import Values

HEALTH = {
    "enabled": "HealthCheckEnabled",
    "protocol": "HealthCheckProtocol",
    "path": "HealthCheckPath",
    "port": "HealthCheckPort",
    "interval": "HealthCheckIntervalSeconds",
    "timeout": "HealthCheckTimeoutSeconds",
    "healthyThreshold": "HealthyThresholdCount",
    "unhealthyThreshold": "UnhealthyThresholdCount",
}


DELAY = "deregistration_delay.timeout_seconds"
ATTRIBUTES = {"preserveClientIp": "preserve_client_ip.enabled", "deregistrationDelay": DELAY}


def _health(call: Call) -> dict[str, Any]:
    given = call.inputs.get("healthCheck") or {}
    return {key: given[name] for name, key in HEALTH.items() if given.get(name) is not None}


def make_group(call: Call) -> str:
    given = call.inputs
    answer = elb().create_target_group(
        Name=given["name"],
        Protocol=given["protocol"],
        Port=given["port"],
        VpcId=given["vpcId"],
        TargetType=given["targetType"],
        **_health(call),
        **tagged(call),
    )
    return str(answer["TargetGroups"][0]["TargetGroupArn"])


def set_attributes(call: Call, identity: str) -> None:
    attributes = attributes_as_text(call.inputs, ATTRIBUTES)
    if attributes:
        elb().modify_target_group_attributes(TargetGroupArn=identity, Attributes=attributes)


def change_group(call: Call) -> None:
    if _health(call):
        elb().modify_target_group(TargetGroupArn=call.id, **_health(call))
    set_attributes(call, call.id)
    retag_arn(call, call.id)


def find_group(call: Call, identity: str) -> Values | None:
    group = described("describe_target_groups", "TargetGroups", service="elbv2", TargetGroupArns=[identity])
    if group is None:
        return None
    answer = elb().describe_target_group_attributes(TargetGroupArn=identity)["Attributes"]
    attributes = {each["Key"]: each["Value"] for each in answer}
    return {
        "arn": identity,
        "arnSuffix": identity.rsplit(":", 1)[1],
        "name": group["TargetGroupName"],
        "port": group["Port"],
        "protocol": group["Protocol"],
        "targetType": group["TargetType"],
        "vpcId": group["VpcId"],
        "loadBalancerArns": group.get("LoadBalancerArns") or [],
        "healthCheck": {name: group[key] for name, key in HEALTH.items() if group.get(key) is not None},
        "preserveClientIp": attributes.get(ATTRIBUTES["preserveClientIp"], "true"),
        "deregistrationDelay": int(attributes[DELAY]),
        **tags_of_arn(call, identity),
    }


def make_attachment(call: Call) -> str:
    elb().register_targets(TargetGroupArn=call.inputs["targetGroupArn"], Targets=[_target(call)])
    return f"{call.inputs['targetGroupArn']}-{secrets.token_hex(13)}"


def _target(call: Call) -> dict[str, Any]:
    known = call.state | call.inputs
    return {"Id": known["targetId"], **({"Port": known["port"]} if known.get("port") else {})}


def find_attachment(call: Call, identity: str) -> Values | None:
    known = call.state | call.inputs
    try:
        answer = elb().describe_target_health(TargetGroupArn=known["targetGroupArn"])["TargetHealthDescriptions"]
    except elb().exceptions.TargetGroupNotFoundException:
        return None
    if not any(each["Target"]["Id"] == known["targetId"] for each in answer):
        return None
    return {name: known[name] for name in ("targetGroupArn", "targetId", "port") if name in known}


def remove_attachment(call: Call) -> None:
    elb().deregister_targets(TargetGroupArn=call.state["targetGroupArn"], Targets=[_target(call)])


def _actions(call: Call) -> list[dict[str, Any]]:
    actions = call.inputs["defaultActions"]
    return [{"Type": each["type"], "TargetGroupArn": each["targetGroupArn"]} for each in actions]


def make_listener(call: Call) -> str:
    given = call.inputs
    answer = elb().create_listener(
        LoadBalancerArn=given["loadBalancerArn"],
        Port=given["port"],
        Protocol=given["protocol"],
        DefaultActions=_actions(call),
        **tagged(call),
    )
    return str(answer["Listeners"][0]["ListenerArn"])


def change_listener(call: Call) -> None:
    given = call.inputs
    elb().modify_listener(
        ListenerArn=call.id, Port=given["port"], Protocol=given["protocol"], DefaultActions=_actions(call)
    )
    retag_arn(call, call.id)


def find_listener(call: Call, identity: str) -> Values | None:
    listener = described("describe_listeners", "Listeners", service="elbv2", ListenerArns=[identity])
    if listener is None:
        return None
    action = first(listener["DefaultActions"])
    return {
        "arn": identity,
        "loadBalancerArn": listener["LoadBalancerArn"],
        "port": listener["Port"],
        "protocol": listener["Protocol"],
        "defaultActions": [{"type": action["Type"], "targetGroupArn": action["TargetGroupArn"]}],
        **tags_of_arn(call, identity),
    }


def check_group(values: Values) -> list[Failure]:
    return [*check_name(values), *only(values, protocol="TCP", targetType="instance"), *_health_failures(values)]


def _health_failures(values: Values) -> list[Failure]:
    health = values.get("healthCheck")
    if isinstance(health, dict) and health.get("protocol") == "TCP" and health.get("path"):
        return [Failure("healthCheck.path", '"health_check.path" cannot be specified when "protocol" is "TCP"')]
    return []


TARGET_GROUP = Kind(
    "aws:lb/targetGroup:TargetGroup",
    noun="ELBv2 Target Group",
    inputs={
        "name": Input(str, default=generated_name, replaces=True),
        "port": Input(int, required=True, replaces=True),
        "protocol": Input(str, required=True, replaces=True),
        "targetType": Input(str, default="instance", replaces=True),
        "vpcId": Input(str, required=True, replaces=True),
        "preserveClientIp": Input(str),
        "deregistrationDelay": Input(int, default=300),
        "healthCheck": Input(
            dict,
            fields={
                "enabled": Input(bool, default=True),
                "protocol": Input(str, default="HTTP"),
                "port": Input(str, default="traffic-port"),
                "path": Input(str),
                "interval": Input(int, default=30),
                "timeout": Input(int),
                **dict.fromkeys(("healthyThreshold", "unhealthyThreshold"), Input(int, default=3)),
            },
        ),
    },
    computed=("healthCheck", "preserveClientIp"),
    outputs=("arn", "arnSuffix", "loadBalancerArns"),
    named="name",
    make=make_group,
    finish=set_attributes,
    find=find_group,
    change=change_group,
    remove=lambda call: elb().delete_target_group(TargetGroupArn=call.id),
    check=check_group,
)

ATTACHMENT = Kind(
    "aws:lb/targetGroupAttachment:TargetGroupAttachment",
    noun="ELBv2 Target Group Attachment",
    inputs={
        "targetGroupArn": Input(str, required=True, replaces=True),
        "targetId": Input(str, required=True, replaces=True),
        "port": Input(int, replaces=True),
    },
    make=make_attachment,
    find=find_attachment,
    remove=remove_attachment,
    tagged=False,
)

LISTENER = Kind(
    "aws:lb/listener:Listener",
    noun="ELBv2 Listener",
    inputs={
        "loadBalancerArn": Input(str, required=True, replaces=True),
        "port": Input(int, required=True),
        "protocol": Input(str, required=True),
        "defaultActions": Input(
            list,
            required=True,
            each=Input(dict, fields={"type": Input(str, required=True), "targetGroupArn": Input(str, required=True)}),
        ),
    },
    outputs=("arn",),
    make=make_listener,
    find=find_listener,
    change=change_listener,
    remove=lambda call: elb().delete_listener(ListenerArn=call.id),
    check=lambda values: only(values, protocol="TCP"),
)
