"""What a ChefPushJobsCluster is given, as types that editors and checkers know: the settings of a stack file.

Written by `chef-push-jobs docs` from `stack_config.py`: change it there.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class BastionArgsDict(TypedDict):
    """A bastion that the stack makes: it alone then takes SSH from operatorCidrs, and the servers from it."""

    instanceType: NotRequired[str]
    """EC2 instance type, of the servers' architecture."""

    volumeSize: NotRequired[int]
    """Size of its root volume in GiB."""

    address: NotRequired[Literal["public", "private"]]
    """Which of its addresses to connect to."""


class PackageSourceArgsDict(TypedDict):
    """A package: a file beside the program, or a URL with its SHA-256."""

    file: NotRequired[str]
    """Path of the package file, relative to Pulumi.yaml."""

    url: NotRequired[str]
    """URL that every server can fetch the package from; needs sha256."""

    sha256: NotRequired[str]
    """SHA-256 of the package in hexadecimal; required with url."""


class ChefServerArgsDict(TypedDict):
    """The Chef server under it."""

    package: NotRequired[PackageSourceArgsDict]
    """The chef-server-core package; without it the image must already hold Chef server."""

    version: NotRequired[str]
    """Its version, where no package's name tells it."""

    acceptLicense: NotRequired[bool]
    """Accepts the licence of Chef server 13 and later for you."""

    apiFqdn: NotRequired[str]
    """Name under which clients reach Chef server."""

    settings: NotRequired[dict[str, bool | int | str | dict[str, bool | int | str]]]
    """Further keys of chef-server.rb: values, and tables of them such as nginx."""

    include: NotRequired[str]
    """A file on the servers that chef-server.rb reads last: for secrets, and for any Ruby."""


class RecordArgsDict(TypedDict):
    """A Route 53 record, an alias of the load balancer."""

    zoneId: str
    """Id of the hosted zone."""

    name: NotRequired[str]
    """Name of the record; without it, chefServer.apiFqdn."""


class EntryArgsDict(TypedDict):
    """What clients reach Chef server through; without any of it, the frontends themselves."""

    loadBalancer: NotRequired[Literal["none", "public", "internal"]]
    """A network load balancer that is made, and from where it is reached."""

    targetGroupArn: NotRequired[str]
    """Target group of an existing load balancer, which the frontends are attached to."""

    loadBalancerCidrs: NotRequired[list[str]]
    """Networks of that load balancer, for its health checks and connections."""

    record: NotRequired[RecordArgsDict]
    """Name of the load balancer that is made, in Route 53."""


class HighAvailabilityArgsDict(TypedDict):
    """Failover of the two backends of an ha cluster. Without it, neither their address nor their data moves."""

    provider: Literal["aws"]
    """Who moves the address and the data: aws."""

    vip: NotRequired[str]
    """The backends' address that moves; the last usable one of their subnet, if not given."""

    volumeSize: NotRequired[int]
    """Size of the encrypted volume for the data in GiB."""

    device: NotRequired[str]
    """By which that volume is attached, and found on the servers."""

    instanceProfile: NotRequired[str]
    """Instance profile that an administrator made for the backends; then the stack makes no role."""

    permissionsBoundary: NotRequired[str]
    """Managed policy that bounds the role which the stack makes for the backends."""

    prepareVolume: NotRequired[bool]
    """Whether LVM and a filesystem are made on the volume while it is empty, and it is mounted."""

    package: NotRequired[PackageSourceArgsDict]
    """The chef-ha package, from a URL; without it the image must already hold it."""


class ImageArgsDict(TypedDict):
    """The machine image: an id, or the newest of an owner whose name matches."""

    id: NotRequired[str]
    """AMI id; then owner and name are not used."""

    owner: NotRequired[str]
    """Account that publishes the image; the default is Canonical."""

    name: NotRequired[str]
    """Name of the image; * matches anything."""


class MachinesArgsDict(TypedDict):
    """The virtual machines."""

    image: NotRequired[ImageArgsDict]
    """The machine image."""

    instanceType: NotRequired[str]
    """EC2 instance type."""

    architecture: NotRequired[Literal["amd64", "arm64"]]
    """Of the instance type and the packages."""

    volumeSize: NotRequired[int]
    """Size of the root volume in GiB."""

    metadata: NotRequired[Literal["required", "optional"]]
    """Session token (IMDSv2) for metadata, of all machines; optional for software that knows none."""


class NetworkArgsDict(TypedDict):
    """The VPC: one that is made, or an existing one by its ids."""

    private: NotRequired[Literal["none", "backends", "servers"]]
    """Which servers stand in subnets without a route to the internet gateway; servers: all."""

    nat: NotRequired[bool]
    """Whether private servers reach the web, for packages, by a NAT gateway."""

    zones: NotRequired[list[str]]
    """Availability zones: backends in the first, frontends spread over all; without, AWS chooses."""

    vpcId: NotRequired[str]
    """Existing VPC, instead of one that is made."""

    backendSubnetId: NotRequired[str]
    """Its subnet for backends; one, so they share a zone."""

    frontendSubnetIds: NotRequired[list[str]]
    """Its subnets for frontends, which are spread over them."""

    publicSubnetIds: NotRequired[list[str]]
    """Its subnets for a public load balancer, one a zone; a bastion stands in the first."""

    natAddresses: NotRequired[list[str]]
    """Public addresses of its NAT gateways, by which backends come to a public load balancer."""


class PushJobsArgsDict(TypedDict):
    """The push jobs server."""

    package: PackageSourceArgsDict
    """The opscode-push-jobs-server package."""

    version: NotRequired[str]
    """Its version, where the package's name does not tell it."""

    heartbeatPort: NotRequired[int]
    """TCP port of the heartbeat, open to clientCidrs on backends."""

    commandPort: NotRequired[int]
    """TCP port of the commands, open to clientCidrs on backends."""

    apiPort: NotRequired[int]
    """TCP port of the HTTP API, open to the frontends only."""

    settings: NotRequired[dict[str, bool | int | str]]
    """Further keys of opscode-push-jobs-server.rb, e.g. heartbeat_interval."""

    rotateCredentials: NotRequired[str]
    """Another text has new credentials made and handed out. Taken out, they stay; one restart follows."""

    verify: NotRequired[Literal["suite", "status"]]
    """suite: the package's own test, once for a package; status: only that it serves."""


class ServerEntryArgsDict(TypedDict):
    """One server, where names or FQDNs are chosen by hand."""

    name: str
    """Name in resources, tags and logs."""

    fqdn: str
    """Fully qualified domain name, by which Chef server knows the server's role."""

    role: Literal["backend", "frontend"]
    """backend or frontend; the first backend is the primary."""

    address: NotRequired[str]
    """Of a server that exists already; then no machine is made."""

    privateAddress: NotRequired[str]
    """By which the other servers reach it, and which it reaches them from, if that is another."""

    hostKey: NotRequired[str]
    """Its SSH host key, or that key's fingerprint; without it, trusted at first use."""


class ProxyArgsDict(TypedDict):
    """A bastion: connections to the servers go through it. It is logged in to with the same key as they are."""

    host: str
    """Name or address of the bastion, as the operator reaches it."""

    user: NotRequired[str]
    """Login user on the bastion."""

    port: NotRequired[int]
    """TCP port of SSH on the bastion."""

    hostKey: NotRequired[str]
    """The bastion's SSH host key, or that key's fingerprint; without it, trusted at first use."""


class SshArgsDict(TypedDict):
    """How the operator reaches the servers. The private key comes from the ssh-agent, if none is given."""

    user: NotRequired[str]
    """Login user with passwordless sudo."""

    publicKeyFile: NotRequired[str]
    """OpenSSH public key that new servers authorize."""

    keyName: NotRequired[str]
    """Existing EC2 key pair, instead of publicKeyFile."""

    address: NotRequired[Literal["private", "public"]]
    """Which address of a server to connect to."""

    port: NotRequired[int]
    """TCP port of SSH on the servers."""

    dialErrorLimit: NotRequired[int]
    """Attempts to connect, 5 s apart at most."""

    perDialTimeout: NotRequired[int]
    """Seconds for one attempt to connect."""

    privateKey: NotRequired[str]
    """The operator's private key, a secret of the stack, where there is no ssh-agent."""

    hostKeys: NotRequired[dict[str, str]]
    """Host keys that are not those met first, or their fingerprints; by server, or `bastion`."""

    proxy: NotRequired[ProxyArgsDict]
    """A bastion that the servers are reached through."""


class ChefPushJobsClusterArgsDict(TypedDict):
    """Everything that a stack can set."""

    topology: Literal["standalone", "tier", "ha"]
    """standalone, tier or ha."""

    domain: NotRequired[str]
    """Domain of the servers that backends and frontends count."""

    backends: NotRequired[int]
    """Number of backends; 2 for ha, else 1."""

    frontends: NotRequired[int]
    """Number of frontends."""

    servers: NotRequired[list[ServerEntryArgsDict]]
    """The servers by name, instead of counts and domain."""

    uninstallOnDestroy: NotRequired[bool]
    """Whether push jobs is removed from servers that exist already when they leave the stack."""

    clientCidrs: list[str]
    """Networks of the push jobs clients."""

    allowClientsFromAnywhere: NotRequired[bool]
    """Allows 0.0.0.0/0 in clientCidrs."""

    operatorCidrs: list[str]
    """Networks that operators use SSH from."""

    allowOperatorsFromAnywhere: NotRequired[bool]
    """Allows 0.0.0.0/0 in operatorCidrs."""

    vpcCidr: NotRequired[str]
    """Address range of the VPC that is made."""

    network: NotRequired[NetworkArgsDict]
    """The VPC and its subnets."""

    bastion: NotRequired[BastionArgsDict]
    """A bastion that is made; ssh.proxy is for one that there is."""

    entry: NotRequired[EntryArgsDict]
    """What clients reach Chef server through."""

    protect: NotRequired[bool]
    """Whether servers and load balancer are protected from being deleted, here and in the cloud."""

    allowDowntime: NotRequired[bool]
    """Whether machines that a change stops, such as another type, stop all at once."""

    pushJobs: PushJobsArgsDict
    """The push jobs server."""

    chefServer: NotRequired[ChefServerArgsDict]
    """The Chef server under it."""

    highAvailability: NotRequired[HighAvailabilityArgsDict]
    """Failover of the backends, which an ha cluster of machines that are made needs."""

    machines: NotRequired[MachinesArgsDict]
    """The virtual machines."""

    ssh: NotRequired[SshArgsDict]
    """How the operator reaches the servers."""

    timeLimits: NotRequired[dict[str, int]]
    """Seconds that a step may take on a server, by step name, where the default does not fit."""

    reverify: NotRequired[str]
    """Change it to run the test once more; the suite, unless pushJobs.verify is status."""

    repair: NotRequired[dict[str, str]]
    """By task, as `pulumi up` names it: another text runs it again, and what follows; none nothing."""

    tags: NotRequired[dict[str, str]]
    """Tags for every resource in the cloud."""
