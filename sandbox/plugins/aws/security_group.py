"""EC2 security group. Left out: rules inside it, because each is a separate resource."""

from __future__ import annotations

from sandbox.plugins.aws.api import API, found_tags, retag, specified
from sandbox.plugins.aws.kind import Kind, generated_name
from sandbox.plugins.aws.lookup import described
from sandbox.plugins.framework.table import Call, Failure, Input
from sandbox.plugins.framework.values import Values


def make_group(call: Call) -> str:
    given = call.inputs
    network = {"VpcId": given["vpcId"]} if given.get("vpcId") else {}
    answer = API.ec2.create_security_group(
        GroupName=given["name"], Description=given["description"], **network, **specified(call, "security-group")
    )
    return str(answer["GroupId"])


def finish_group(call: Call, identity: str) -> None:
    """The API allows all outgoing traffic in a new group; the provider removes that rule, so that only rules decide."""
    group = API.ec2.describe_security_groups(GroupIds=[identity])["SecurityGroups"][0]
    if group["IpPermissionsEgress"]:
        API.ec2.revoke_security_group_egress(GroupId=identity, IpPermissions=group["IpPermissionsEgress"])


def change_group(call: Call) -> None:
    retag(call, call.id)


def find_group(call: Call, identity: str) -> Values | None:
    group = described("describe_security_groups", "SecurityGroups", GroupIds=[identity])
    if group is None:
        return None
    return {
        "arn": API.arn(f"security-group/{identity}"),
        "name": group["GroupName"],
        "description": group["Description"],
        "ownerId": group["OwnerId"],
        "vpcId": group.get("VpcId", ""),
        **found_tags(call, group.get("Tags")),
    }


def remove_group(call: Call) -> None:
    if call.state.get("revokeRulesOnDelete"):
        group = described("describe_security_groups", "SecurityGroups", GroupIds=[call.id]) or {}
        if group.get("IpPermissions"):
            API.ec2.revoke_security_group_ingress(GroupId=call.id, IpPermissions=group["IpPermissions"])
        if group.get("IpPermissionsEgress"):
            API.ec2.revoke_security_group_egress(GroupId=call.id, IpPermissions=group["IpPermissionsEgress"])
    API.ec2.delete_security_group(GroupId=call.id)


def check_group(values: Values) -> list[Failure]:
    name = values.get("name")
    if isinstance(name, str) and name.startswith("sg-"):
        return [Failure("name", 'invalid value: a group\'s name cannot begin with "sg-"')]
    if values.get("description") == "":
        return [Failure("description", "expected a length from 1 to 255")]
    return []


GROUP = Kind(
    "aws:ec2/securityGroup:SecurityGroup",
    noun="EC2 Security Group",
    inputs={
        "name": Input(str, default=generated_name, replaces=True),
        "description": Input(str, default="Managed by Pulumi", replaces=True),
        "vpcId": Input(str, replaces=True),
        "revokeRulesOnDelete": Input(bool, default=False),
    },
    computed=("vpcId",),
    write_only=("revokeRulesOnDelete",),
    outputs=("arn", "ownerId"),
    named="name",
    make=make_group,
    finish=finish_group,
    find=find_group,
    change=change_group,
    remove=remove_group,
    check=check_group,
)
