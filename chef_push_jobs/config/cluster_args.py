"""What a ChefPushJobsCluster is given, as types that editors and checkers know: the settings of a stack file.

Written by `chef-push-jobs docs` from `stack_config.py`: change it there.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class BastionArgsDict(TypedDict):
    """A bastion that the stack creates. It accepts SSH from operatorCidrs; the servers accept SSH only from it."""

    instanceType: NotRequired[str]
    """EC2 instance type of the bastion, with the servers' architecture."""

    volumeSize: NotRequired[int]
    """Size of the bastion's root volume, in GiB."""

    address: NotRequired[Literal["public", "private"]]
    """Whether to connect to the public or the private address of the bastion."""


class PackageSourceArgsDict(TypedDict):
    """A package: a file beside the program, or a URL with its SHA-256."""

    file: NotRequired[str]
    """Path of the package file, relative to Pulumi.yaml; it is uploaded to the servers."""

    url: NotRequired[str]
    """URL from which every server can download the package; requires sha256."""

    sha256: NotRequired[str]
    """SHA-256 of the package, in hexadecimal; required with url."""


class ChefServerArgsDict(TypedDict):
    """The Chef server that push jobs belongs to."""

    package: NotRequired[PackageSourceArgsDict]
    """The chef-server-core package. Without it, the image must already contain Chef server."""

    version: NotRequired[str]
    """Version of Chef server, if no package's file name contains it."""

    acceptLicense: NotRequired[bool]
    """Accept the licence that Chef server 13 and later requires."""

    apiFqdn: NotRequired[str]
    """Name under which clients reach Chef server (api_fqdn)."""

    settings: NotRequired[dict[str, bool | int | str | dict[str, bool | int | str]]]
    """Additional keys for chef-server.rb: values, or tables of values such as nginx."""

    include: NotRequired[str]
    """A file on the servers that chef-server.rb reads last, for secrets or any other Ruby code."""


class RecordArgsDict(TypedDict):
    """A Route 53 record that points to the load balancer (an alias)."""

    zoneId: str
    """Id of the hosted zone."""

    name: NotRequired[str]
    """Name of the record; by default chefServer.apiFqdn."""


class EntryArgsDict(TypedDict):
    """How clients reach Chef server: through a load balancer, or directly on the frontends."""

    loadBalancer: NotRequired[Literal["none", "public", "internal"]]
    """Create a network load balancer, reachable from the internet or only inside the VPC."""

    targetGroupArn: NotRequired[str]
    """ARN of an existing load balancer's target group, to which to attach the frontends."""

    loadBalancerCidrs: NotRequired[list[str]]
    """Networks of the existing load balancer, from which it connects to the frontends."""

    record: NotRequired[RecordArgsDict]
    """DNS record for the load balancer that the stack creates, in Route 53."""


class HighAvailabilityArgsDict(TypedDict):
    """Failover between the two backends of an ha cluster: their address and their data move to the master."""

    provider: Literal["aws"]
    """The platform that moves the address and the data: aws."""

    vip: NotRequired[str]
    """Address that moves with the master; by default the last usable address in the backends' subnet."""

    volumeSize: NotRequired[int]
    """Size of the encrypted data volume, in GiB."""

    device: NotRequired[str]
    """Device name of the data volume on the backends."""

    instanceProfile: NotRequired[str]
    """Existing instance profile for the backends. If set, the stack creates no role."""

    permissionsBoundary: NotRequired[str]
    """ARN of the managed policy that limits the role which the stack creates for the backends."""

    prepareVolume: NotRequired[bool]
    """Create an LVM volume and a filesystem on the data volume if it is empty, and mount it."""

    package: NotRequired[PackageSourceArgsDict]
    """The chef-ha package, as a URL. Without it, the image must already contain it."""


class ImageArgsDict(TypedDict):
    """The machine image: an id, or the newest image of an owner whose name matches."""

    id: NotRequired[str]
    """AMI id. If set, owner and name are ignored."""

    owner: NotRequired[str]
    """AWS account that publishes the image; the default is Canonical."""

    name: NotRequired[str]
    """Name of the image; * matches anything."""


class MachinesArgsDict(TypedDict):
    """The virtual machines."""

    image: NotRequired[ImageArgsDict]
    """The machine image."""

    instanceType: NotRequired[str]
    """EC2 instance type."""

    architecture: NotRequired[Literal["amd64", "arm64"]]
    """Architecture of the instance type and the packages."""

    volumeSize: NotRequired[int]
    """Size of the root volume, in GiB."""

    metadata: NotRequired[Literal["required", "optional"]]
    """Whether instance metadata requires a session token (IMDSv2); optional supports older software."""


class NetworkArgsDict(TypedDict):
    """The network: a VPC that the stack creates, or an existing one."""

    private: NotRequired[Literal["none", "backends", "servers"]]
    """Which servers are in subnets without a route to the internet gateway."""

    nat: NotRequired[bool]
    """Create a NAT gateway, so that private servers can download packages from the web."""

    zones: NotRequired[list[str]]
    """Availability zones: the backends are in the first, the frontends in all. By default AWS chooses."""

    vpcId: NotRequired[str]
    """Id of an existing VPC, instead of creating one."""

    backendSubnetId: NotRequired[str]
    """Subnet of the existing VPC for the backends; only one, so that they share a zone."""

    frontendSubnetIds: NotRequired[list[str]]
    """Subnets of the existing VPC over which the frontends are spread."""

    publicSubnetIds: NotRequired[list[str]]
    """Subnets of the existing VPC for a public load balancer, one per zone. A bastion is in the first."""

    natAddresses: NotRequired[list[str]]
    """Public addresses of the existing VPC's NAT gateways, which a public load balancer sees."""


class PushJobsArgsDict(TypedDict):
    """The push jobs server."""

    package: PackageSourceArgsDict
    """The opscode-push-jobs-server package."""

    version: NotRequired[str]
    """Version of the package, if its file name does not contain it."""

    heartbeatPort: NotRequired[int]
    """TCP port for heartbeats, open to clientCidrs on the backends."""

    commandPort: NotRequired[int]
    """TCP port for commands, open to clientCidrs on the backends."""

    apiPort: NotRequired[int]
    """TCP port of push jobs' HTTP API, open to the frontends only."""

    settings: NotRequired[dict[str, bool | int | str]]
    """Additional keys for opscode-push-jobs-server.rb, e.g. heartbeat_interval."""

    rotateCredentials: NotRequired[str]
    """Change it to create new credentials on all servers. Removing it only restarts push jobs."""

    verify: NotRequired[Literal["suite", "status"]]
    """suite: run the package's own tests once per package; status: only check that push jobs responds."""


class ServerEntryArgsDict(TypedDict):
    """One server, if you choose names and FQDNs yourself or the servers exist already."""

    name: str
    """Name of the server in resources, tags and logs."""

    fqdn: str
    """Fully qualified domain name under which Chef server knows the server."""

    role: Literal["backend", "frontend"]
    """backend or frontend; the first backend is the primary."""

    address: NotRequired[str]
    """Address of an existing server, where you reach it. If set, the stack creates no machine."""

    privateAddress: NotRequired[str]
    """Address that the other servers connect to and see connections from, if it differs from address."""

    hostKey: NotRequired[str]
    """SSH host key of the server, or its fingerprint. Without it, the first connection trusts the key."""


class ProxyArgsDict(TypedDict):
    """An existing bastion through which Pulumi connects to the servers, using the same key."""

    host: str
    """Name or address of the bastion, as seen from your machine."""

    user: NotRequired[str]
    """Login user on the bastion."""

    port: NotRequired[int]
    """TCP port of SSH on the bastion."""

    hostKey: NotRequired[str]
    """SSH host key of the bastion, or its fingerprint. Without it, the first connection trusts the key."""


class SshArgsDict(TypedDict):
    """How Pulumi connects to the servers. Unless privateKey is set, it uses the keys in your ssh-agent."""

    user: NotRequired[str]
    """Login user with passwordless sudo."""

    publicKeyFile: NotRequired[str]
    """File with the OpenSSH public key that new servers accept."""

    keyName: NotRequired[str]
    """Existing EC2 key pair that new servers accept, instead of publicKeyFile."""

    address: NotRequired[Literal["private", "public"]]
    """Whether to connect to the private or the public address of a server."""

    port: NotRequired[int]
    """TCP port of SSH on the servers."""

    dialErrorLimit: NotRequired[int]
    """How often to try to connect, at most 5 s apart."""

    perDialTimeout: NotRequired[int]
    """Time limit for one attempt to connect, in seconds."""

    privateKey: NotRequired[str]
    """Private key for the connections, as a secret, if there is no ssh-agent."""

    hostKeys: NotRequired[dict[str, str]]
    """New host keys (or fingerprints) of machines whose key has changed, by server name or `bastion`."""

    proxy: NotRequired[ProxyArgsDict]
    """An existing bastion through which to connect to the servers."""


class ChefPushJobsClusterArgsDict(TypedDict):
    """Everything that a stack can set."""

    topology: Literal["standalone", "tier", "ha"]
    """The kind of cluster: standalone, tier or ha.

    standalone is one server: the cheapest, but nothing works while it is down. tier has one backend and at least
    one frontend: the frontends share the API requests, but the backend cannot fail over. ha has two backends, one
    of which takes over when the other fails, and at least one frontend: it costs the most, and on AWS it needs
    highAvailability and Chef server 12.
    """

    domain: NotRequired[str]
    """Domain of the servers' names, if you set backends and frontends instead of servers."""

    backends: NotRequired[int]
    """Number of backends: 2 for ha, otherwise 1."""

    frontends: NotRequired[int]
    """Number of frontends."""

    servers: NotRequired[list[ServerEntryArgsDict]]
    """List of the servers, instead of domain, backends and frontends."""

    uninstallOnDestroy: NotRequired[bool]
    """Uninstall push jobs from existing servers when they are removed from the stack."""

    clientCidrs: list[str]
    """Networks of the push jobs clients, which may connect to the backends and the API."""

    allowClientsFromAnywhere: NotRequired[bool]
    """Allow 0.0.0.0/0 in clientCidrs."""

    operatorCidrs: list[str]
    """Networks from which operators connect with SSH."""

    allowOperatorsFromAnywhere: NotRequired[bool]
    """Allow 0.0.0.0/0 in operatorCidrs."""

    vpcCidr: NotRequired[str]
    """Address range of the VPC that the stack creates."""

    network: NotRequired[NetworkArgsDict]
    """The VPC and its subnets."""

    bastion: NotRequired[BastionArgsDict]
    """A bastion that the stack creates. Use ssh.proxy for an existing one."""

    entry: NotRequired[EntryArgsDict]
    """How clients reach Chef server."""

    protect: NotRequired[bool]
    """Protect servers, bastion and load balancer from deletion, in Pulumi and in AWS."""

    allowDowntime: NotRequired[bool]
    """Whether machines that a change stops, such as another type, stop all at once."""

    pushJobs: PushJobsArgsDict
    """The push jobs server."""

    chefServer: NotRequired[ChefServerArgsDict]
    """The Chef server that push jobs belongs to."""

    highAvailability: NotRequired[HighAvailabilityArgsDict]
    """Failover between the backends; required for an ha cluster on AWS."""

    machines: NotRequired[MachinesArgsDict]
    """The virtual machines."""

    ssh: NotRequired[SshArgsDict]
    """How Pulumi connects to the servers."""

    timeLimits: NotRequired[dict[str, int]]
    """Time limits for steps on one server, in seconds, by step name, if the default does not fit."""

    reverify: NotRequired[str]
    """Change it to run the test again: the suite, unless pushJobs.verify is status."""

    repair: NotRequired[dict[str, str]]
    """By task, as `pulumi up` names it: a new value runs it again, with all tasks that depend on it."""

    tags: NotRequired[dict[str, str]]
    """Tags for all AWS resources."""
