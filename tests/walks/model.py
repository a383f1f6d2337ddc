"""The steps of a walk as a table over a model of the cluster, and the walk that a seed is. Pure.

A step is written `name:what`, for example `frontends:more`; a fault that strikes in it `frontends:more!engine@0.40`:
at the task that stands at four tenths of those that the preview lists. A second one, `!engine@0.40!reboot@0.90`,
strikes in the run that is to recover from the first.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from chef_push_jobs.model.topology import Kind, numbered, topology
from chef_push_jobs.runbook.plan import outline
from chef_push_jobs.runbook.steps import Action

LENGTH = 8
TOPOLOGIES = ("ha", "tier", "existing")
PACKAGES = ("1.1.6", "2.2.8")
# heartbeat, command, API
PORTS = {"usual": (10000, 10003, 10002), "swapped": (10003, 10000, 10002), "others": (11000, 11003, 11002)}
INTERVALS = ("", "1000", "2000")
NETWORKS = ("10.2.0.0/24", "10.3.0.0/24")
FRONTENDS = range(1, 4)
FAULTS = ("fails", "engine", "interrupt", "plugin", "network", "sshd", "reboot")
STRUCK = 0.4  # of the steps that run tasks
STRUCK_AGAIN = 0.4  # of the runs that are to recover


@dataclass(frozen=True)
class Cluster:
    """What the settings say, and which backend is master. `turn` counts the steps, for texts that must be others."""

    topology: str
    frontends: int = 1
    ports: str = "usual"
    interval: str = ""
    package: str = PACKAGES[0]
    rotation: str = ""
    reverify: str = ""
    networks: tuple[str, ...] = ()
    protect: bool = False
    master: str = "backend-0"
    turn: int = 0

    @property
    def fails_over(self) -> bool:
        return self.topology != "tier"

    @property
    def made(self) -> bool:
        """Whether the servers, and what is around them, are the stack's."""
        return self.topology != "existing"

    @property
    def backends(self) -> tuple[str, ...]:
        return ("backend-0", "backend-1") if self.fails_over else ("backend-0",)

    @property
    def servers(self) -> tuple[str, ...]:
        return (*self.backends, *(f"frontend-{number}" for number in range(self.frontends)))

    @property
    def standby(self) -> str:
        (other,) = set(self.backends) - {self.master}
        return other

    @property
    def settings(self) -> dict[str, Any]:
        """Those that steps change, as the stack file has them; None for one that is not there."""
        push_jobs: dict[str, Any] = {
            "package": {"file": f".sandbox/packages/opscode-push-jobs-server_{self.package}-1_amd64.deb"}
        }
        if self.ports != "usual":
            push_jobs |= zip(("heartbeatPort", "commandPort", "apiPort"), map(str, PORTS[self.ports]), strict=True)
        if self.interval:
            push_jobs["settings"] = {"heartbeat_interval": self.interval}
        if self.rotation:
            push_jobs["rotateCredentials"] = self.rotation
        return {
            "pushJobs": push_jobs,
            "reverify": self.reverify or None,
            "clientCidrs": ["10.1.0.0/24", *self.networks],
            **({"frontends": str(self.frontends), "protect": "true" if self.protect else None} if self.made else {}),
        }


@dataclass(frozen=True)
class Move:
    """One way to take a step, and the model after it."""

    what: str
    after: Cluster


@dataclass(frozen=True)
class Step:
    """`moves` are the ways to take it, none where it is not possible. `struck` is whether a fault may strike in it.

    `outage` is what its clients may notice, by the names in `world.BUDGETS`: nothing at all, a restart of push jobs, a
    failover, or what it is about itself. "tasks" leaves that to the tasks that the preview lists.
    """

    name: str
    moves: Callable[[Cluster], Iterable[Move]]
    outage: str
    struck: bool = True


def _frontends(cluster: Cluster) -> Iterator[Move]:
    if cluster.frontends + 1 in FRONTENDS:
        yield Move("more", replace(cluster, frontends=cluster.frontends + 1))
    if cluster.frontends - 1 in FRONTENDS and not cluster.protect:
        yield Move("fewer", replace(cluster, frontends=cluster.frontends - 1))


def _ports(cluster: Cluster) -> Iterator[Move]:
    """Of servers that exist the firewall is not the stack's."""
    if cluster.made:
        yield from (Move(name, replace(cluster, ports=name)) for name in PORTS if name != cluster.ports)


def _settings(cluster: Cluster) -> Iterator[Move]:
    for interval in INTERVALS:
        if interval != cluster.interval:
            yield Move(interval or "none", replace(cluster, interval=interval))


def _upgrade(cluster: Cluster) -> Iterator[Move]:
    for package in PACKAGES[PACKAGES.index(cluster.package) + 1 :]:
        yield Move(package, replace(cluster, package=package))


def _rotate(cluster: Cluster) -> Iterator[Move]:
    yield Move("new", replace(cluster, rotation=f"turn-{cluster.turn}"))
    if cluster.rotation:
        yield Move("out", replace(cluster, rotation=""))


def _reverify(cluster: Cluster) -> Iterator[Move]:
    yield Move("again", replace(cluster, reverify=f"turn {cluster.turn}"))


def _repair(cluster: Cluster) -> Iterator[Move]:
    return (Move(task, cluster) for task in tasks(cluster.topology, cluster.frontends))


@cache
def tasks(kind: str, frontends: int) -> tuple[str, ...]:
    """Those of its plan that can be repaired, by name."""
    shape = Kind.TIER if kind == "tier" else Kind.HA
    servers = topology(shape, numbered(1 if shape is Kind.TIER else 2, frontends, "chef.test"))
    made = kind != "existing"
    plan = outline(servers, existing=not made, runs_chef_server_runbook=made)
    return tuple(str(task) for task in plan if task.action is Action.COMMAND and task.step.adjustable)


def _replace(cluster: Cluster) -> Iterator[Move]:
    """Not a new primary beside a cluster that is at work: that needs hands (docs/operations.md, Replace)."""
    if not cluster.made or cluster.protect:
        return
    for server in cluster.servers:
        if cluster.topology == "tier" or server not in ("backend-0", cluster.master):
            yield Move(server, cluster)


def _networks(cluster: Cluster) -> Iterator[Move]:
    if not cluster.made:
        return
    for network in NETWORKS:
        if network in cluster.networks:
            others = tuple(each for each in cluster.networks if each != network)
            yield Move(f"without {network}", replace(cluster, networks=others))
        else:
            yield Move(f"with {network}", replace(cluster, networks=(*cluster.networks, network)))


def _protect(cluster: Cluster) -> Iterator[Move]:
    if cluster.made:
        yield Move("off" if cluster.protect else "on", replace(cluster, protect=not cluster.protect))


def _fail_over(cluster: Cluster) -> Iterator[Move]:
    """Its return is the next one."""
    if cluster.fails_over:
        yield from (Move(way, replace(cluster, master=cluster.standby)) for way in ("stop", "power"))


@dataclass(frozen=True)
class Drift:
    """Made by hand on a server, or in the cloud where `script` is none. `on` says on which servers it can be."""

    script: str
    on: Callable[[Cluster], Iterable[str]]
    outage: str = "tasks"


ETC = "/etc/opscode-push-jobs-server"
HOME = "/var/lib/chef-rollout"


def _primary(cluster: Cluster) -> tuple[str, ...]:
    return cluster.servers[:1]


def _others(cluster: Cluster) -> tuple[str, ...]:
    return cluster.servers[1:]


def _everywhere(cluster: Cluster) -> tuple[str, ...]:
    return cluster.servers


def _frontends_alone(cluster: Cluster) -> Sequence[str]:
    return cluster.servers[len(cluster.backends) :]


def _cloud(cluster: Cluster) -> tuple[str, ...]:
    return ("cloud",) if cluster.made else ()


DRIFTS = {
    "settings": Drift(f"echo '# edited' >> {ETC}/opscode-push-jobs-server.rb", _everywhere),
    "no-settings": Drift(f"rm {ETC}/opscode-push-jobs-server.rb", _everywhere),
    "credentials": Drift(f"for file in {ETC}/*.pem; do [ ! -e $file ] || sed -i s/A/B/ $file; done", _others),
    "modes": Drift(f"for file in {ETC}/*.pem; do [ ! -e $file ] || chmod 644 $file; done", _others),
    "stopped": Drift("chef-server-ctl stop opscode-pushy-server", lambda cluster: [cluster.master], "its own"),
    "started": Drift(
        "chef-server-ctl start opscode-pushy-server", lambda cluster: [cluster.standby] if cluster.fails_over else []
    ),
    "keepalived": Drift(
        "sed -i /opscode-pushy-server/d /var/opt/opscode/keepalived/bin/cluster.sh",
        lambda cluster: cluster.backends if cluster.fails_over else [],
    ),
    "home": Drift(f"rm -r {HOME}", _everywhere),
    "copy-key": Drift(f"rm {HOME}/id_ed25519*", _others),
    "let-in": Drift("sed -i /chef-rollout/d ~ubuntu/.ssh/authorized_keys", _primary),
    "package": Drift("dpkg --remove --force-all opscode-push-jobs-server", _frontends_alone),
    "rule-revoked": Drift("", _cloud),
    "rule-added": Drift("", _cloud),
}


def _drift(cluster: Cluster) -> Iterator[Move]:
    for name, drift in DRIFTS.items():
        first_generation = cluster.package.startswith("1.")  # later ones have no credentials in files
        if first_generation or name not in ("credentials", "modes"):
            yield from (Move(f"{name}@{where}", cluster) for where in drift.on(cluster))


STEPS = {
    step.name: step
    for step in (
        Step("frontends", _frontends, "nothing"),
        Step("ports", _ports, "a restart"),
        Step("settings", _settings, "a restart"),
        Step("upgrade", _upgrade, "a restart"),
        Step("rotate", _rotate, "a restart"),
        Step("reverify", _reverify, "tasks"),
        Step("repair", _repair, "tasks"),
        Step("replace", _replace, "tasks"),
        Step("networks", _networks, "nothing", struck=False),
        Step("protect", _protect, "nothing", struck=False),
        Step("failover", _fail_over, "a failover", struck=False),
        Step("drift", _drift, "tasks", struck=False),
    )
}


@dataclass(frozen=True)
class Hit:
    """A fault in a run. `at` is which of the tasks that the run is to do it strikes, from 0 to 1."""

    fault: str
    at: float

    def __str__(self) -> str:
        return f"{self.fault}@{self.at:.2f}"

    @classmethod
    def draw(cls, chance: random.Random) -> Hit:
        return cls(chance.choice(FAULTS), round(chance.random(), 2))


@dataclass(frozen=True)
class Choice:
    """A step as a walk has it. `hits` strike one run after the other: the first, then those that are to recover."""

    step: str
    what: str
    hits: tuple[Hit, ...] = ()

    def __str__(self) -> str:
        return "!".join([f"{self.step}:{self.what}", *map(str, self.hits)])

    @classmethod
    def parse(cls, text: str) -> Choice:
        found = re.fullmatch(r"([a-z]+):([^!]+)((?:![a-z]+@[0-9.]+)*)", text)
        hits = re.findall(r"!([a-z]+)@([0-9.]+)", found[3]) if found else []
        if not found or found[1] not in STEPS or not {fault for fault, _ in hits} <= set(FAULTS):
            raise ValueError(f"{text} is no step of a walk")
        return cls(found[1], found[2], tuple(Hit(fault, float(at)) for fault, at in hits))


def take(cluster: Cluster, choice: Choice) -> Cluster | None:
    """The model after it; None where it is not possible."""
    moves = {move.what: move.after for move in STEPS[choice.step].moves(cluster)}
    after = moves.get(choice.what)
    return replace(after, turn=cluster.turn + 1) if after else None


def generate(kind: str, seed: int, length: int = LENGTH) -> tuple[Choice, ...]:
    """The walk of a seed. Each kind of step that is possible is as likely as each other."""
    chance = random.Random(f"{kind}-{seed}")  # noqa: S311 - it is no secret
    again = random.Random(f"{kind}-{seed}-again")  # noqa: S311 - as above; apart, so that the steps stay a seed's own
    cluster, found = Cluster(kind), list[Choice]()
    while len(found) < length:
        possible = {name: moves for name, step in STEPS.items() if (moves := tuple(step.moves(cluster)))}
        name = chance.choice(list(possible))
        choice = Choice(name, chance.choice(possible[name]).what)
        if STEPS[name].struck and chance.random() < STRUCK:
            choice = replace(choice, hits=(Hit.draw(chance),))
            if again.random() < STRUCK_AGAIN:
                choice = replace(choice, hits=(*choice.hits, Hit.draw(again)))
        after = take(cluster, choice)
        assert after is not None
        cluster = after
        found.append(choice)
    return tuple(found)


def replay(kind: str, choices: Iterable[Choice]) -> tuple[tuple[Choice, Cluster], ...]:
    """Each choice with the model after it. What is not possible any more, as where steps were left out, is left out."""
    cluster, found = Cluster(kind), list[tuple[Choice, Cluster]]()
    for choice in choices:
        if after := take(cluster, choice):
            cluster = after
            found.append((choice, after))
    return tuple(found)


def shorter(choices: Sequence[Choice]) -> Iterator[tuple[Choice, ...]]:
    """What is left without each of its steps, then without each fault: the later ones first."""
    for position in reversed(range(len(choices))):
        yield (*choices[:position], *choices[position + 1 :])
    for position in reversed(range(len(choices))):
        for hit in reversed(choices[position].hits):
            fewer = replace(
                choices[position], hits=tuple(other for other in choices[position].hits if other is not hit)
            )
            yield (*choices[:position], fewer, *choices[position + 1 :])


def shrink(kind: str, choices: Sequence[Choice], fails: Callable[[tuple[Choice, ...]], bool]) -> tuple[Choice, ...]:
    """The shortest that still fails: one step or fault less at a time."""
    found = tuple(choices)
    while True:
        for fewer in shorter(found):
            left = tuple(choice for choice, _ in replay(kind, fewer))
            if left and fails(left):
                found = left
                break
        else:
            return found
