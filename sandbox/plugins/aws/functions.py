"""Look-ups: getAmi, getAvailabilityZones, getVpc, getSubnet. They fail unless they find exactly one result."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.plugins.aws.api import API
from sandbox.plugins.framework.table import Call, Function, Input, PluginError
from sandbox.plugins.framework.values import Values

NOTHING = "no matching {what} found"
SEVERAL = "multiple {what}s matched; use additional constraints to reduce matches to a single {what}"
NO_AMI = "Your query returned no results. Please change your search criteria and try again."
AMIS = (
    "Your query returned more than one result. Please try a more specific search criteria, "
    "or set `most_recent` attribute to true."
)
UNSAFE_AMI = (
    "Most Recent Image Not Filtered: `most_recent` is set to true and results are not filtered by owner or image ID. "
    "With this configuration, a third party may introduce a new image which will be returned by this data source. "
    "Consider filtering by owner or image ID, or setting `allow_unsafe_filter` to true."
)

FILTERS = Input(
    list,
    each=Input(dict, fields={"name": Input(str, required=True), "values": Input(list, required=True, each=Input(str))}),
)
TAGS = Input(dict, each=Input(str))

IMAGE = {
    "arn": "", "architecture": "Architecture", "creationDate": "CreationDate", "description": "Description",
    "hypervisor": "Hypervisor", "imageId": "ImageId", "imageLocation": "ImageLocation", "imageType": "ImageType",
    "name": "Name", "ownerId": "OwnerId", "public": "Public", "rootDeviceName": "RootDeviceName",
    "rootDeviceType": "RootDeviceType", "state": "State", "virtualizationType": "VirtualizationType",
}  # fmt: skip


def filters_of(given: Values, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The API's filters: the program's own, its tags, and arguments that are filters under other names."""
    own = [{"Name": each["name"], "Values": each["values"]} for each in given.get("filters") or []]
    tags = [{"Name": f"tag:{key}", "Values": [value]} for key, value in (given.get("tags") or {}).items()]
    named = [{"Name": names[name], "Values": [_text(given[name])]} for name in names if given.get(name) is not None]
    return [*own, *tags, *named]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def tags_of(found: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in found.get("Tags") or []}


def only_one(found: Sequence[Any], what: str) -> Any:
    if len(found) == 1:
        return found[0]
    raise PluginError((SEVERAL if found else NOTHING).format(what=what))


def get_ami(call: Call) -> Values:
    given = call.inputs
    filters, owners = filters_of(given, {}), given.get("owners") or []
    by_image = any(each["Name"] in ("image-id", "owner-id") for each in filters)
    if given.get("mostRecent") and not owners and not by_image and not given.get("allowUnsafeFilter"):
        raise PluginError(UNSAFE_AMI)
    request = {
        "Filters": filters,
        "Owners": owners,
        "ExecutableUsers": given.get("executableUsers") or [],
        "IncludeDeprecated": given.get("includeDeprecated"),
    }
    images = API.ec2.describe_images(**{key: value for key, value in request.items() if value})["Images"]
    if given.get("nameRegex"):
        images = [image for image in images if re.search(given["nameRegex"], image.get("Name", ""))]
    if not images:
        raise PluginError(NO_AMI)
    if len(images) > 1 and not given.get("mostRecent"):
        raise PluginError(AMIS)
    image = max(images, key=lambda each: str(each["CreationDate"]))
    values = {name: image[key] for name, key in IMAGE.items() if image.get(key) is not None}
    return {
        **given,
        **values,
        "id": image["ImageId"],
        "arn": f"arn:aws:ec2:{API.region}::image/{image['ImageId']}",
        "mostRecent": bool(given.get("mostRecent")),
        "tags": tags_of(image),
        "region": API.region,
    }


def get_zones(call: Call) -> Values:
    given = call.inputs
    request: dict[str, Any] = {"AllAvailabilityZones": bool(given.get("allAvailabilityZones"))}
    filters = filters_of(given, {"state": "state"})
    zones = API.ec2.describe_availability_zones(**request, **({"Filters": filters} if filters else {}))[
        "AvailabilityZones"
    ]
    excluded = {*(given.get("excludeNames") or []), *(given.get("excludeZoneIds") or [])}
    zones = sorted(
        (each for each in zones if not {each["ZoneName"], each["ZoneId"]} & excluded),
        key=lambda each: str(each["ZoneName"]),
    )
    return {
        **given,
        "id": API.region,
        "region": API.region,
        "names": [zone["ZoneName"] for zone in zones],
        "zoneIds": [zone["ZoneId"] for zone in zones],
        "groupNames": sorted({zone["GroupName"] for zone in zones if zone.get("GroupName")}),
    }


def get_vpc(call: Call) -> Values:
    given = call.inputs
    named = {
        "cidrBlock": "cidr",
        "default": "is-default",
        "dhcpOptionsId": "dhcp-options-id",
        "state": "state",
        "id": "vpc-id",
    }
    vpc = only_one(API.ec2.describe_vpcs(Filters=filters_of(given, named))["Vpcs"], "EC2 VPC")
    identity = vpc["VpcId"]
    main = API.ec2.describe_route_tables(
        Filters=[{"Name": "vpc-id", "Values": [identity]}, {"Name": "association.main", "Values": ["true"]}]
    )["RouteTables"]
    return {
        **given,
        "id": identity,
        "arn": API.arn(f"vpc/{identity}"),
        "cidrBlock": vpc["CidrBlock"],
        "default": vpc["IsDefault"],
        "dhcpOptionsId": vpc.get("DhcpOptionsId", ""),
        "instanceTenancy": vpc["InstanceTenancy"],
        "mainRouteTableId": main[0]["RouteTableId"] if main else "",
        "ownerId": vpc["OwnerId"],
        "state": vpc["State"],
        "enableDnsSupport": _dns(identity, "enableDnsSupport"),
        "enableDnsHostnames": _dns(identity, "enableDnsHostnames"),
        "tags": tags_of(vpc),
        "region": API.region,
    }


def _dns(identity: str, attribute: str) -> bool:
    answer = API.ec2.describe_vpc_attribute(VpcId=identity, Attribute=attribute)
    return bool(answer[attribute[0].upper() + attribute[1:]]["Value"])


def get_subnet(call: Call) -> Values:
    given = call.inputs
    named = {
        "availabilityZone": "availability-zone",
        "cidrBlock": "cidr-block",
        "defaultForAz": "default-for-az",
        "id": "subnet-id",
        "state": "state",
        "vpcId": "vpc-id",
    }
    subnet = only_one(API.ec2.describe_subnets(Filters=filters_of(given, named))["Subnets"], "EC2 Subnet")
    return {
        **given,
        "id": subnet["SubnetId"],
        "arn": API.arn(f"subnet/{subnet['SubnetId']}"),
        "availabilityZone": subnet["AvailabilityZone"],
        "availabilityZoneId": subnet["AvailabilityZoneId"],
        "availableIpAddressCount": subnet["AvailableIpAddressCount"],
        "cidrBlock": subnet["CidrBlock"],
        "defaultForAz": subnet["DefaultForAz"],
        "mapPublicIpOnLaunch": subnet["MapPublicIpOnLaunch"],
        "ownerId": subnet["OwnerId"],
        "state": subnet["State"],
        "vpcId": subnet["VpcId"],
        "tags": tags_of(subnet),
        "region": API.region,
    }


FUNCTIONS = (
    Function(
        "aws:ec2/getAmi:getAmi",
        inputs={
            "owners": Input(list, each=Input(str)),
            "filters": FILTERS,
            "mostRecent": Input(bool),
            "nameRegex": Input(str),
            "executableUsers": Input(list, each=Input(str)),
            "allowUnsafeFilter": Input(bool),
            "includeDeprecated": Input(bool),
        },
        run=get_ami,
    ),
    Function(
        "aws:index/getAvailabilityZones:getAvailabilityZones",
        inputs={
            "state": Input(str),
            "filters": FILTERS,
            "allAvailabilityZones": Input(bool),
            "excludeNames": Input(list, each=Input(str)),
            "excludeZoneIds": Input(list, each=Input(str)),
        },
        run=get_zones,
    ),
    Function(
        "aws:ec2/getVpc:getVpc",
        inputs={
            **dict.fromkeys(("id", "cidrBlock", "dhcpOptionsId", "state"), Input(str)),
            "default": Input(bool),
            "filters": FILTERS,
            "tags": TAGS,
        },
        run=get_vpc,
    ),
    Function(
        "aws:ec2/getSubnet:getSubnet",
        inputs={
            **dict.fromkeys(("id", "vpcId", "cidrBlock", "availabilityZone", "state"), Input(str)),
            "defaultForAz": Input(bool),
            "filters": FILTERS,
            "tags": TAGS,
        },
        run=get_subnet,
    ),
)
