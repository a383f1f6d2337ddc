"""The sandbox's stack, destroyed and made again: by this project, and ideally.

Ideally means: machines with empty disks start, and the same tasks run on them over one persistent connection each,
without engine or state, and without any other request to the cloud.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import yaml

from bench import work
from bench.farm import Farm, NotTheSame, each
from bench.ours import Ours
from bench.results import Results, Row
from bench.rollouts import CHEF_SERVER, PACKAGE, package, quiet, run_ideal
from bench.targets import IDEAL, OURS, RENEWAL
from bench.work import Place
from sandbox import lifecycle
from sandbox.hosts import network
from sandbox.paths import CLONE, CLOUD_URL, REGION, Sandbox, default_name

STACK, SERVERS, TIMES = "sandbox", 4, 5
# What a machine's disk has before its first boot, and the host keys that it would make then.
FIRST_FILES = (
    *("etc/hostname", "etc/hosts", "etc/ssh", "var/lib/cloud/instance/user-data.txt"),
    "home/ubuntu/.ssh/authorized_keys",
)


@dataclass(frozen=True)
class Machines:
    """The stack's machines as they are now: EC2's ids, the servers on them, and the id of the data volume."""

    ids: Sequence[str]
    places: Sequence[Place]
    volume: str

    @classmethod
    def of(cls, resources: Sequence[Mapping[str, Any]]) -> Machines:
        """From the state."""

        def ids(kind: str) -> list[str]:
            return [str(found["id"]) for found in resources if found["type"] == kind]

        (servers,) = (found["outputs"]["servers"] for found in resources if found["type"] == "pulumi:pulumi:Stack")
        (volume,) = ids("aws:ebs/volume:Volume")
        places = [Place(name, server["address"], server["hostKey"], volume) for name, server in servers.items()]
        return cls(ids("aws:ec2/instance:Instance"), places, volume)


@dataclass(frozen=True)
class Renewal:
    """The stack on a running sandbox. `folder` is for the operator's files."""

    farm: Farm
    ours: Ours
    folder: Path

    def turn(self) -> Iterator[Row]:
        """The stack made again by each. Raises NotTheSame if the servers then are in different states."""
        yield self._by_us()
        state = self.farm.state()
        yield self._ideally(Machines.of(self.ours.state()["resources"]))
        if self.farm.state() != state:
            raise NotTheSame("made again ideally, the servers are in another state")

    def _by_us(self) -> Row:
        destroy, up = self.ours.destroy(), self.ours.up()
        figures = {"wall s": destroy.wall + up.wall, "destroy s": destroy.wall, "up s": up.wall}
        return _row(OURS, figures)

    def _ideally(self, machines: Machines) -> Row:
        order = work.stack_order(self.ours.settings, machines.places, self._known_hosts(machines))
        self._empty(machines)
        started = self._start(machines)
        run = run_ideal(self.farm, self.folder, order)
        return _row(IDEAL, {"wall s": started + run.wall, "start s": started})

    def _known_hosts(self, machines: Machines) -> Path:
        file = self.farm.known_hosts
        file.write_text("".join(f"{place.address} {place.public_key}\n" for place in machines.places))
        return file

    def _empty(self, machines: Machines) -> None:
        """Stops the machines, and empties their disks and the volume."""
        self._ask("stop_instances", InstanceIds=machines.ids)
        self._wait("instance_stopped", machines)
        each(machines.ids, lambda id: empty_disk(self.farm.sandbox.host(id)))
        shutil.rmtree(self.farm.sandbox.run / "volumes" / machines.volume)

    def _start(self, machines: Machines) -> float:
        """Returns the seconds until all accept connections."""
        begun = time.monotonic()
        self._ask("start_instances", InstanceIds=machines.ids)
        while not set(machines.ids) <= {host.id for host in self.farm.hosts.list() if host.sshd}:
            time.sleep(0.02)
        return time.monotonic() - begun

    def _ask(self, action: str, **arguments: object) -> None:
        network.inside(self._operator, partial(getattr(_cloud(), action), **arguments))

    def _wait(self, what: str, machines: Machines) -> None:
        wait = partial(_cloud().get_waiter(what).wait, InstanceIds=machines.ids, WaiterConfig={"Delay": 1})
        network.inside(self._operator, wait)

    @property
    def _operator(self) -> Path:
        return self.farm.sandbox.namespace_path(self.farm.sandbox.operator)


def measured(results: Results, folder: Path, most: int) -> None:
    missing = min(TIMES, most) - len(results.of(RENEWAL, IDEAL, SERVERS))
    if missing <= 0:
        return
    with _stack(folder / "renewal") as made:
        for _ in range(missing):
            for row in made.turn():
                results.add(row)
                print(f"{row.what}: {row.who}: {row.figures['wall s']} s", flush=True)


@contextmanager
def _stack(folder: Path) -> Iterator[Renewal]:
    """The stack, up on a sandbox of its own; removes everything afterwards."""
    sandbox = Sandbox(f"br{default_name()[:8]}")
    folder.mkdir(parents=True, exist_ok=True)
    lifecycle.stop(sandbox, quiet)
    lifecycle.start(sandbox, quiet)
    farm = Farm(sandbox, SERVERS, folder)
    try:
        content = yaml.safe_load((CLONE / "stacks" / f"Pulumi.{STACK}.yaml").read_text())
        packages = farm.serve(sandbox.packages)
        for setting, name in (("chefServer", CHEF_SERVER), ("pushJobs", PACKAGE)):
            content["config"][f"{work.PROJECT}:{setting}"]["package"] = package(packages, sandbox, name)
        file = folder / f"Pulumi.{STACK}.yaml"
        file.write_text(yaml.safe_dump(content, default_style='"'))
        made = Renewal(farm, Ours(farm, file, folder, STACK), folder)
        made.ours.forget()
        made.ours.up()
        yield made
    finally:
        farm.close()
        lifecycle.stop(sandbox, quiet)


def empty_disk(host: Path) -> None:
    """Makes the disk in a host's directory what it was before the first boot."""
    root, work_directory, new = host / "root", host / "root.work", host / "root.new"
    new.mkdir(mode=0o755)
    subprocess.run(["cp", "-a", "--parents", *FIRST_FILES, str(new)], cwd=root, check=True)
    for old in (root, work_directory):
        shutil.rmtree(old)
    new.rename(root)
    work_directory.mkdir(mode=0o755)


def _row(who: str, seconds: Mapping[str, float]) -> Row:
    return Row(RENEWAL, who, SERVERS, "none", {name: round(each, 3) for name, each in seconds.items()})


def _cloud() -> Any:
    keys = {"aws_access_key_id": "sandbox", "aws_secret_access_key": "sandbox"}
    return boto3.client("ec2", region_name=REGION, endpoint_url=CLOUD_URL, **keys)
