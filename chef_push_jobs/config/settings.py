"""A stack's configuration as typed settings, and everything that is wrong with it, in one pass. Pure, except for files.

`runbook.stack` checks what only the runbooks know (which tasks and steps exist).
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from chef_push_jobs.config import chef_checks, network_checks, version_checks
from chef_push_jobs.config.parser import Values, build, decoded, is_given, parse
from chef_push_jobs.config.stack_config import ServerEntry, StackConfig
from chef_push_jobs.model import packages, topology
from chef_push_jobs.model.flows import DATABASE_FROM_EVERYWHERE, RESERVED
from chef_push_jobs.model.order import natural
from chef_push_jobs.model.packages import Package, Source, Version
from chef_push_jobs.model.problems import Problem, report, without_use
from chef_push_jobs.model.subnets import Subnet, backend_subnet, default_vip, is_usable, planned
from chef_push_jobs.model.topology import Kind, Role, Server, Topology

# The shortest prefix that still names somebody: a wider network counts as "anywhere".
WIDEST = 8


class SettingsError(ValueError):
    """Contains every problem of a stack's settings."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(report(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Settings:
    """A stack's settings, checked, and what follows from them. `public_key` is an OpenSSH line."""

    config: StackConfig
    topology: Topology
    push_jobs_package: Package
    chef_server_package: Package | None
    public_key: str | None
    chef_ha_package: Package | None = None

    @property
    def packages(self) -> tuple[Package, ...]:
        return tuple(each for each in (self.push_jobs_package, self.chef_server_package, self.chef_ha_package) if each)

    @property
    def vip(self) -> str | None:
        """The backends' address that moves on failover; None without failover."""
        chosen = self.config.high_availability
        if chosen is None:
            return None
        return chosen.vip or default_vip(backend_subnet(self.config.vpc_cidr))

    @property
    def push_jobs_version(self) -> Version | None:
        """The package's version, from its name or from the setting; None if unknown."""
        return version_checks.version(self.push_jobs_package, self.config.push_jobs.version)

    @property
    def standby_reaches_database(self) -> bool:
        """Whether reconfigure on a standby works on the master's database: from push jobs 2.0.1 on."""
        version = self.push_jobs_version
        return self.topology.kind is Kind.HA and (version is None or version >= DATABASE_FROM_EVERYWHERE)

    @property
    def chef_server_version(self) -> Version | None:
        """Like `push_jobs_version`."""
        return version_checks.version(self.chef_server_package, self.config.chef_server.version)

    @property
    def subnets(self) -> tuple[Subnet, ...]:
        """The subnets of a VPC that the stack creates."""
        network = self.config.network
        return planned(
            network.private,
            network.zones,
            frontends=bool(self.topology.frontends),
            balancer=self.config.entry.load_balancer == "public",
            internet=self.config.bastion is not None or network.nat,
        )

    @property
    def placeholder(self) -> Settings:
        """With placeholders for the locations of packages and the SSH port.

        Moving those is no reason to act on a server.
        """
        ssh = self.config.ssh.model_copy(update={"port": 0})
        return replace(
            self,
            config=self.config.model_copy(update={"ssh": ssh}),
            push_jobs_package=self.push_jobs_package.placeholder,
            chef_server_package=self.chef_server_package and self.chef_server_package.placeholder,
            chef_ha_package=self.chef_ha_package and self.chef_ha_package.placeholder,
        )

    @property
    def existing(self) -> Mapping[str, ServerEntry]:
        """The existing servers by name; empty if the stack creates machines."""
        return {entry.name: entry for entry in self.config.servers or () if entry.address is not None}

    def host_key(self, name: str) -> str | None:
        """The host key of a server or the bastion that the settings give, or its fingerprint."""
        entry = self.existing.get(name)
        return entry.host_key if entry else self.config.ssh.host_keys.get(name)

    @property
    def runs_chef_server_runbook(self) -> bool:
        """Existing servers already run Chef server, unless the stack has the package for it."""
        return not self.existing or self.chef_server_package is not None

    @property
    def makes_load_balancer(self) -> bool:
        return self.config.entry.load_balancer != "none"

    @property
    def entry_servers(self) -> tuple[Server, ...]:
        """The servers that answer clients."""
        return self.topology.frontends or (self.topology.primary,)

    def has_public_address(self, server: Server) -> bool:
        """Frontends in public subnets next to private backends always have one: it is their route to the internet."""
        network = self.config.network
        beside = network.private == "backends" and server.role is Role.FRONTEND
        return self.config.ssh.address == "public" or (network.vpc_id is None and beside)

    @property
    def bastion_fqdn(self) -> str:
        """The FQDN of a bastion that the stack creates: in the primary's domain."""
        return f"{network_checks.BASTION}.{self.topology.primary.fqdn.split('.', 1)[1]}"

    @property
    def api_fqdn(self) -> str:
        """The name at which clients reach Chef server."""
        record = self.config.entry.record
        given = self.config.chef_server.api_fqdn or (record.name if record else None)
        return given or self.entry_servers[0].fqdn

    def repair(self, task: str) -> str:
        """The text in `repair` for this task, empty if it is not there. A different text makes the task run again."""
        return self.config.repair.get(task, "")

    def timeout(self, step: str, default: int) -> int:
        """The time limit of a step on one server, in seconds."""
        return self.config.time_limits.get(step, default)


@dataclass(frozen=True)
class Reading:
    """A stack's configuration as it was read, and all problems that it has by itself.

    `settings` is None if there are problems. Checks that need less than all settings use the rest: which settings were
    `given`, the understood `values` by path, and the topology.
    """

    settings: Settings | None
    problems: tuple[Problem, ...]
    given: Mapping[str, object]
    values: Values
    topology: Topology | None

    @property
    def existing(self) -> bool:
        """Whether the servers are existing ones."""
        return _are_there(self.values)

    @property
    def runs_chef_server_runbook(self) -> bool:
        """Like `Settings.runs_chef_server_runbook`."""
        return not self.existing or any(name.startswith("chefServer.package.") for name in self.values)


def read(raw: Mapping[str, str], root: Path, *, files: bool = True) -> Reading:
    """Reads the stack's configuration (JSON text for values that are not strings); paths are relative to `root`.

    Without `files`, it does not open the files that settings name: a plan needs none of them.
    """
    given = {key: decoded(value) for key, value in raw.items()}
    values, problems = parse(StackConfig, given)
    servers = _servers(values, problems)
    problems += _cidrs(values) + _ports(values) + _existing(given, values) + [*_high_availability(given, values)]
    problems += [*_host_keys(given, values, servers)]
    problems += network_checks.problems(given, values, servers)
    folder = root if files else None
    push_jobs_package = _package(values, "pushJobs.package", folder, problems)
    chef_server_package = _package(values, "chefServer.package", folder, problems)
    chef_ha_package = _package(values, "highAvailability.package", folder, problems)
    problems += _versions(values, push_jobs_package, chef_server_package)
    public_key = _public_key(values, root, problems) if files else None
    kind = values.get("topology")
    known = isinstance(kind, Kind) and servers and not topology.problems(kind, servers)
    all_servers = Topology(kind, servers) if known and isinstance(kind, Kind) else None
    settings = None
    if not problems and all_servers and push_jobs_package:
        config = build(StackConfig, values)
        settings = Settings(config, all_servers, push_jobs_package, chef_server_package, public_key, chef_ha_package)
    return Reading(settings, tuple(problems), given, values, all_servers)


def _are_there(values: Values) -> bool:
    entries = values.get("servers")
    return isinstance(entries, list) and any(entry.address is not None for entry in entries)


def _servers(values: Values, problems: list[Problem]) -> tuple[Server, ...]:
    kind = values.get("topology")
    entries, domain = values.get("servers"), values.get("domain")
    servers: tuple[Server, ...] = ()
    if isinstance(entries, list):
        given = [name for name in ("domain", "backends", "frontends") if values.get(name) is not None]
        if given:
            rule = "set either servers, or domain and counts"
            problems.append(Problem("servers", f"given beside {', '.join(given)}", rule, "remove one of the two"))
        servers = tuple(Server(entry.name, entry.fqdn, entry.role) for entry in entries)
    elif isinstance(kind, Kind) and _given(values, "servers", "backends", "frontends", "domain"):
        backends, least, _ = topology.SIZES[kind]
        counts = [values.get("backends"), values.get("frontends")]
        if not isinstance(domain, str) or (least and counts[1] is None):
            missing = "domain" if not isinstance(domain, str) else "frontends"
            rule = f"topology {kind} has {topology.SHAPES[kind]}, named backend-0, frontend-0, … in domain"
            problems.append(Problem(missing, "not given", rule, f"set {missing}, or list the servers under servers"))
            return ()
        counted = [
            count if isinstance(count, int) else least for count, least in zip(counts, (backends, 0), strict=True)
        ]
        servers = topology.numbered(counted[0], counted[1], domain)
    else:
        return ()
    problems += topology.problems(kind if isinstance(kind, Kind) else None, servers)
    return tuple(sorted(servers, key=lambda server: server.role))


def _given(values: Values, *names: str) -> bool:
    """Whether each was understood (it may be unset): invalid values are already reported."""
    return all(name in values for name in names)


def _cidrs(values: Values) -> list[Problem]:
    found = []
    for setting, opt_in, who in (
        ("clientCidrs", "allowClientsFromAnywhere", "push jobs ports"),
        ("operatorCidrs", "allowOperatorsFromAnywhere", "SSH"),
        ("entry.loadBalancerCidrs", None, "the API"),
    ):
        cidrs = values.get(setting)
        if not isinstance(cidrs, list):
            continue
        twice = [cidr for cidr, count in Counter(cidrs).items() if count > 1]
        found += [
            Problem(setting, f"'{cidr}', twice", "each network may be listed only once", "remove one") for cidr in twice
        ]
        if opt_in and values.get(opt_in) is not False:
            continue
        means_it = f", or set {opt_in} to true if you mean it" if opt_in else ""
        found += [
            Problem(
                setting,
                f"'{cidr}'",
                f"{who} for specific networks only, not for the whole internet (/{WIDEST} at the widest)",
                f"list the networks that need it{means_it}",
            )
            for cidr in cidrs
            if ipaddress.IPv4Network(cidr).prefixlen < WIDEST
        ]
    vpc = values.get("vpcCidr")
    if isinstance(vpc, str) and not 16 <= ipaddress.IPv4Network(vpc).prefixlen <= 24:
        rule = "the VPC must be a /16 to a /24, so that it has room for a subnet for each tier"
        found.append(Problem("vpcCidr", f"'{vpc}'", rule, "choose a network of that size, for example 10.0.0.0/16"))
    return found


def _ports(values: Values) -> list[Problem]:
    names = ("pushJobs.heartbeatPort", "pushJobs.commandPort", "pushJobs.apiPort", "ssh.port")
    ports = {name: values[name] for name in names if name in values}
    found = [
        Problem(
            one, f"{ports[one]}, as {other}", "every port may be used only once", "choose another port for one of them"
        )
        for one, other in combinations(ports, 2)
        if ports[one] == ports[other]
    ]
    for name, port in ports.items():
        if isinstance(port, int) and port in RESERVED:
            rule = f"Chef server itself uses it ({RESERVED[port]})"
            found.append(Problem(name, str(port), rule, "choose a port that Chef server does not use"))
    own = {"heartbeat_port", "server_heartbeat_port", "command_port", "api_port"}
    options = values.get("pushJobs.settings")
    for key in sorted(own & set(options if isinstance(options, dict) else ())):
        rule = "ports have their own settings, because the firewall and the test need them too"
        found.append(
            Problem(f"pushJobs.settings.{key}", "given here", rule, "use heartbeatPort, commandPort or apiPort")
        )
    return found


# Settings of machines to create; they do not apply to a stack of existing servers.
FOR_NEW_MACHINES = (
    *("ssh.keyName", "ssh.publicKeyFile", "ssh.hostKeys", "machines.image", "machines.instanceType", "vpcCidr"),
    "machines.metadata",
    *("network", "bastion", "entry", "protect", "allowDowntime", "highAvailability"),
)


def _existing(raw: Mapping[str, object], values: Values) -> list[Problem]:
    """Either all servers exist, or the stack creates all of them; each kind has its own settings."""
    if "servers" not in values:
        return []  # invalid and already reported; nobody knows which kind it is
    entries = values["servers"]
    servers = [entry for entry in entries if isinstance(entry, ServerEntry)] if isinstance(entries, list) else []
    without = [entry.name for entry in servers if entry.address is None]
    if len(without) == len(servers):
        unused = [
            f"servers[{number}].{key}"
            for number, entry in enumerate(servers)
            for key, value in (("privateAddress", entry.private_address), ("hostKey", entry.host_key))
            if value
        ]
        unused += ["uninstallOnDestroy"] if values.get("uninstallOnDestroy") else []
        rule = "it only applies to existing servers, which have an address"
        return [*without_use(unused, rule), *_ssh_key(values)]
    found = [*_one_server_twice(servers)]
    found += without_use(
        [name for name in FOR_NEW_MACHINES if is_given(raw, name)], "it only applies to machines that the stack creates"
    )
    if without:
        rule = "either all servers exist already or the stack creates all of them"
        found.append(
            Problem("servers", f"no address for {', '.join(without)}", rule, "give all of them an address, or none")
        )
    return found


def _one_server_twice(servers: Sequence[ServerEntry]) -> Iterable[Problem]:
    """Two entries for one host would run as two servers there and overwrite each other's files."""
    of = {entry.name: {entry.address, entry.private_address} - {None} for entry in servers}
    addresses = Counter(address for own in of.values() for address in own)
    for address in (address for address, count in addresses.items() if count > 1):
        names = " and ".join(name for name, own in of.items() if address in own)
        rule = "each server must be a separate host with its own address"
        yield Problem("servers", f"address '{address}' of {names}", rule, "correct one of them, or remove one")


def _host_keys(raw: Mapping[str, object], values: Values, servers: Sequence[Server]) -> Iterable[Problem]:
    """`ssh.hostKeys` is for machines that the stack creates; existing servers have theirs in the list of servers."""
    keys = values.get("ssh.hostKeys")
    known = {server.name for server in servers} | ({network_checks.BASTION} if is_given(raw, "bastion") else set())
    for name in keys if isinstance(keys, dict) and servers else ():
        if name not in known:
            rule = "it must be a server of the stack, or `bastion` if the stack creates one"
            yield Problem(
                f"ssh.hostKeys.{name}",
                "given",
                rule,
                f"remove it, or choose one of {', '.join(sorted(known, key=natural))}",
            )


def _ssh_key(values: Values) -> list[Problem]:
    key, file = values.get("ssh.keyName"), values.get("ssh.publicKeyFile")
    if "ssh.keyName" in values and "ssh.publicKeyFile" in values and (key is None) == (file is None):
        given = "both keyName and publicKeyFile" if key else "neither keyName nor publicKeyFile"
        rule = "exactly one of them must be set, for new servers to accept"
        return [Problem("ssh", given, rule, "set publicKeyFile to the .pub file of a key in your ssh-agent")]
    return []


def _high_availability(raw: Mapping[str, object], values: Values) -> Iterable[Problem]:
    kind, address, vpc = (values.get(name) for name in ("topology", "highAvailability.vip", "vpcCidr"))
    if kind is Kind.HA and "servers" in values and not _are_there(values) and not is_given(raw, "highAvailability"):
        rule = "without it Chef server uses DRBD, which new machines do not have, and its reconfigure fails"
        remedy = "set highAvailability.provider to aws (docs/failover.md), or topology to tier"
        yield Problem("highAvailability", "not given, with topology ha", rule, remedy)
    if "highAvailability.provider" not in values:
        return
    if isinstance(kind, Kind) and kind is not Kind.HA:
        rule = "only the two backends of an ha cluster can take over from each other"
        yield Problem("highAvailability", f"given with topology {kind}", rule, "remove it, or set topology to ha")
    if values.get("network.vpcId") is not None:
        if "highAvailability.vip" in values and address is None:
            rule = "the stack cannot know which address is free in an existing VPC"
            yield Problem("highAvailability.vip", "not given", rule, "set it to a free address in the backends' subnet")
    elif isinstance(address, str) and isinstance(vpc, str):
        subnet = backend_subnet(vpc)
        if not is_usable(address, subnet):
            rule = (
                f"it must be in the backends' subnet, {subnet}, but not one of its first four addresses or its last "
                "one, which AWS reserves"
            )
            remedy = f"choose one, for example {default_vip(subnet)}, or leave it out"
            yield Problem("highAvailability.vip", f"'{address}'", rule, remedy)
    if values.get("highAvailability.instanceProfile") and values.get("highAvailability.permissionsBoundary"):
        rule = "it limits the role that the stack creates, but with instanceProfile the stack creates none"
        yield Problem("highAvailability.permissionsBoundary", "given", rule, "remove one of the two")
    if values.get("highAvailability.package.file") is not None:
        rule = "the backends download this package; it is not uploaded"
        yield Problem("highAvailability.package.file", "given", rule, "set url and sha256")


def _versions(values: Values, push_jobs: Package | None, core: Package | None) -> Iterable[Problem]:
    kind, image, image_id = (values.get(name) for name in ("topology", "machines.image.name", "machines.image.id"))
    yield from version_checks.given_twice("pushJobs.version", push_jobs, values.get("pushJobs.version"))
    yield from version_checks.given_twice("chefServer.version", core, values.get("chefServer.version"))
    software = version_checks.Software(
        kind if isinstance(kind, Kind) else None,
        version_checks.version(push_jobs, values.get("pushJobs.version")),
        version_checks.version(core, values.get("chefServer.version")),
        image if isinstance(image, str) and image_id is None and not _are_there(values) else None,
        core is not None or not _are_there(values),
        next((str(made) for made in [values.get("entry.loadBalancer")] if made in ("public", "internal")), None),
    )
    yield from version_checks.problems(software, values)
    yield from chef_checks.problems(values, runs_its_runbook=software.reconfigures_core)


def _package(values: Values, setting: str, root: Path | None, problems: list[Problem]) -> Package | None:
    parts = {name: values.get(f"{setting}.{name}") for name in ("file", "url", "sha256")}
    architecture = values.get("machines.architecture")
    refused = [name for name in parts if f"{setting}.{name}" not in values]
    if refused or not isinstance(architecture, str):
        return None
    source = Source(**{name: str(value) if value is not None else None for name, value in parts.items()})
    found, wrong = packages.package(source, architecture, setting, root)
    problems += wrong
    return found


def _public_key(values: Values, root: Path, problems: list[Problem]) -> str | None:
    file = values.get("ssh.publicKeyFile")
    if not isinstance(file, str):
        return None
    setting, remedy = "ssh.publicKeyFile", "set it to the .pub file of a key in your ssh-agent"
    try:
        lines = (root / file).expanduser().read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        problems.append(Problem(setting, f"'{file}'", "the file must exist and be readable", remedy))
        return None
    if len(lines) != 1 or not lines[0].startswith(("ssh-", "ecdsa-")):
        problems.append(
            Problem(setting, f"'{file}'", "it must contain one public key in the format of ssh-keygen", remedy)
        )
        return None
    return lines[0].strip()
