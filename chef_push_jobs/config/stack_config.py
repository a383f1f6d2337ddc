"""The settings in `stacks/Pulumi.<stack>.yaml`: name, type, default and rule of each.

Pure. Rules that need more than one value (or a file) are in `settings.py`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SecretStr,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema

from chef_push_jobs.model import ssh_keys
from chef_push_jobs.model.aws_strings import MOST_TAGS
from chef_push_jobs.model.topology import FQDN, Kind, Role


@dataclass(frozen=True)
class ValueRule:
    """A rule for a value, in the words of a `Problem`.

    A JSON schema contains it as `rule`, next to equivalent keywords.
    """

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
        "it must be an IPv4 network in CIDR notation without host bits; IPv6 is not supported",
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
        "it must have at least two labels of lower-case letters, digits and hyphens, separated by dots",
        "write it as, for example, chef.example.com",
    ),
]
Word = Annotated[
    str,
    pattern(
        r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", "only letters, digits and . _ - are allowed", "remove other characters"
    ),
]
User = Annotated[
    str,
    pattern(
        r"[A-Za-z_][A-Za-z0-9_.-]{0,63}(@[A-Za-z0-9][A-Za-z0-9.-]{0,127})?",
        "a user name may only contain letters, digits and . _ -, and a domain after an @",
        "enter the login user as `id -un` prints it on the server",
    ),
]
Path = Annotated[
    str,
    pattern(
        r"[A-Za-z0-9._/~+-]+", "a path may only contain letters, digits and . _ / ~ + -", "move or rename the file"
    ),
]
TEXT = r"[A-Za-z0-9 ._:/@,=+*()-]{0,255}"
TEXT_RULE = "only letters, digits, spaces and . _ : / @ , = + * ( ) - are allowed"
Text = Annotated[str, pattern(TEXT, TEXT_RULE, "remove quotes, shell characters and other special characters")]
# The characters that every tagged service accepts: IAM and load balancers accept fewer than EC2.
TAG = r"[A-Za-z0-9 _.:/=+@-]"
OWN_TAGS = ("Name", "Fqdn", "Role")
TagKey = Annotated[
    str,
    pattern(
        rf"(?![aA][wW][sS]:){TAG}{{1,127}}",
        "a tag's key has 1 to 127 letters, digits, spaces and _ . : / = + @ -, and does not begin with aws:",
        "remove other characters",
    ),
    rule(lambda value: value not in OWN_TAGS, "the stack sets Name, Fqdn and Role itself", "choose another key"),
]
TagValue = Annotated[
    str,
    pattern(
        rf"{TAG}{{0,256}}",
        "a tag's value has at most 256 letters, digits, spaces and _ . : / = + @ -, as IAM and load balancers do",
        "remove other characters",
    ),
]
Tags = Annotated[
    dict[TagKey, TagValue],
    rule(
        lambda value: len(value) <= MOST_TAGS - len(OWN_TAGS),
        f"AWS allows {MOST_TAGS} tags per resource, of which the stack sets {len(OWN_TAGS)} itself",
        f"set at most {MOST_TAGS - len(OWN_TAGS)} tags",
        maxProperties=MOST_TAGS - len(OWN_TAGS),
    ),
]
KEY, KEY_RULE = r"[a-z][a-z0-9_]{0,63}", "a key may only contain lower-case letters, digits and _"
OptionName = Annotated[str, pattern(KEY, KEY_RULE, "see the package's own docs")]
OptionValue = Annotated[
    bool | int | str,
    rule(
        lambda value: not isinstance(value, str) or re.fullmatch(TEXT, value),
        TEXT_RULE,
        "remove quotes, shell characters and other special characters",
    ),
]
Options = dict[OptionName, OptionValue]
# Values, and tables of values; rules about both are in `chef_checks.py`.
ChefOptions = dict[OptionName, bool | int | str | dict[str, bool | int | str]]
ServerPath = Annotated[
    str,
    pattern(
        r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+",
        "it must be an absolute path on the servers, with only letters, digits and . _ / -",
        "write it as, for example, /etc/opscode/own.rb",
    ),
]
Version = Annotated[
    str,
    pattern(
        r"\d{1,6}(\.\d{1,6}){1,2}",
        "a version is two or three numbers separated by dots",
        "write it as, for example, 2.2.8",
    ),
]
Address = Annotated[
    str,
    rule(_is_ipv4_address, "it must be an IPv4 address", "write it as, for example, 10.0.0.4"),
]
Device = Annotated[
    str,
    pattern(
        r"/dev/(sd|xvd)[b-z]", "it must be one of EC2's device names, /dev/sdb to /dev/xvdz", "write it as /dev/xvdf"
    ),
]
ProfileName = Annotated[
    str,
    pattern(
        r"[A-Za-z0-9_+=,.@-]{1,128}",
        "it must be the name of an instance profile, not its ARN",
        "copy it from `aws iam list-instance-profiles`",
    ),
]
PolicyArn = Annotated[
    str,
    pattern(
        r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[A-Za-z0-9_+=,.@/-]{1,512}",
        "it must be the ARN of a managed policy",
        "copy it from `aws iam list-policies`",
    ),
]
HOST_KEY = rf"(?!ssh-rsa){ssh_keys.KEY}|{ssh_keys.FINGERPRINT}"
HostKey = Annotated[
    str,
    rule(
        lambda value: re.fullmatch(HOST_KEY, value) and (ssh_keys.is_fingerprint(value) or ssh_keys.is_whole(value)),
        "it must be an OpenSSH public host key (ed25519 or ECDSA, without a comment), or its fingerprint (SHA256:…)",
        "take it from /etc/ssh/ssh_host_ed25519_key.pub on the server, or from `ssh-keygen -l -f` of that file",
        pattern=f"^({HOST_KEY})$",
    ),
]


class Section(BaseModel):
    """In the file, names are in camel case, like Pulumi's own settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class PackageSource(Section):
    """A package: a file beside the program, or a URL with its SHA-256."""

    file: Path | None = Field(
        None, description="Path of the package file, relative to Pulumi.yaml; it is uploaded to the servers."
    )
    url: str | None = Field(None, description="URL from which every server can download the package; requires sha256.")
    sha256: str | None = Field(None, description="SHA-256 of the package, in hexadecimal; required with url.")


class PushJobs(Section):
    """The push jobs server."""

    package: PackageSource = Field(description="The opscode-push-jobs-server package.")
    version: Version | None = Field(None, description="Version of the package, if its file name does not contain it.")
    heartbeat_port: Port = Field(10000, description="TCP port for heartbeats, open to clientCidrs on the backends.")
    command_port: Port = Field(10003, description="TCP port for commands, open to clientCidrs on the backends.")
    api_port: Port = Field(10002, description="TCP port of push jobs' HTTP API, open to the frontends only.")
    settings: Options = Field(
        {}, description="Additional keys for opscode-push-jobs-server.rb, e.g. heartbeat_interval."
    )
    rotate_credentials: Text = Field(
        "",
        description="Change it to create new credentials on all servers. Removing it only restarts push jobs.",
    )
    verify: Literal["suite", "status"] = Field(
        "suite",
        description="suite: run the package's own tests once per package; status: only check that push jobs responds.",
    )


class ChefServer(Section):
    """The Chef server that push jobs belongs to."""

    package: PackageSource | None = Field(
        None, description="The chef-server-core package. Without it, the image must already contain Chef server."
    )
    version: Version | None = Field(None, description="Version of Chef server, if no package's file name contains it.")
    accept_license: bool = Field(False, description="Accept the licence that Chef server 13 and later requires.")
    api_fqdn: Domain | None = Field(None, description="Name under which clients reach Chef server (api_fqdn).")
    settings: ChefOptions = Field(
        {}, description="Additional keys for chef-server.rb: values, or tables of values such as nginx."
    )
    include: ServerPath | None = Field(
        None, description="A file on the servers that chef-server.rb reads last, for secrets or any other Ruby code."
    )


class HighAvailability(Section):
    """Failover between the two backends of an ha cluster: their address and their data move to the master."""

    provider: Literal["aws"] = Field(description="The platform that moves the address and the data: aws.")
    vip: Address | None = Field(
        None,
        description="Address that moves with the master; by default the last usable address in the backends' subnet.",
    )
    volume_size: int = Field(100, ge=8, le=16384, description="Size of the encrypted data volume, in GiB.")
    device: Device = Field("/dev/xvdf", description="Device name of the data volume on the backends.")
    instance_profile: ProfileName | None = Field(
        None, description="Existing instance profile for the backends. If set, the stack creates no role."
    )
    permissions_boundary: PolicyArn | None = Field(
        None, description="ARN of the managed policy that limits the role which the stack creates for the backends."
    )
    prepare_volume: bool = Field(
        True, description="Create an LVM volume and a filesystem on the data volume if it is empty, and mount it."
    )
    package: PackageSource | None = Field(
        None, description="The chef-ha package, as a URL. Without it, the image must already contain it."
    )


class ServerEntry(Section):
    """One server, if you choose names and FQDNs yourself or the servers exist already."""

    name: str = Field(description="Name of the server in resources, tags and logs.")
    fqdn: str = Field(description="Fully qualified domain name under which Chef server knows the server.")
    role: Role = Field(description="backend or frontend; the first backend is the primary.")
    address: Address | None = Field(
        None, description="Address of an existing server, where you reach it. If set, the stack creates no machine."
    )
    private_address: Address | None = Field(
        None,
        description="Address that the other servers connect to and see connections from, if it differs from address.",
    )
    host_key: HostKey | None = Field(
        None,
        description="SSH host key of the server, or its fingerprint. Without it, the first connection trusts the key.",
    )


PrivateKey = Annotated[
    SecretStr,
    rule(
        lambda value: value.get_secret_value().startswith("-----BEGIN "),
        "it must be a private key in the format of ssh-keygen",
        "set it with `pulumi config set --secret --path chef-push-jobs:ssh.privateKey < FILE`",
    ),
]


class Proxy(Section):
    """An existing bastion through which Pulumi connects to the servers, using the same key."""

    host: Annotated[
        str,
        pattern(
            r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?",
            "it must be a name or an IPv4 address",
            "set the bastion's",
        ),
    ] = Field(description="Name or address of the bastion, as seen from your machine.")
    user: User = Field("ubuntu", description="Login user on the bastion.")
    port: Port = Field(22, description="TCP port of SSH on the bastion.")
    host_key: HostKey | None = Field(
        None,
        description="SSH host key of the bastion, or its fingerprint. Without it, the first connection trusts the key.",
    )


class Ssh(Section):
    """How Pulumi connects to the servers. Unless privateKey is set, it uses the keys in your ssh-agent."""

    user: User = Field("ubuntu", description="Login user with passwordless sudo.")
    public_key_file: Path | None = Field(None, description="File with the OpenSSH public key that new servers accept.")
    key_name: Word | None = Field(
        None, description="Existing EC2 key pair that new servers accept, instead of publicKeyFile."
    )
    address: Literal["private", "public"] = Field(
        "private", description="Whether to connect to the private or the public address of a server."
    )
    port: Port = Field(22, description="TCP port of SSH on the servers.")
    dial_error_limit: int = Field(60, ge=1, le=1000, description="How often to try to connect, at most 5 s apart.")
    per_dial_timeout: int = Field(15, ge=1, le=120, description="Time limit for one attempt to connect, in seconds.")
    private_key: PrivateKey | None = Field(
        None, description="Private key for the connections, as a secret, if there is no ssh-agent."
    )
    host_keys: dict[Word, HostKey] = Field(
        {},
        description="New host keys (or fingerprints) of machines whose key has changed, by server name or `bastion`.",
    )
    proxy: Proxy | None = Field(None, description="An existing bastion through which to connect to the servers.")


class Image(Section):
    """The machine image: an id, or the newest image of an owner whose name matches."""

    id: Word | None = Field(None, description="AMI id. If set, owner and name are ignored.")
    owner: Word = Field("099720109477", description="AWS account that publishes the image; the default is Canonical.")
    name: Text = Field(
        "ubuntu/images/hvm-ssd/ubuntu-xenial-16.04-amd64-server-*", description="Name of the image; * matches anything."
    )


class Machines(Section):
    """The virtual machines."""

    image: Image = Field(Image.model_validate({}), description="The machine image.")
    instance_type: Word = Field("m5.large", description="EC2 instance type.")
    architecture: Literal["amd64", "arm64"] = Field(
        "amd64", description="Architecture of the instance type and the packages."
    )
    volume_size: int = Field(40, ge=8, le=16384, description="Size of the root volume, in GiB.")
    metadata: Literal["required", "optional"] = Field(
        "required",
        description="Whether instance metadata requires a session token (IMDSv2); optional supports older software.",
    )


Zone = Annotated[
    str,
    pattern(
        r"[a-z]{2}(-[a-z]+)+-\d[a-z]",
        "it must be the name of an availability zone",
        "write it as, for example, eu-central-1a",
    ),
]
VpcId = Annotated[
    str, pattern(r"vpc-[0-9a-f]{8,17}", "it must be the id of a VPC", "write it as, for example, vpc-0a1b2c3d")
]
SubnetId = Annotated[
    str, pattern(r"subnet-[0-9a-f]{8,17}", "it must be the id of a subnet", "write it as, for example, subnet-0a1b2c3d")
]
TargetGroupArn = Annotated[
    str,
    pattern(
        r"arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:\d{12}:targetgroup/[A-Za-z0-9-]+/[0-9a-f]+",
        "it must be the ARN of a target group",
        "copy it from `aws elbv2 describe-target-groups`",
    ),
]


class Network(Section):
    """The network: a VPC that the stack creates, or an existing one."""

    private: Literal["none", "backends", "servers"] = Field(
        "none",
        description="Which servers are in subnets without a route to the internet gateway.",
    )
    nat: bool = Field(
        False, description="Create a NAT gateway, so that private servers can download packages from the web."
    )
    zones: list[Zone] = Field(
        [],
        description="Availability zones: the backends are in the first, the frontends in all. By default AWS chooses.",
    )
    vpc_id: VpcId | None = Field(None, description="Id of an existing VPC, instead of creating one.")
    backend_subnet_id: SubnetId | None = Field(
        None, description="Subnet of the existing VPC for the backends; only one, so that they share a zone."
    )
    frontend_subnet_ids: list[SubnetId] = Field(
        [], description="Subnets of the existing VPC over which the frontends are spread."
    )
    public_subnet_ids: list[SubnetId] = Field(
        [],
        description="Subnets of the existing VPC for a public load balancer, one per zone. A bastion is in the first.",
    )
    nat_addresses: list[Address] = Field(
        [],
        description="Public addresses of the existing VPC's NAT gateways, which a public load balancer sees.",
    )


class Bastion(Section):
    """A bastion that the stack creates. It accepts SSH from operatorCidrs; the servers accept SSH only from it."""

    instance_type: Word = Field(
        "t3.micro", description="EC2 instance type of the bastion, with the servers' architecture."
    )
    volume_size: int = Field(8, ge=8, le=16384, description="Size of the bastion's root volume, in GiB.")
    address: Literal["public", "private"] = Field(
        "public", description="Whether to connect to the public or the private address of the bastion."
    )


class Record(Section):
    """A Route 53 record that points to the load balancer (an alias)."""

    zone_id: Annotated[
        str,
        pattern(
            r"Z[A-Z0-9]{1,31}", "it must be the id of a hosted zone", "copy it from `aws route53 list-hosted-zones`"
        ),
    ] = Field(description="Id of the hosted zone.")
    name: Domain | None = Field(None, description="Name of the record; by default chefServer.apiFqdn.")


class Entry(Section):
    """How clients reach Chef server: through a load balancer, or directly on the frontends."""

    load_balancer: Literal["none", "public", "internal"] = Field(
        "none",
        description="Create a network load balancer, reachable from the internet or only inside the VPC.",
    )
    target_group_arn: TargetGroupArn | None = Field(
        None, description="ARN of an existing load balancer's target group, to which to attach the frontends."
    )
    load_balancer_cidrs: list[Cidr] = Field(
        [], description="Networks of the existing load balancer, from which it connects to the frontends."
    )
    record: Record | None = Field(
        None, description="DNS record for the load balancer that the stack creates, in Route 53."
    )


class StackConfig(Section):
    """Everything that a stack can set."""

    topology: Kind = Field(
        description=(
            "The kind of cluster: standalone, tier or ha. standalone is one server: the cheapest, but nothing works "
            "while it is down. tier has one backend and at least one frontend: the frontends share the API requests, "
            "but the backend cannot fail over. ha has two backends, one of which takes over when the other fails, and "
            "at least one frontend: it costs the most, and on AWS it needs highAvailability and Chef server 12."
        )
    )
    domain: Domain | None = Field(
        None, description="Domain of the servers' names, if you set backends and frontends instead of servers."
    )
    backends: int | None = Field(None, ge=0, le=1000, description="Number of backends: 2 for ha, otherwise 1.")
    frontends: int | None = Field(None, ge=0, le=1000, description="Number of frontends.")
    servers: list[ServerEntry] | None = Field(
        None, description="List of the servers, instead of domain, backends and frontends."
    )
    uninstall_on_destroy: bool = Field(
        False, description="Uninstall push jobs from existing servers when they are removed from the stack."
    )
    client_cidrs: list[Cidr] = Field(
        min_length=1, description="Networks of the push jobs clients, which may connect to the backends and the API."
    )
    allow_clients_from_anywhere: bool = Field(False, description="Allow 0.0.0.0/0 in clientCidrs.")
    operator_cidrs: list[Cidr] = Field(min_length=1, description="Networks from which operators connect with SSH.")
    allow_operators_from_anywhere: bool = Field(False, description="Allow 0.0.0.0/0 in operatorCidrs.")
    vpc_cidr: Cidr = Field("10.0.0.0/16", description="Address range of the VPC that the stack creates.")
    network: Network = Field(Network.model_validate({}), description="The VPC and its subnets.")
    bastion: Bastion | None = Field(
        None, description="A bastion that the stack creates. Use ssh.proxy for an existing one."
    )
    entry: Entry = Field(Entry.model_validate({}), description="How clients reach Chef server.")
    protect: bool = Field(
        False, description="Protect servers, bastion and load balancer from deletion, in Pulumi and in AWS."
    )
    allow_downtime: bool = Field(
        False, description="Whether machines that a change stops, such as another type, stop all at once."
    )
    push_jobs: PushJobs = Field(description="The push jobs server.")
    chef_server: ChefServer = Field(
        ChefServer.model_validate({}), description="The Chef server that push jobs belongs to."
    )
    high_availability: HighAvailability | None = Field(
        None, description="Failover between the backends; required for an ha cluster on AWS."
    )
    machines: Machines = Field(Machines.model_validate({}), description="The virtual machines.")
    ssh: Ssh = Field(Ssh.model_validate({}), description="How Pulumi connects to the servers.")
    time_limits: dict[str, Annotated[int, Field(ge=1, le=86400)]] = Field(
        {}, description="Time limits for steps on one server, in seconds, by step name, if the default does not fit."
    )
    reverify: Text = Field(
        "", description="Change it to run the test again: the suite, unless pushJobs.verify is status."
    )
    repair: dict[Word, Word] = Field(
        {},
        description="By task, as `pulumi up` names it: a new value runs it again, with all tasks that depend on it.",
    )
    tags: Tags = Field({}, description="Tags for all AWS resources.")
