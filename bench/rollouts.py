"""Rollouts on the servers of a farm, by each contender in turn, and the checks after them.

A `rollout` is that of push jobs on servers that run Chef server; an `environment`, both runbooks on bare servers.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from bench import contenders, measure, work
from bench.contenders.contender import Contender, Prepare
from bench.farm import Farm, NotTheSame
from bench.measure import Run
from bench.order import Order, to_json
from bench.ours import Ours
from bench.results import Results, Row
from bench.targets import ENVIRONMENT, IDEAL, OURS, ROLLOUT, STORED, UNCOMPRESSED
from sandbox import lifecycle
from sandbox.paths import CLONE, Sandbox, default_name

PACKAGE = "opscode-push-jobs-server_1.1.6-1_amd64.deb"
CHEF_SERVER = "chef-server-core_12.19.31-1_amd64.deb"


@dataclass
class Site:
    """A farm, and each contender's files for rollouts on it; `what` is the kind of rollout."""

    what: str
    farm: Farm
    folder: Path
    ours: Ours
    order: Order
    known: dict[str, str] = field(default_factory=dict)  # the state after the first rollout, by server

    def rollout(self, who: str, kind: str) -> Row:
        """One rollout from the start, checked. Raises NotTheSame if its final state differs from the first one's."""
        busy = self.farm.reset(kind)
        before = self.farm.connections()
        run = self._run(who)
        state, after = self.farm.state(), self.farm.connections()
        self.known = self.known or state
        if state != self.known:
            wrong = [name for name, told in state.items() if told != self.known[name]]
            raise NotTheSame(f"{who} left {', '.join(wrong)} in another state than the others did")
        frontend = self.farm.places[-1].name
        figures = {
            **figures_of(run),
            "busy before": round(busy, 3),
            "connections": sum(after.values()) - sum(before.values()),
            "connections to a frontend": after[frontend] - before[frontend],
        }
        if who == OURS:
            cost = self.ours.cost()
            figures |= {"tasks": cost.tasks, "edges": cost.edges}
            figures |= {STORED: cost.stored, UNCOMPRESSED: cost.uncompressed}
        return Row(self.what, who, len(self.farm.places), kind, figures)

    def check(self, contender: Contender) -> Run:
        assert contender.check
        return self._of(contender, contender.check)

    def _run(self, who: str) -> Run:
        if who == OURS:
            self.ours.forget()
            return self.ours.up()
        if who == IDEAL:
            return run_ideal(self.farm, self.folder, self.order)
        contender = next(each for each in contenders.ALL if each.name == who)
        return self._of(contender, contender.prepare)

    def _of(self, contender: Contender, prepare: Prepare) -> Run:
        folder = self.folder / contender.name.replace(" ", "-")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        argv, environment = self.farm.operator(prepare(self.order, folder))
        return measure.run(argv, environment, folder, self.folder / f"{folder.name}.log")


def run_ideal(farm: Farm, folder: Path, order: Order) -> Run:
    file = folder / "order.json"
    file.write_text(to_json(order))
    argv, environment = farm.operator([sys.executable, "-m", "bench.ideal", str(file)])
    return measure.run(argv, environment, CLONE, folder / "ideal.log")


@contextmanager
def booted(count: int, folder: Path) -> Iterator[Farm]:
    """Bare servers in a sandbox of their own; removes everything afterwards."""
    sandbox = Sandbox(f"b{count}{default_name()[:8]}")  # two clones may be measured at the same time
    folder.mkdir(parents=True, exist_ok=True)
    lifecycle.stop(sandbox, quiet)
    lifecycle.start(sandbox, quiet)
    farm = Farm(sandbox, count, folder)
    try:
        farm.boot()
        yield farm
    finally:
        farm.close()
        lifecycle.stop(sandbox, quiet)


@contextmanager
def site(what: str, count: int, folder: Path) -> Iterator[Site]:
    """Boots the servers and, for a `rollout`, sets up Chef server on them; removes everything afterwards."""
    with booted(count, folder) as farm:
        packages = farm.serve(farm.sandbox.packages)
        push_jobs, chef_server = (package(packages, farm.sandbox, name) for name in (PACKAGE, CHEF_SERVER))
        both, alone = folder / "Pulumi.environment.yaml", folder / "Pulumi.existing.yaml"
        both.write_text(yaml.safe_dump(work.push_jobs_stack(farm.places, push_jobs, chef_server)))
        alone.write_text(yaml.safe_dump(work.push_jobs_stack(farm.places, push_jobs)))
        stack = both if what == ENVIRONMENT else alone
        order = work.stack_order(stack, farm.places, farm.known_hosts)
        made = Site(what, farm, folder, Ours(farm, stack, folder), order)
        if what == ROLLOUT:
            run_ideal(farm, folder, work.chef_server_order(both, farm.places, farm.known_hosts))
        farm.save()
        yield made


def figures_of(run: Run) -> dict[str, float]:
    seconds = {"wall s": run.wall, "cpu s": run.cpu, "servers' cpu s": run.servers_cpu}
    programs = {name: each for name, each in run.programs.items() if each[1] > 20e6}
    parts = {f"cpu s of {name}": cpu for name, (cpu, _) in programs.items()}
    memory = {f"peak MB of {name}": size / 1e6 for name, (_, size) in programs.items()}
    return {name: round(value, 3) for name, value in (seconds | parts | memory).items()}


def measured(results: Results, made: Site, kind: str, who: Sequence[str], times: int) -> None:
    """`times` rollouts by each contender, in turn, minus those that exist already."""
    count = len(made.farm.places)
    for turn in range(times):
        for name in who:
            if len(results.of(made.what, name, count, kind)) <= turn:
                row = made.rollout(name, kind)
                results.add(row)
                print(f"{count} servers, {kind}: {name}: {row.figures['wall s']} s", flush=True)


def package(served: str, sandbox: Sandbox, name: str) -> dict[str, str]:
    """The setting for a package file of the sandbox that is `served` at a URL."""
    return {
        "url": f"{served}/{name}",
        "sha256": hashlib.sha256((sandbox.packages / name).read_bytes()).hexdigest(),
    }


def quiet(line: str) -> None:
    """The sandbox's own messages are of no interest here."""
