"""The settings of a stack as `stacks/Pulumi.<stack>.yaml` gives them: names, types, defaults and each value's rule.

Pure. Rules that need more than one value (or a file) are in `settings.py`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, SecretStr
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema

from chef_push_jobs.model import ssh_keys
from chef_push_jobs.model.aws_strings import MOST_TAGS
from chef_push_jobs.model.topology import FQDN, Kind, Role


@dataclass(frozen=True)
class ValueRule:
    """A rule for a value, in the words of a `Problem`; in a JSON schema, `rule` and the keywords that say it there."""

    holds: Callable[[Any], object]
    text: str
    remedy: str
    keywords: tuple[tuple[str, object], ...] = ()

    def check(self, value: Any) -> Any:
        if not self.holds(value):
            raise PydanticCustomError("rule", "{rule}", {"rule": self.text, "remedy": self.remedy})
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, core: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(core), "rule": self.text, **dict(self.keywords)}


def rule(holds: Callable[[Any], object], text: str, remedy: str, **keywords: object) -> ValueRule:
    return ValueRule(holds, text, remedy, tuple(keywords.items()))


def pattern(expression: str, text: str, remedy: str) -> ValueRule:
    return rule(re.compile(expression).fullmatch, text, remedy, pattern=f"^({expression})$")


def _is_ipv4_network(value: str) -> bool:
    try:
        return str(ipaddress.IPv4Network(value)) == value
    except ValueError:
        return False


def _is_ipv4_address(value: str) -> bool:
    try:
        return str(ipaddress.IPv4Address(value)) == value
    except ValueError:
        return False


def _is_port(value: int) -> bool:
    return 1 <= value <= 65535


Cidr = Annotated[
    str,
    rule(
        _is_ipv4_network,
        "it is an IPv4 network in CIDR form without host bits; IPv6 is not supported",
        "write it as, for example, 10.1.0.0/24",
    ),
]
Port = Annotated[
    int,
    rule(
        _is_port,
        "a port is a whole number from 1 to 65535",
        "choose a port in that range",
        minimum=1,
        maximum=65535,
    ),
]
Domain = Annotated[
    str,
    rule(
        FQDN.fullmatch,
        "it has at least two dot-separated labels of lower-case letters, digits and hyphens",
        "write it as, for example, chef.example.com",
    ),
]
Word = Annotated[
    str,
    pattern(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", "it has letters, digits and . _ - only", "take other characters out"),
]
User = Annotated[
    str,
    pattern(
        r"[A-Za-z_][A-Za-z0-9_.-]{0,63}(@[A-Za-z0-9][A-Za-z0-9.-]{0,127})?",
        "a user has letters, digits and . _ - only, and may have a domain after an @",
        "give the login user as `id -un` prints it on the server",
    ),
]
Path = Annotated[
    str,
    pattern(r"[A-Za-z0-9._/~+-]+", "a path has letters, digits and . _ / ~ + - only", "move or rename the file"),
]
TEXT = r"[A-Za-z0-9 ._:/@,=+*()-]{0,255}"
TEXT_RULE = "it has letters, digits, spaces and . _ : / @ , = + * ( ) - only"
Text = Annotated[str, pattern(TEXT, TEXT_RULE, "take quotes, shell and other special characters out")]
# What every service takes that gets the stack's tags: IAM and load balancers take fewer characters than EC2.
TAG = r"[A-Za-z0-9 _.:/=+@-]"
OWN_TAGS = ("Name", "Fqdn", "Role")
TagKey = Annotated[
    str,
    pattern(
        rf"(?![aA][wW][sS]:){TAG}{{1,127}}",
        "a tag's key has 1 to 127 letters, digits, spaces and _ . : / = + @ -, and does not begin with aws:",
        "take other characters out",
    ),
    rule(lambda value: value not in OWN_TAGS, "the stack gives Name, Fqdn and Role itself", "choose another key"),
]
TagValue = Annotated[
    str,
    pattern(
        rf"{TAG}{{0,256}}",
        "a tag's value has at most 256 letters, digits, spaces and _ . : / = + @ -, as IAM and load balancers do",
        "take other characters out",
    ),
]
Tags = Annotated[
    dict[TagKey, TagValue],
    rule(
        lambda value: len(value) <= MOST_TAGS - len(OWN_TAGS),
        f"AWS takes {MOST_TAGS} tags a resource, of which the stack gives {len(OWN_TAGS)} itself",
        f"give at most {MOST_TAGS - len(OWN_TAGS)}",
        maxProperties=MOST_TAGS - len(OWN_TAGS),
    ),
]
KEY, KEY_RULE = r"[a-z][a-z0-9_]{0,63}", "a key has lower-case letters, digits and _ only"
OptionName = Annotated[str, pattern(KEY, KEY_RULE, "see the package's own docs")]
OptionValue = Annotated[
    bool | int | str,
    rule(
        lambda value: not isinstance(value, str) or re.fullmatch(TEXT, value),
        TEXT_RULE,
        "take quotes, shell and other special characters out",
    ),
]
Options = dict[OptionName, OptionValue]
# Values, and tables of them; rules about both are in `chef_checks.py`.
ChefOptions = dict[OptionName, bool | int | str | dict[str, bool | int | str]]
ServerPath = Annotated[
    str,
    pattern(
        r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+",
        "it is a whole path on the servers, of letters, digits and . _ / -",
        "write it as, for example, /etc/opscode/own.rb",
    ),
]
Version = Annotated[
    str,
    pattern(
        r"\d{1,6}(\.\d{1,6}){1,2}", "a version is two or three numbers with dots", "write it as, for example, 2.2.8"
    ),
]
Address = Annotated[
    str,
    rule(_is_ipv4_address, "it is an IPv4 address", "write it as, for example, 10.0.0.4"),
]
Device = Annotated[
    str,
    pattern(r"/dev/(sd|xvd)[b-z]", "it is one of EC2's names, /dev/sdb to /dev/xvdz", "write it as /dev/xvdf"),
]
ProfileName = Annotated[
    str,
    pattern(
        r"[A-Za-z0-9_+=,.@-]{1,128}",
        "it is the name of an instance profile, not its ARN",
        "copy it from `aws iam list-instance-profiles`",
    ),
]
PolicyArn = Annotated[
    str,
    pattern(
        r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[A-Za-z0-9_+=,.@/-]{1,512}",
        "it is the ARN of a managed policy",
        "copy it from `aws iam list-policies`",
    ),
]
HostKey = Annotated[
    str,
    pattern(
        rf"(?!ssh-rsa){ssh_keys.KEY}|{ssh_keys.FINGERPRINT}",
        "it is an OpenSSH public host key, ed25519 or ECDSA, without a comment, or the fingerprint of one (SHA256:…)",
        "take it from /etc/ssh/ssh_host_ed25519_key.pub on the server, or from `ssh-keygen -l -f` of that file",
    ),
]


class Section(BaseModel):
    """Written in camel case in the file, as Pulumi's own settings are."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class PackageSource(Section):
    """A package: a file beside the program, or a URL with its SHA-256."""

    file: Path | None = Field(None, description="Path of the package file, relative to Pulumi.yaml.")
    url: str | None = Field(None, description="URL that every server can fetch the package from; needs sha256.")
    sha256: str | None = Field(None, description="SHA-256 of the package in hexadecimal; required with url.")


class PushJobs(Section):
    """The push jobs server."""

    package: PackageSource = Field(description="The opscode-push-jobs-server package.")
    version: Version | None = Field(None, description="Its version, where the package's name does not tell it.")
    heartbeat_port: Port = Field(10000, description="TCP port of the heartbeat, open to clientCidrs on backends.")
    command_port: Port = Field(10003, description="TCP port of the commands, open to clientCidrs on backends.")
    api_port: Port = Field(10002, description="TCP port of the HTTP API, open to the frontends only.")
    settings: Options = Field({}, description="Further keys of opscode-push-jobs-server.rb, e.g. heartbeat_interval.")
    rotate_credentials: Text = Field(
        "",
        description="Another text has new credentials made and handed out. Taken out, they stay; one restart follows.",
    )
    verify: Literal["suite", "status"] = Field(
        "suite",
        description="suite: the package's own test, once for a package; status: only that it serves.",
    )


class ChefServer(Section):
    """The Chef server under it."""

    package: PackageSource | None = Field(
        None, description="The chef-server-core package; without it the image must already hold Chef server."
    )
    version: Version | None = Field(None, description="Its version, where no package's name tells it.")
    accept_license: bool = Field(False, description="Accepts the licence of Chef server 13 and later for you.")
    api_fqdn: Domain | None = Field(None, description="Name under which clients reach Chef server.")
    settings: ChefOptions = Field(
        {}, description="Further keys of chef-server.rb: values, and tables of them such as nginx."
    )
    include: ServerPath | None = Field(
        None, description="A file on the servers that chef-server.rb reads last: for secrets, and for any Ruby."
    )


class HighAvailability(Section):
    """Failover of the two backends of an ha cluster. Without it, neither their address nor their data moves."""

    provider: Literal["aws"] = Field(description="Who moves the address and the data: aws.")
    vip: Address | None = Field(
        None, description="The backends' address that moves; the last usable one of their subnet, if not given."
    )
    volume_size: int = Field(100, ge=8, le=16384, description="Size of the encrypted volume for the data in GiB.")
    device: Device = Field("/dev/xvdf", description="By which that volume is attached, and found on the servers.")
    instance_profile: ProfileName | None = Field(
        None, description="Instance profile that an administrator made for the backends; then the stack makes no role."
    )
    permissions_boundary: PolicyArn | None = Field(
        None, description="Managed policy that bounds the role which the stack makes for the backends."
    )
    prepare_volume: bool = Field(
        True, description="Whether LVM and a filesystem are made on the volume while it is empty, and it is mounted."
    )
    package: PackageSource | None = Field(
        None, description="The chef-ha package, from a URL; without it the image must already hold it."
    )


class ServerEntry(Section):
    """One server, where names or FQDNs are chosen by hand."""

    name: str = Field(description="Name in resources, tags and logs.")
    fqdn: str = Field(description="Fully qualified domain name, by which Chef server knows the server's role.")
    role: Role = Field(description="backend or frontend; the first backend is the primary.")
    address: Address | None = Field(None, description="Of a server that exists already; then no machine is made.")
    private_address: Address | None = Field(
        None, description="By which the other servers reach it, and which it reaches them from, if that is another."
    )
    host_key: HostKey | None = Field(
        None, description="Its SSH host key, or that key's fingerprint; without it, trusted at first use."
    )


PrivateKey = Annotated[
    SecretStr,
    rule(
        lambda value: value.get_secret_value().startswith("-----BEGIN "),
        "it is a private key as ssh-keygen writes it",
        "set it by `pulumi config set --secret --path chef-push-jobs:ssh.privateKey < FILE`",
    ),
]


class Proxy(Section):
    """A bastion: connections to the servers go through it. It is logged in to with the same key as they are."""

    host: Annotated[
        str,
        pattern(
            r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", "it is a name or an IPv4 address", "give the bastion's"
        ),
    ] = Field(description="Name or address of the bastion, as the operator reaches it.")
    user: User = Field("ubuntu", description="Login user on the bastion.")
    port: Port = Field(22, description="TCP port of SSH on the bastion.")
    host_key: HostKey | None = Field(
        None, description="The bastion's SSH host key, or that key's fingerprint; without it, trusted at first use."
    )


class Ssh(Section):
    """How the operator reaches the servers. The private key comes from the ssh-agent, if none is given."""

    user: User = Field("ubuntu", description="Login user with passwordless sudo.")
    public_key_file: Path | None = Field(None, description="OpenSSH public key that new servers authorize.")
    key_name: Word | None = Field(None, description="Existing EC2 key pair, instead of publicKeyFile.")
    address: Literal["private", "public"] = Field("private", description="Which address of a server to connect to.")
    port: Port = Field(22, description="TCP port of SSH on the servers.")
    dial_error_limit: int = Field(60, ge=1, le=1000, description="Attempts to connect, 5 s apart at most.")
    per_dial_timeout: int = Field(15, ge=1, le=120, description="Seconds for one attempt to connect.")
    private_key: PrivateKey | None = Field(
        None, description="The operator's private key, a secret of the stack, where there is no ssh-agent."
    )
    host_keys: dict[Word, HostKey] = Field(
        {},
        description="Host keys that are not those met first, or their fingerprints; by server, or `bastion`.",
    )
    proxy: Proxy | None = Field(None, description="A bastion that the servers are reached through.")


class Image(Section):
    """The machine image: an id, or the newest of an owner whose name matches."""

    id: Word | None = Field(None, description="AMI id; then owner and name are not used.")
    owner: Word = Field("099720109477", description="Account that publishes the image; the default is Canonical.")
    name: Text = Field(
        "ubuntu/images/hvm-ssd/ubuntu-xenial-16.04-amd64-server-*", description="Name of the image; * matches anything."
    )


class Machines(Section):
    """The virtual machines."""

    image: Image = Field(Image.model_validate({}), description="The machine image.")
    instance_type: Word = Field("m5.large", description="EC2 instance type.")
    architecture: Literal["amd64", "arm64"] = Field("amd64", description="Of the instance type and the packages.")
    volume_size: int = Field(40, ge=8, le=16384, description="Size of the root volume in GiB.")
    metadata: Literal["required", "optional"] = Field(
        "required",
        description="Session token (IMDSv2) for metadata, of all machines; optional for software that knows none.",
    )


Zone = Annotated[
    str,
    pattern(
        r"[a-z]{2}(-[a-z]+)+-\d[a-z]",
        "it is the name of an availability zone",
        "write it as, for example, eu-central-1a",
    ),
]
VpcId = Annotated[
    str, pattern(r"vpc-[0-9a-f]{8,17}", "it is the id of a VPC", "write it as, for example, vpc-0a1b2c3d")
]
SubnetId = Annotated[
    str, pattern(r"subnet-[0-9a-f]{8,17}", "it is the id of a subnet", "write it as, for example, subnet-0a1b2c3d")
]
TargetGroupArn = Annotated[
    str,
    pattern(
        r"arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:\d{12}:targetgroup/[A-Za-z0-9-]+/[0-9a-f]+",
        "it is the ARN of a target group",
        "copy it from `aws elbv2 describe-target-groups`",
    ),
]


class Network(Section):
    """The VPC: one that is made, or an existing one by its ids."""

    private: Literal["none", "backends", "servers"] = Field(
        "none", description="Which servers stand in subnets without a route to the internet gateway; servers: all."
    )
    nat: bool = Field(False, description="Whether private servers reach the web, for packages, by a NAT gateway.")
    zones: list[Zone] = Field(
        [], description="Availability zones: backends in the first, frontends spread over all; without, AWS chooses."
    )
    vpc_id: VpcId | None = Field(None, description="Existing VPC, instead of one that is made.")
    backend_subnet_id: SubnetId | None = Field(None, description="Its subnet for backends; one, so they share a zone.")
    frontend_subnet_ids: list[SubnetId] = Field(
        [], description="Its subnets for frontends, which are spread over them."
    )
    public_subnet_ids: list[SubnetId] = Field(
        [], description="Its subnets for a public load balancer, one a zone; a bastion stands in the first."
    )
    nat_addresses: list[Address] = Field(
        [], description="Public addresses of its NAT gateways, by which backends come to a public load balancer."
    )


class Bastion(Section):
    """A bastion that the stack makes: it alone then takes SSH from operatorCidrs, and the servers from it."""

    instance_type: Word = Field("t3.micro", description="EC2 instance type, of the servers' architecture.")
    volume_size: int = Field(8, ge=8, le=16384, description="Size of its root volume in GiB.")
    address: Literal["public", "private"] = Field("public", description="Which of its addresses to connect to.")


class Record(Section):
    """A Route 53 record, an alias of the load balancer."""

    zone_id: Annotated[
        str,
        pattern(r"Z[A-Z0-9]{1,31}", "it is the id of a hosted zone", "copy it from `aws route53 list-hosted-zones`"),
    ] = Field(description="Id of the hosted zone.")
    name: Domain | None = Field(None, description="Name of the record; without it, chefServer.apiFqdn.")


class Entry(Section):
    """What clients reach Chef server through; without any of it, the frontends themselves."""

    load_balancer: Literal["none", "public", "internal"] = Field(
        "none", description="A network load balancer that is made, and from where it is reached."
    )
    target_group_arn: TargetGroupArn | None = Field(
        None, description="Target group of an existing load balancer, which the frontends are attached to."
    )
    load_balancer_cidrs: list[Cidr] = Field(
        [], description="Networks of that load balancer, for its health checks and connections."
    )
    record: Record | None = Field(None, description="Name of the load balancer that is made, in Route 53.")


class StackConfig(Section):
    """Everything that a stack can set."""

    topology: Kind = Field(description="standalone, tier or ha.")
    domain: Domain | None = Field(None, description="Domain of the servers that backends and frontends count.")
    backends: int | None = Field(None, ge=0, le=1000, description="Number of backends; 2 for ha, else 1.")
    frontends: int | None = Field(None, ge=0, le=1000, description="Number of frontends.")
    servers: list[ServerEntry] | None = Field(None, description="The servers by name, instead of counts and domain.")
    uninstall_on_destroy: bool = Field(
        False, description="Whether push jobs is removed from servers that exist already when they leave the stack."
    )
    client_cidrs: list[Cidr] = Field(min_length=1, description="Networks of the push jobs clients.")
    allow_clients_from_anywhere: bool = Field(False, description="Allows 0.0.0.0/0 in clientCidrs.")
    operator_cidrs: list[Cidr] = Field(min_length=1, description="Networks that operators use SSH from.")
    allow_operators_from_anywhere: bool = Field(False, description="Allows 0.0.0.0/0 in operatorCidrs.")
    vpc_cidr: Cidr = Field("10.0.0.0/16", description="Address range of the VPC that is made.")
    network: Network = Field(Network.model_validate({}), description="The VPC and its subnets.")
    bastion: Bastion | None = Field(None, description="A bastion that is made; ssh.proxy is for one that there is.")
    entry: Entry = Field(Entry.model_validate({}), description="What clients reach Chef server through.")
    protect: bool = Field(
        False, description="Whether servers and load balancer are protected from being deleted, here and in the cloud."
    )
    allow_downtime: bool = Field(
        False, description="Whether machines that a change stops, such as another type, stop all at once."
    )
    push_jobs: PushJobs = Field(description="The push jobs server.")
    chef_server: ChefServer = Field(ChefServer.model_validate({}), description="The Chef server under it.")
    high_availability: HighAvailability | None = Field(
        None, description="Failover of the backends, which an ha cluster of machines that are made needs."
    )
    machines: Machines = Field(Machines.model_validate({}), description="The virtual machines.")
    ssh: Ssh = Field(Ssh.model_validate({}), description="How the operator reaches the servers.")
    time_limits: dict[str, Annotated[int, Field(ge=1, le=86400)]] = Field(
        {}, description="Seconds that a step may take on a server, by step name, where the default does not fit."
    )
    reverify: Text = Field(
        "", description="Change it to run the test once more; the suite, unless pushJobs.verify is status."
    )
    repair: dict[Word, Word] = Field(
        {}, description="By task, as `pulumi up` names it: another text runs it again, and what follows; none nothing."
    )
    tags: Tags = Field({}, description="Tags for every resource in the cloud.")
