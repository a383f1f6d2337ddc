"""What an operator can get wrong, with the exact message; docs/settings.md is for reading, this is for holding."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from chef_push_jobs.config.network_checks import CALLS
from chef_push_jobs.config.settings import SettingsError
from chef_push_jobs.runbook.push_jobs import settings_file
from chef_push_jobs.runbook.stack import load_settings
from tests.unit.clusters import PUSH_JOBS, ROOT, SHA256, raw, settings

LOWER = "an FQDN has at least two dot-separated labels of lower-case letters, digits and hyphens"
NAME = "a name has 1 to 32 lower-case letters, digits and hyphens, starts with a letter and does not end with a hyphen"
ONCE = "every port may be used only once"
CIDR = "it must be an IPv4 network in CIDR notation without host bits; IPv6 is not supported"
CIDR_REMEDY = "write it as, for example, 10.1.0.0/24"
TEXT = "only letters, digits, spaces and . _ : / @ , = + * ( ) - are allowed"
TAG_KEY = "a tag's key has 1 to 127 letters, digits, spaces and _ . : / = + @ -, and does not begin with aws:"
TAG_VALUE = "a tag's value has at most 256 letters, digits, spaces and _ . : / = + @ -, as IAM and load balancers do"
TEXT_REMEDY = "remove quotes, shell characters and other special characters"
WORLD = "for specific networks only, not for the whole internet (/8 at the widest)"
FILE_NAME = "a package file's name must end in .deb or .rpm and may only contain letters, digits and . _ + ~ -"
ONE_OF = "text, a whole number"
NO_PASSWORDS = "a URL must not contain a password: it is sent to servers and stored in the state unencrypted"
PORT_RULE, PORT_REMEDY = "a port is a whole number from 1 to 65535", "choose a port in that range"
URL = f"https://packages.test/{PUSH_JOBS}"

# changes to good settings, and the one problem that they make: (setting, given, rule, remedy)
TABLE: list[tuple[Mapping[str, Any], tuple[str, str, str, str]]] = [
    (
        {"topology": "cluster"},
        ("topology", "'cluster'", "it is one of 'standalone', 'tier' or 'ha'", "choose one of them"),
    ),
    (
        {"topology": None},
        (
            "topology",
            "not given",
            "it is required: the kind of cluster: standalone, tier or ha",
            "set it",
        ),
    ),
    (
        {"backends": "3"},
        (
            "topology",
            "3 backend(s) and 2 frontend(s) with topology ha",
            "ha has two backends and at least one frontend",
            "change the number of servers",
        ),
    ),
    (
        {"backends": "1"},
        (
            "topology",
            "1 backend(s) and 2 frontend(s) with topology ha",
            "ha has two backends and at least one frontend",
            "set topology to tier, or change the servers",
        ),
    ),
    (
        {"frontends": "0"},
        (
            "topology",
            "2 backend(s) and 0 frontend(s) with topology ha",
            "ha has two backends and at least one frontend",
            "change the number of servers",
        ),
    ),
    (
        {"frontends": None},
        (
            "frontends",
            "not given",
            "topology ha has two backends and at least one frontend, named backend-0, frontend-0, … in domain",
            "set frontends, or list the servers under servers",
        ),
    ),
    (
        {"entry.loadBalancerCidrs": ["0.0.0.0/0"]},
        ("entry.loadBalancerCidrs", "'0.0.0.0/0'", f"the API {WORLD}", "list the networks that need it"),
    ),
    (
        {"entry.loadBalancerCidrs": ["10.2.0.0/24", "10.2.0.0/24"]},
        ("entry.loadBalancerCidrs", "'10.2.0.0/24', twice", "each network may be listed only once", "remove one"),
    ),
    ({"ssh": "-----BEGIN KEY"}, ("ssh", "a single value", "it has keys and values", "see docs/settings.md")),
    ({"servers": "[again]"}, ("servers", "'[again]'", "it is a list", "correct it; see docs/settings.md")),
    ({"frontends": "many"}, ("frontends", "'many'", "it must be a whole number", "correct it; see docs/settings.md")),
    *(
        (raw, (setting, "'true'", "it must be a whole number", "correct it; see docs/settings.md"))
        for raw, setting in (
            ({"frontends": "true"}, "frontends"),
            ({"timeLimits": {"install": True}}, "timeLimits.install"),
            ({"machines": {"volumeSize": True}}, "machines.volumeSize"),
            ({"ssh": {"perDialTimeout": True}}, "ssh.perDialTimeout"),
        )
    ),
    *(
        (
            {"chefServer": {"settings": {"a": value}}},
            (f"chefServer.settings.a{below}", shown, f"it is {ONE_OF}{more}", "correct it; see docs/settings.md"),
        )
        for value, below, shown, more in (
            ([1], "", "1 entries", ", true or false or a table of such values"),
            (None, "", "'null'", ", true or false or a table of such values"),
            ({"b": [1, 2]}, ".b", "2 entries", " or true or false"),
            ({"b": {"c": 1}}, ".b", "1 entries", " or true or false"),
        )
    ),
    *(
        (raw, (setting, "a URL with a password", NO_PASSWORDS, "use a URL without one, and change the password"))
        for raw, setting in (
            ({"domain": "HTTPS://user:very-secret@h.test"}, "domain"),
            ({"tags": {"proxy": "http://user:very-secret@h.test"}}, "tags.proxy"),
            ({"tags": {"ftp://user:very-secret@h.test": "x"}}, "tags"),
            ({"clientCidrs": ["x://:very-secret@h.test"]}, "clientCidrs[0]"),
            (
                {"chefServer": {"settings": {"ldap": {"host": "ldaps://u:p@ldap.test"}}}},
                "chefServer.settings.ldap.host",
            ),
        )
    ),
    ({"frontends": "-1"}, ("frontends", "'-1'", "it is at least 0", "choose such a number")),
    (
        {"machines": {"image": {"owner": 99720109477}}},
        (
            "machines.image.owner",
            "'99720109477'",
            "it is text",
            "put it in quotes; on the command line: `pulumi config set --path --type string`",
        ),
    ),
    ({"domian": "x"}, ("domian", "given", "there is no such setting", "write domain")),
    (
        {"domain": "Chef.test"},
        (
            "domain",
            "'Chef.test'",
            "it must have at least two labels of lower-case letters, digits and hyphens, separated by dots",
            "write it as, for example, chef.example.com",
        ),
    ),
    (
        {"domain": "chef.test; id"},
        (
            "domain",
            "'chef.test; id'",
            "it must have at least two labels of lower-case letters, digits and hyphens, separated by dots",
            "write it as, for example, chef.example.com",
        ),
    ),
    ({"clientCidrs": ["::/0"]}, ("clientCidrs[0]", "'::/0'", CIDR, CIDR_REMEDY)),
    ({"clientCidrs": ["10.1.0.1/24"]}, ("clientCidrs[0]", "'10.1.0.1/24'", CIDR, CIDR_REMEDY)),
    ({"clientCidrs": ["10.1.0.0"]}, ("clientCidrs[0]", "'10.1.0.0'", CIDR, CIDR_REMEDY)),
    (
        {"clientCidrs": []},
        ("clientCidrs", "0 entries", "it must have at least one entry", "correct it; see docs/settings.md"),
    ),
    (
        {"clientCidrs": ["0.0.0.0/0"]},
        (
            "clientCidrs",
            "'0.0.0.0/0'",
            f"push jobs ports {WORLD}",
            "list the networks that need it, or set allowClientsFromAnywhere to true if you mean it",
        ),
    ),
    (
        {"operatorCidrs": ["0.0.0.0/1"]},
        (
            "operatorCidrs",
            "'0.0.0.0/1'",
            f"SSH {WORLD}",
            "list the networks that need it, or set allowOperatorsFromAnywhere to true if you mean it",
        ),
    ),
    ({"pushJobs.heartbeatPort": 70000}, ("pushJobs.heartbeatPort", "'70000'", PORT_RULE, PORT_REMEDY)),
    ({"pushJobs.commandPort": 0}, ("pushJobs.commandPort", "'0'", PORT_RULE, PORT_REMEDY)),
    (
        {"pushJobs.commandPort": 10000},
        ("pushJobs.heartbeatPort", "10000, as pushJobs.commandPort", ONCE, "choose another port for one of them"),
    ),
    (
        {"pushJobs.apiPort": 443},
        (
            "pushJobs.apiPort",
            "443",
            "Chef server itself uses it (Chef server API over HTTPS)",
            "choose a port that Chef server does not use",
        ),
    ),
    (
        {"pushJobs.settings": {"command_port": 10002}},
        (
            "pushJobs.settings.command_port",
            "given here",
            "ports have their own settings, because the firewall and the test need them too",
            "use heartbeatPort, commandPort or apiPort",
        ),
    ),
    (
        {"pushJobs.settings": {"vip": "a'; system('id')"}},
        ("pushJobs.settings.vip", "'a'; system('id')'", TEXT, TEXT_REMEDY),
    ),
    (
        {"pushJobs.package": {"file": "none.deb"}},
        (
            "pushJobs.package.file",
            "'none.deb'",
            "the file must exist and be readable (No such file or directory)",
            "put the package there, or correct the path; it is relative to Pulumi.yaml",
        ),
    ),
    (
        {"pushJobs.package": {"url": URL}},
        (
            "pushJobs.package.sha256",
            "not given",
            "a package from a URL needs its SHA-256, so that every server installs the same bytes",
            "add the sha256 that the vendor publishes",
        ),
    ),
    (
        {"pushJobs.package": {"url": URL, "sha256": SHA256[:-1]}},
        (
            "pushJobs.package.sha256",
            f"'{SHA256[:-1]}'",
            "a SHA-256 is 64 lower-case hexadecimal digits",
            "copy it from `sha256sum FILE`",
        ),
    ),
    (
        {"pushJobs.package": {"url": f"{URL}$(id).deb", "sha256": SHA256}},
        (
            "pushJobs.package.url",
            f"'{URL}$(id).deb'",
            "a URL must start with https:// or http:// and contain no spaces, quotes or shell characters",
            "set the URL of the package file",
        ),
    ),
    (
        {"pushJobs.package": {"url": URL.replace("amd64", "arm64"), "sha256": SHA256}},
        (
            "pushJobs.package",
            f"'{PUSH_JOBS.replace('amd64', 'arm64')}' is for arm64",
            "the servers are amd64 (setting architecture)",
            "use the package for amd64, or change architecture and instanceType",
        ),
    ),
    (
        {"pushJobs.package": {}},
        (
            "pushJobs.package",
            "neither file nor url",
            "a package needs exactly one of them",
            "set file, or url and sha256",
        ),
    ),
    (
        {"ssh.user": "ubuntu;id"},
        (
            "ssh.user",
            "'ubuntu;id'",
            "a user name may only contain letters, digits and . _ -, and a domain after an @",
            "enter the login user as `id -un` prints it on the server",
        ),
    ),
    (
        {"ssh.publicKeyFile": "id.pub"},
        (
            "ssh",
            "both keyName and publicKeyFile",
            "exactly one of them must be set, for new servers to accept",
            "set publicKeyFile to the .pub file of a key in your ssh-agent",
        ),
    ),
    *(
        ({"tags": {key: value}}, (f"tags.{key}", f"'{value}'", TAG_VALUE, "remove other characters"))
        for key, value in (("team", "`id`"), ("team", "one, two"), ("team", "v" * 257), ("team", "D&T"))
    ),
    *(
        ({"tags": {key: "x"}}, (f"tags.{key}", f"'{key}'", TAG_KEY, "remove other characters"))
        for key in ("k" * 128, "aws:owner", "AWS:owner", "a,b")
    ),
    (
        {"tags": {"Fqdn": "x"}},
        ("tags.Fqdn", "'Fqdn'", "the stack sets Name, Fqdn and Role itself", "choose another key"),
    ),
    (
        {"tags": dict.fromkeys(map(str, range(48)), "x")},
        (
            "tags",
            "48 entries",
            "AWS allows 50 tags per resource, of which the stack sets 3 itself",
            "set at most 47 tags",
        ),
    ),
    (
        {"chefServer": {"apiFqdn": "chef"}},
        (
            "chefServer.apiFqdn",
            "'chef'",
            "it must have at least two labels of lower-case letters, digits and hyphens, separated by dots",
            "write it as, for example, chef.example.com",
        ),
    ),
    (
        {"timeLimits": {"instal": 5}},
        (
            "timeLimits.instal",
            "'instal'",
            "it is one of 'connect', 'compare-credentials', 'install', 'configure', 'reconfigure-primary', 'rotate', "
            "'share', 'copy', 'reconfigure', 'chef-reconfigure', 'restart-pushy', 'test' or 'test-again'",
            "choose one of them",
        ),
    ),
    (
        {"servers": [{"name": "a", "fqdn": "a.test", "role": "backend"}]},
        (
            "servers",
            "given beside domain, backends, frontends",
            "set either servers, or domain and counts",
            "remove one of the two",
        ),
    ),
]

AWS = {"provider": "aws"}
POLICY_ARN = "arn:aws:iam::123456789012:policy/"
PROFILE_ARN = "arn:aws:iam::123456789012:instance-profile/backends"
VIP = (
    "it must be in the backends' subnet, 10.0.0.0/20, but not one of its first four addresses or its last one, "
    "which AWS reserves"
)
VIP_REMEDY = "choose one, for example 10.0.15.254, or leave it out"
NO_PROVIDER = (
    "highAvailability",
    "not given, with topology ha",
    "without it Chef server uses DRBD, which new machines do not have, and its reconfigure fails",
    "set highAvailability.provider to aws (docs/failover.md), or topology to tier",
)
TABLE += [
    ({"highAvailability": None}, NO_PROVIDER),
    (
        {
            "highAvailability": None,
            **dict.fromkeys(("domain", "backends", "frontends")),
            "servers": [
                {"name": name, "fqdn": f"{name}.test", "role": name[:-2]}
                for name in ("backend-0", "backend-1", "frontend-0")
            ],
        },
        NO_PROVIDER,
    ),
    (
        {"highAvailability": {}},
        (
            "highAvailability.provider",
            "not given",
            "it is required: the platform that moves the address and the data: aws",
            "set it",
        ),
    ),
    (
        {"highAvailability": {"provider": "drbd"}},
        ("highAvailability.provider", "'drbd'", "it is one of 'aws'", "choose one of them"),
    ),
    (
        {"highAvailability": AWS, "topology": "tier", "backends": "1"},
        (
            "highAvailability",
            "given with topology tier",
            "only the two backends of an ha cluster can take over from each other",
            "remove it, or set topology to ha",
        ),
    ),
    *(
        ({"highAvailability": {**AWS, "vip": vip}}, ("highAvailability.vip", f"'{vip}'", VIP, VIP_REMEDY))
        for vip in ("10.0.16.4", "10.0.0.0", "10.0.0.3", "10.0.15.255", "192.0.2.4")
    ),
    (
        {"highAvailability": {**AWS, "vip": "backend"}},
        ("highAvailability.vip", "'backend'", "it must be an IPv4 address", "write it as, for example, 10.0.0.4"),
    ),
    (
        {"highAvailability": {**AWS, "device": "xvdf"}},
        (
            "highAvailability.device",
            "'xvdf'",
            "it must be one of EC2's device names, /dev/sdb to /dev/xvdz",
            "write it as /dev/xvdf",
        ),
    ),
    (
        {"highAvailability": {**AWS, "package": {"file": "chef-ha.deb"}}},
        (
            "highAvailability.package.file",
            "given",
            "the backends download this package; it is not uploaded",
            "set url and sha256",
        ),
    ),
    (
        {"highAvailability": {**AWS, "instanceProfile": "backends", "permissionsBoundary": f"{POLICY_ARN}edge"}},
        (
            "highAvailability.permissionsBoundary",
            "given",
            "it limits the role that the stack creates, but with instanceProfile the stack creates none",
            "remove one of the two",
        ),
    ),
    (
        {"highAvailability": {**AWS, "instanceProfile": PROFILE_ARN}},
        (
            "highAvailability.instanceProfile",
            f"'{PROFILE_ARN}'",
            "it must be the name of an instance profile, not its ARN",
            "copy it from `aws iam list-instance-profiles`",
        ),
    ),
    (
        {"highAvailability": {**AWS, "permissionsBoundary": "edge"}},
        (
            "highAvailability.permissionsBoundary",
            "'edge'",
            "it must be the ARN of a managed policy",
            "copy it from `aws iam list-policies`",
        ),
    ),
    (
        {"machines": {"metadata": "v1"}},
        ("machines.metadata", "'v1'", "it is one of 'required' or 'optional'", "choose one of them"),
    ),
    ({"bastion": {"volumeSize": 7}}, ("bastion.volumeSize", "'7'", "it is at least 8", "choose such a number")),
]

EXISTING: dict[str, Any] = {
    "domain": None,
    "backends": None,
    "frontends": None,
    "ssh": {"user": "ubuntu"},
    "topology": "tier",
    "servers": [
        {"name": "a", "fqdn": "a.test", "role": "backend", "address": "10.0.0.4"},
        {"name": "b", "fqdn": "b.test", "role": "frontend", "address": "10.0.0.5"},
    ],
}
FOR_NEW = ("it only applies to machines that the stack creates", "remove it")
TABLE += [
    ({**EXISTING, "ssh": {"keyName": "k"}}, ("ssh.keyName", "given", *FOR_NEW)),
    ({**EXISTING, "highAvailability": AWS}, ("highAvailability", "given", *FOR_NEW)),
    ({**EXISTING, "machines": {"metadata": "optional"}}, ("machines.metadata", "given", *FOR_NEW)),
    ({**EXISTING, "machines": {"instanceType": "m5.large"}}, ("machines.instanceType", "given", *FOR_NEW)),
    (
        {**EXISTING, "servers": [EXISTING["servers"][0], {"name": "b", "fqdn": "b.test", "role": "frontend"}]},
        (
            "servers",
            "no address for b",
            "either all servers exist already or the stack creates all of them",
            "give all of them an address, or none",
        ),
    ),
    (
        {"uninstallOnDestroy": "true"},
        ("uninstallOnDestroy", "given", "it only applies to existing servers, which have an address", "remove it"),
    ),
    (
        {
            **EXISTING,
            "ssh": {"keyName": "k"},
            "servers": [
                {"name": "a", "fqdn": "a.test", "role": "backend", "privateAddress": "172.16.0.4"},
                {"name": "b", "fqdn": "b.test", "role": "frontend"},
            ],
        },
        (
            "servers[0].privateAddress",
            "given",
            "it only applies to existing servers, which have an address",
            "remove it",
        ),
    ),
    (
        {**EXISTING, "servers": [{**EXISTING["servers"][0], "address": "fe80::1"}, EXISTING["servers"][1]]},
        ("servers[0].address", "'fe80::1'", "it must be an IPv4 address", "write it as, for example, 10.0.0.4"),
    ),
]


PRIVATE = {"network": {"private": "servers"}}
FOUND: dict[str, Any] = {
    "vpcId": "vpc-0a1b2c3d",
    "backendSubnetId": "subnet-0a1b2c3d",
    "frontendSubnetIds": ["subnet-0a1b2c3e"],
}
FOR_MADE = ("it only applies to a VPC that the stack creates", "remove it")
FOR_FOUND = ("it only applies to an existing VPC, set in vpcId", "remove it")
ONE_NAME = "clients reach Chef server under one name, the one in its certificate"
LASTING = "clients need a name for Chef server that stays the same when the load balancer is replaced"
AMD64 = "the servers, their image and packages are amd64 (machines.architecture)"
AMD64_REMEDY = "choose a type for amd64, for example m5.large or t3.micro, or change machines.architecture"
GROUP_ARN = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/chef/0123456789abcdef"
API = {"apiFqdn": "api.chef.test"}
TABLE += [
    (
        {"network": {"vpcId": "vpc-x"}},
        ("network.vpcId", "'vpc-x'", "it must be the id of a VPC", "write it as, for example, vpc-0a1b2c3d"),
    ),
    (
        {"network": {"zones": ["eu-central-1"]}},
        (
            "network.zones[0]",
            "'eu-central-1'",
            "it must be the name of an availability zone",
            "write it as, for example, eu-central-1a",
        ),
    ),
    (
        {"network": {"zones": ["eu-central-1a", "eu-central-1a"]}},
        ("network.zones", "'eu-central-1a', twice", "each zone may be listed only once", "remove one"),
    ),
    ({"network": FOUND, "vpcCidr": "10.0.0.0/16"}, ("vpcCidr", "given", *FOR_MADE)),
    ({"network": {**FOUND, "nat": True}}, ("network.nat", "given", *FOR_MADE)),
    ({"network": {"publicSubnetIds": ["subnet-0a1b2c3d"]}}, ("network.publicSubnetIds", "given", *FOR_FOUND)),
    (
        {"network": {**FOUND, "backendSubnetId": None}},
        (
            "network.backendSubnetId",
            "not given",
            "backends are in a subnet of the VPC set in vpcId",
            "give backendSubnetId",
        ),
    ),
    (
        {"network": {**FOUND, "frontendSubnetIds": []}},
        (
            "network.frontendSubnetIds",
            "not given",
            "frontends are in a subnet of the VPC set in vpcId",
            "give frontendSubnetIds",
        ),
    ),
    (
        {"network": {**FOUND, "frontendSubnetIds": ["subnet-0a1b2c3e"] * 2}},
        ("network.frontendSubnetIds", "'subnet-0a1b2c3e', twice", "each subnet may be listed only once", "remove one"),
    ),
    (
        {"network": FOUND, "bastion": {}},
        (
            "network.publicSubnetIds",
            "not given",
            "a bastion and a public load balancer are in a subnet of the VPC set in vpcId",
            "give publicSubnetIds",
        ),
    ),
    (
        {"network": {"nat": True}},
        (
            "network.nat",
            "true, without private servers",
            "a NAT gateway is only useful for servers in private subnets",
            "set network.private, or remove it",
        ),
    ),
    (
        {**PRIVATE, "ssh.address": "public"},
        (
            "ssh.address",
            "public, with network.private servers",
            "servers in private subnets have no public address",
            "set it to private, and add a bastion",
        ),
    ),
    (
        {"network": {"private": "servers", "zones": ["eu-a-1a", "eu-a-1b", "eu-a-1c"]}, "vpcCidr": "10.0.0.0/24"},
        (
            "vpcCidr",
            "'10.0.0.0/24'",
            "it has room for 4 subnets, but these zones and tiers need 6",
            "choose a larger network or fewer zones",
        ),
    ),
    (
        {"bastion": {}, "ssh.proxy": {"host": "192.0.2.1"}},
        (
            "bastion",
            "set together with ssh.proxy",
            "connections can only go through one bastion",
            "remove ssh.proxy if the stack should create the bastion",
        ),
    ),
    (
        {
            **dict.fromkeys(("domain", "backends", "frontends")),
            "topology": "standalone",
            "bastion": {},
            "servers": [{"name": "bastion", "fqdn": "a.test.org", "role": "backend"}],
        },
        ("servers", "name 'bastion'", "the bastion that the stack creates has that name", "rename the server"),
    ),
    (
        {"entry": {"loadBalancer": "internal"}},
        ("chefServer.apiFqdn", "not given", LASTING, "set it, or set entry.record.name"),
    ),
    (
        {"entry": {"record": {"zoneId": "Z1"}}},
        ("entry.record", "given", "it is an alias for a load balancer that the stack creates", "remove it"),
    ),
    (
        {"entry": {"loadBalancer": "internal", "record": {"zoneId": "Z1", "name": "b.chef.test"}}, "chefServer": API},
        ("entry.record.name", "'b.chef.test', with apiFqdn api.chef.test", ONE_NAME, "set the name only once"),
    ),
    (
        {"entry": {"loadBalancer": "internal", "targetGroupArn": GROUP_ARN, "loadBalancerCidrs": ["10.2.0.0/24"]}},
        (
            "entry",
            "loadBalancer internal and targetGroupArn",
            "clients use one load balancer: either a new one or an existing one",
            "remove one of the two",
        ),
    ),
    (
        {"entry": {"loadBalancer": "public"}, "chefServer": API},
        (
            "entry.loadBalancer",
            "public",
            f"{CALLS}, but without NAT or public addresses they cannot reach a public load balancer",
            "set network.private and network.nat, or entry.loadBalancer to internal",
        ),
    ),
    (
        {**PRIVATE, "entry": {"loadBalancer": "public"}, "chefServer": API},
        (
            "entry.loadBalancer",
            "public",
            f"{CALLS}, but without NAT or public addresses they cannot reach a public load balancer",
            "set network.private and network.nat, or entry.loadBalancer to internal",
        ),
    ),
    (
        {
            "network": {**FOUND, "publicSubnetIds": ["subnet-0a1b2c3f"]},
            "entry": {"loadBalancer": "public"},
            "chefServer": API,
        },
        (
            "network.natAddresses",
            "not given",
            f"{CALLS}, and reach a public load balancer from the addresses of the NAT gateways",
            "set it to the public addresses of the VPC's NAT gateways, or set entry.loadBalancer to internal",
        ),
    ),
    ({"network": {"natAddresses": ["203.0.113.7"]}}, ("network.natAddresses", "given", *FOR_FOUND)),
    (
        {
            **dict.fromkeys(("backends", "frontends")),
            "topology": "standalone",
            "entry": {"targetGroupArn": GROUP_ARN, "loadBalancerCidrs": ["10.2.0.0/24"]},
            "chefServer": API,
        },
        (
            "entry.targetGroupArn",
            "given for one server",
            f"{CALLS}, but a server cannot reach itself through a load balancer that preserves client addresses",
            (
                "set chefServer.apiFqdn to backend-0.chef.test, which the server resolves to itself, or have the "
                "stack create a load balancer"
            ),
        ),
    ),
    (
        {"entry": {"targetGroupArn": GROUP_ARN}},
        (
            "entry.loadBalancerCidrs",
            "not given",
            "the firewall must allow the existing load balancer's networks",
            "set it to the networks of the load balancer's subnets",
        ),
    ),
    (
        {"entry": {"loadBalancerCidrs": ["10.2.0.0/24"]}},
        (
            "entry.loadBalancerCidrs",
            "given",
            "it only applies to an existing load balancer, set in targetGroupArn",
            "remove it",
        ),
    ),
    (
        {"machines": {"instanceType": "m6g.large"}},
        ("machines.instanceType", "'m6g.large', which is arm64", AMD64, AMD64_REMEDY),
    ),
    (
        {"bastion": {"instanceType": "t4g.micro"}},
        ("bastion.instanceType", "'t4g.micro', which is arm64", AMD64, AMD64_REMEDY),
    ),
    ({**EXISTING, "bastion": {}}, ("bastion", "given", *FOR_NEW)),
    ({**EXISTING, "protect": "true"}, ("protect", "given", *FOR_NEW)),
]


def packaged(name: str, version: str) -> dict[str, Any]:
    return {"package": {"url": f"https://packages.test/{name}_{version}-1_amd64.deb", "sha256": SHA256}}


def push(version: str) -> dict[str, Any]:
    return packaged("opscode-push-jobs-server", version)


def core(version: str) -> dict[str, Any]:
    return packaged("chef-server-core", version)


ALONE: dict[str, Any] = {**dict.fromkeys(("backends", "frontends")), "topology": "standalone"}
TIER: dict[str, Any] = {"topology": "tier", "backends": "1"}
OTHER_CORE = "or another Chef server (docs/chef.md, Versions)"
NEWER = f"choose push jobs 2.2.0 to 2.2.12 or 2.2.13 to 2.2.15 or 3.0.x, {OTHER_CORE}"
NOT_IN_STATE = "secrets must not be in a stack file, a script or the state"
IN_A_FILE = "put it in a file on the servers, and name that in chefServer.include"
RUBY = "chef-server.rb is Ruby code, so only names that Chef server knows are written to it"
BY_ID = "an image set by id is not checked"
TABLE += [
    (
        {"pushJobs": push("2.2.8"), "chefServer": core("12.13.0")},
        (
            "pushJobs.package",
            "push jobs 2.2.8 with Chef server 12.13.0",
            "push jobs 2.2.0 to 2.2.12 needs Chef server 12.14 or later",
            "choose push jobs 1.1.6 or 2.1.0, 2.1.1, or another Chef server (docs/chef.md, Versions)",
        ),
    ),
    (
        {**TIER, "pushJobs": push("3.0.4"), "chefServer": core("12.18.0")},
        (
            "pushJobs.package",
            "push jobs 3.0.4 with Chef server 12.18.0",
            "push jobs 3.0.x needs Chef server 12.18.1 or later",
            f"choose push jobs 1.1.6 or 2.1.0, 2.1.1 or 2.2.0 to 2.2.12, {OTHER_CORE}",
        ),
    ),
    (
        {**TIER, "pushJobs": push("2.1.0"), "chefServer": core("13.2.0")},
        (
            "pushJobs.package",
            "push jobs 2.1.0 with Chef server 13.2.0",
            "push jobs 2.1.0, 2.1.1 needs Chef server 12.6 or later, before 13",
            NEWER,
        ),
    ),
    (
        {"pushJobs": push("1.1.6"), "chefServer": {"version": "12.11.0"}},
        (
            "chefServer.package",
            "push jobs 1.1.6 with Chef server 12.11.0",
            "push jobs 1.1.6 cannot connect to 12.11.0, which requires a newer TLS than it supports",
            "choose another Chef server, for example 12.11.1 or 12.19.31",
        ),
    ),
    (
        {"chefServer": {**core("13.2.0"), "acceptLicense": True}},
        (
            "topology",
            "ha, with Chef server 13.2.0",
            "Chef server supports ha up to 12.19: from 13 on, its reconfigure fails",
            "choose a chef-server-core up to 12.19, or set topology to tier",
        ),
    ),
    (
        {"pushJobs": push("3.0.4")},
        (
            "pushJobs.package",
            "push jobs 3.0.4 with topology ha",
            "push jobs 3.0.x does not support ha: it would run on both backends instead of following the address",
            "choose push jobs 2.2.0 to 2.2.12, or set topology to tier",
        ),
    ),
    (
        {
            **TIER,
            "pushJobs": {"package": {"url": "https://packages.test/push.deb", "sha256": SHA256}, "version": "3.0"},
            "chefServer": {"version": "12.14.0"},
        },
        (
            "pushJobs.package",
            "push jobs 3.0 with Chef server 12.14.0",
            "push jobs 3.0.x needs Chef server 12.18.1 or later",
            f"choose push jobs 1.1.6 or 2.1.0, 2.1.1 or 2.2.0 to 2.2.12, {OTHER_CORE}",
        ),
    ),
    (
        {"pushJobs": {**push("2.2.8"), "version": "2.2.9"}},
        (
            "pushJobs.version",
            "'2.2.9'",
            "the package's name says 2.2.8-1",
            "remove it; it is only for packages whose name contains no version",
        ),
    ),
    (
        {"chefServer": {"version": "12"}},
        (
            "chefServer.version",
            "'12'",
            "a version is two or three numbers separated by dots",
            "write it as, for example, 2.2.8",
        ),
    ),
    (
        {**TIER, "chefServer": core("14.15.10")},
        (
            "chefServer.acceptLicense",
            "not given, with Chef server 14.15.10",
            "Chef server 13 and later cannot be configured until somebody accepts its licence",
            "read the licence (https://www.chef.io/end-user-license-agreement), then set it to true",
        ),
    ),
    (
        {**TIER, "chefServer": {**core("15.10.91"), "acceptLicense": True}},
        (
            "machines.image.name",
            "Ubuntu 16.04, with Chef server 15.10.91",
            "Chef server 15 supports Ubuntu 18.04, 20.04, 22.04",
            f"choose an image of one of these, or another Chef server; {BY_ID}",
        ),
    ),
    (
        {"machines": {"image": {"name": "RHEL-8.4_HVM-*"}}, "chefServer": core("12.19.31")},
        (
            "machines.image.name",
            "RHEL 8, with Chef server 12.19.31",
            "Chef server 12.19 supports RHEL 6, 7",
            f"choose an image of one of these, or another Chef server; {BY_ID}",
        ),
    ),
    (
        {"pushJobs": push("1.1.6")},
        (
            "machines.image.name",
            "Ubuntu 16.04, with push jobs 1.1.6",
            "push jobs 1.1.6 needs upstart, which Ubuntu only has up to 14.04",
            f"choose a newer push jobs, or an image of Ubuntu 12.04 or 14.04; {BY_ID}",
        ),
    ),
    (
        {"pushJobs": push("2.1.0"), "chefServer": {"settings": {"insecure_addon_compat": False}}},
        (
            "chefServer.settings.insecure_addon_compat",
            "false",
            "push jobs 2.1.0, 2.1.1 reads credentials from files, which Chef server only writes while this is true",
            "remove it, or choose push jobs 2.2 or later",
        ),
    ),
    *(
        (
            {"pushJobs": {**push(before), "settings": {key: "1"}}},
            (
                f"pushJobs.settings.{key}",
                f"given for push jobs {before}",
                f"push jobs supports it from {since} on, and ignores it in older versions",
                "remove it, or choose a newer package",
            ),
        )
        for key, before, since in (
            ("vip", "2.2.4", "2.2.5"),
            ("max_body_size", "2.1.0", "2.1.1"),
            ("server_name_advertised", "1.1.6", "2.1"),
        )
    ),
    (
        {**ALONE, "entry": {"loadBalancer": "internal"}, "chefServer": API, "pushJobs": push("2.2.4")},
        (
            "entry.loadBalancer",
            "internal, for one server with push jobs 2.2.4",
            (
                "before 2.2.5 push jobs sends its clients to apiFqdn, but the load balancer only accepts the API's "
                "traffic"
            ),
            "choose push jobs 2.2.5 or later, or set it to none",
        ),
    ),
    *(
        ({"chefServer": {"settings": {key: value}}}, (f"chefServer.settings.{path}", *told))
        for key, value, path, told in (
            ("system", "id", "system", ("given", RUBY, f"remove it, or {IN_A_FILE}")),
            ("ngimx", {"ssl_port": 8443}, "ngimx", ("given", RUBY, "write nginx")),
            ("nginx", 8443, "nginx", ("'8443'", "it must be a table of settings", "put keys and values below it")),
            ("from_email", {"a": 1}, "from_email", ("1 entries", "it must be a single value", "write just the value")),
            (
                "api_fqdn",
                "x",
                "api_fqdn",
                ("given", "the stack sets it itself", "remove it; chefServer.apiFqdn sets the name"),
            ),
            ("ldap", {"bind_password": "x"}, "ldap.bind_password", ("given", NOT_IN_STATE, IN_A_FILE)),
            ("data_collector", {"token": "x"}, "data_collector.token", ("given", NOT_IN_STATE, IN_A_FILE)),
            (
                "nginx",
                {"url": "x'; system('id')"},
                "nginx.url",
                ("'x'; system('id')'", TEXT, f"remove other characters, or {IN_A_FILE}"),
            ),
            (
                "nginx",
                {"a'] = system('id'); b['": 1},
                "nginx.a'] = system('id'); b['",
                ("given", "a key may only contain lower-case letters, digits and _", "correct it"),
            ),
        )
    ),
    (
        {"highAvailability": AWS, "chefServer": {"settings": {"ha": {"provider": "drbd"}}}},
        ("chefServer.settings.ha.provider", "given", "highAvailability sets it", "remove it"),
    ),
    (
        {"chefServer": {"include": "/etc/opscode/chef-server.rb"}},
        (
            "chefServer.include",
            "'/etc/opscode/chef-server.rb'",
            "it must be a different file, which chef-server.rb reads",
            "choose a different file, for example /etc/opscode/own.rb",
        ),
    ),
    *(
        (
            {"chefServer": {"include": path}},
            (
                "chefServer.include",
                f"'{path}'",
                "it must be an absolute path on the servers, with only letters, digits and . _ / -",
                "write it as, for example, /etc/opscode/own.rb",
            ),
        )
        for path in ("own.rb", "/etc/../x", "/etc/a'b", "/etc/$(id)")
    ),
    (
        {**EXISTING, "chefServer": {"include": "/etc/opscode/own.rb"}},
        (
            "chefServer.include",
            "given",
            "Chef server on existing servers is not changed unless chefServer.package is set",
            "remove it",
        ),
    ),
]


def refused(changes: Mapping[str, Any], root: Path) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        load_settings(raw(changes), root)
    return caught.value


@pytest.mark.parametrize(("changes", "problem"), TABLE, ids=lambda part: str(part)[:60])
def test_a_mistake_is_told_as_what_was_given_the_rule_and_what_to_do(
    changes: Mapping[str, Any], problem: tuple[str, str, str, str], tmp_path: Path
) -> None:
    error = refused(changes, tmp_path)
    told = [(p.setting, p.given, p.rule, p.remedy) for p in error.problems]
    assert problem in told
    assert "\n     Rule: ".join(problem[2:3]) in str(error)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    changes = {
        "topology": "cluster",
        "frontends": "many",
        "clientCidrs": ["::/0"],
        "pushJobs.heartbeatPort": 0,
        "pushJobs.package": {"url": URL},
        "ssh.user": "a b",
        "colour": "blue",
    }
    error = refused(changes, tmp_path)
    settings = {"topology", "frontends", "clientCidrs[0]", "pushJobs.heartbeatPort", "pushJobs.package.sha256"}
    assert {p.setting for p in error.problems} == {*settings, "ssh.user", "colour"}
    assert str(error).startswith(
        "7 problems in the stack's settings; nothing was changed.\n  1. colour: given\n     Rule: "
    )


def test_servers_that_exist_need_no_key_and_run_no_runbook_of_chef_server(tmp_path: Path) -> None:
    adopted = load_settings(raw(EXISTING), tmp_path).settings
    assert {name: entry.address for name, entry in adopted.existing.items()} == {"a": "10.0.0.4", "b": "10.0.0.5"}
    assert not adopted.runs_chef_server_runbook
    assert settings().runs_chef_server_runbook


def test_one_server_behind_a_load_balancer_is_reached_by_its_own_name_unless_another_is_set() -> None:
    behind = {**ALONE, "entry": {"loadBalancer": "internal"}, "chefServer": API}
    assert "opscode_pushy_server['vip'] = 'backend-0.chef.test'\n" in settings_file(settings(**behind))
    other = settings(**behind, pushJobs__settings={"vip": "push.chef.test"})
    assert "opscode_pushy_server['vip'] = 'push.chef.test'\n" in settings_file(other)
    assert "['vip']" not in settings_file(settings(**ALONE))


@pytest.mark.parametrize(
    "changes",
    [
        {"pushJobs": push("2.2.8"), "chefServer": core("12.14.0")},
        {"pushJobs": push("1.1.6"), "chefServer": core("12.11.1"), "machines": {"image": {"id": "ami-00000001"}}},
        {**TIER, "pushJobs": push("3.0.4"), "chefServer": {**core("14.15.10"), "acceptLicense": True}},
        {"pushJobs": {**push("2.2.8"), "version": "2.2.8"}},
        {
            "chefServer": {
                "settings": {"nginx": {"ssl_port": 8443}, "from_email": "a@chef.test"},
                "include": "/etc/o.rb",
            }
        },
        {**EXISTING, "chefServer": {"version": "14.15.10"}},
    ],
    ids=str,
)
def test_what_goes_together_is_taken(changes: Mapping[str, Any]) -> None:
    assert load_settings(raw(changes), ROOT).settings


def test_the_world_is_let_in_where_the_stack_says_so_by_name() -> None:
    opened = settings(clientCidrs=["0.0.0.0/0"], allowClientsFromAnywhere="true")
    assert opened.config.client_cidrs == ["0.0.0.0/0"]


@pytest.mark.parametrize("kind", ["m5.large", "g5.xlarge", "t3.micro", "c5d.xlarge", "r6i.large", "gr6.4xlarge"])
def test_a_type_of_the_packages_architecture_is_taken(kind: str) -> None:
    assert settings(machines={"instanceType": kind}).config.machines.instance_type == kind


@pytest.mark.parametrize("kind", ["a1.large", "m6g.large", "c7gn.large", "im4gn.large", "is4gen.large", "g5g.xlarge"])
def test_gravitons_are_known_by_their_names(kind: str, tmp_path: Path) -> None:
    (problem,) = refused({"machines": {"instanceType": kind}}, tmp_path).problems
    assert problem.given == f"'{kind}', which is arm64"


def test_clients_reach_chef_server_under_the_name_that_is_given_or_the_records_or_the_first_frontends() -> None:
    balanced = {"loadBalancer": "internal", "record": {"zoneId": "Z1", "name": "api.chef.test"}}
    assert settings(entry=balanced).api_fqdn == "api.chef.test"
    assert settings(chefServer={"apiFqdn": "chef.test"}, entry={"loadBalancer": "internal"}).api_fqdn == "chef.test"
    assert settings().api_fqdn == "frontend-0.chef.test"


def test_the_ports_are_those_of_the_runbook_unless_set() -> None:
    push_jobs = settings().config.push_jobs
    assert (push_jobs.heartbeat_port, push_jobs.command_port, push_jobs.api_port) == (10000, 10003, 10002)


@pytest.mark.parametrize(
    ("vpc", "vip"), [("10.0.0.0/16", "10.0.15.254"), ("10.7.8.0/24", "10.7.8.62"), ("172.16.0.0/20", "172.16.3.254")]
)
def test_the_address_that_moves_is_the_last_usable_one_of_the_backends_subnet_unless_given(vpc: str, vip: str) -> None:
    assert settings(vpcCidr=vpc, highAvailability=AWS).vip == vip
    assert settings(highAvailability={**AWS, "vip": "10.0.0.100"}).vip == "10.0.0.100"
    assert settings(topology="tier", backends="1").vip is None


def deb(folder: Path, name: str, architecture: str) -> Path:
    """The least that is a Debian package to those who read its control file."""
    control = f"Package: x\nVersion: 1\nArchitecture: {architecture}\n".encode()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        member = tarfile.TarInfo("./control")
        member.size = len(control)
        tar.addfile(member, io.BytesIO(control))
    content = archive.getvalue() + b"\n" * (len(archive.getvalue()) % 2)
    header = f"{'control.tar.gz':16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(archive.getvalue()):<10}`\n".encode()
    path = folder / name
    path.write_bytes(b"!<arch>\n" + header + content)
    return path


def test_a_package_file_of_another_architecture_is_refused_whatever_its_name_says(tmp_path: Path) -> None:
    deb(tmp_path, PUSH_JOBS, "arm64")
    (problem,) = refused({"pushJobs.package": {"file": PUSH_JOBS}}, tmp_path).problems
    assert (problem.given, problem.rule) == (
        f"'{PUSH_JOBS}' is for arm64",
        "the servers are amd64 (setting architecture)",
    )


def test_a_package_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / PUSH_JOBS).write_bytes(b"<html>not found</html>")
    (problem,) = refused({"pushJobs.package": {"file": PUSH_JOBS}}, tmp_path).problems
    assert problem.rule == "the file must be a Debian package (it is not an ar archive)"


def test_a_package_file_with_another_digest_is_refused(tmp_path: Path) -> None:
    deb(tmp_path, PUSH_JOBS, "amd64")
    (problem,) = refused({"pushJobs.package": {"file": PUSH_JOBS, "sha256": SHA256}}, tmp_path).problems
    assert problem.given == f"'{SHA256}'"
    assert problem.rule.startswith(f"it must be the SHA-256 of {PUSH_JOBS}, which is ")


def test_a_right_package_file_is_taken_with_its_digest(tmp_path: Path) -> None:
    deb(tmp_path, PUSH_JOBS, "amd64")
    package = load_settings(raw({"pushJobs.package": {"file": PUSH_JOBS}}), tmp_path).settings.push_jobs_package
    assert (package.version, package.format, len(package.sha256)) == ("2.2.8-1", "deb", 64)


def test_a_private_key_is_refused_as_public_key(tmp_path: Path) -> None:
    (tmp_path / "id").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n")
    (problem,) = refused({"ssh": {"publicKeyFile": "id"}}, tmp_path).problems
    assert problem.rule == "it must contain one public key in the format of ssh-keygen"
    assert "abc" not in str(problem), "a key that is private must not be shown"
