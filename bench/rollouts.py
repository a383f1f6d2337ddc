"""The push jobs rollout on the servers of a farm, by each contender in turn, and the checks after it."""

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
from bench.targets import IDEAL, OURS, STORED, UNCOMPRESSED
from sandbox import lifecycle
from sandbox.paths import CLONE, Sandbox

PACKAGE = "opscode-push-jobs-server_1.1.6-1_amd64.deb"


@dataclass
class Site:
    """A farm that runs Chef server, and each contender's files for a push jobs rollout on it."""

    farm: Farm
    folder: Path
    ours: Ours
    order: Order
    boot_seconds: float
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
        return Row("rollout", who, len(self.farm.places), kind, figures)

    def check(self, contender: Contender) -> Run:
        assert contender.check
        return self._of(contender, contender.check)

    def _run(self, who: str) -> Run:
        if who == OURS:
            self.ours.forget()
            return self.ours.up()
        if who == IDEAL:
            return self._ideal(self.order)
        contender = next(each for each in contenders.ALL if each.name == who)
        return self._of(contender, contender.prepare)

    def _of(self, contender: Contender, prepare: Prepare) -> Run:
        folder = self.folder / contender.name.replace(" ", "-")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        argv, environment = self.farm.operator(prepare(self.order, folder))
        return measure.run(argv, environment, folder, self.folder / f"{folder.name}.log")

    def _ideal(self, order: Order) -> Run:
        file = self.folder / "order.json"
        file.write_text(to_json(order))
        argv, environment = self.farm.operator([sys.executable, "-m", "bench.ideal", str(file)])
        return measure.run(argv, environment, CLONE, self.folder / "ideal.log")


@contextmanager
def site(count: int, folder: Path) -> Iterator[Site]:
    """Boots the servers and sets up Chef server on them; removes everything afterwards."""
    sandbox = Sandbox(f"bench{count}")
    folder.mkdir(parents=True, exist_ok=True)
    lifecycle.stop(sandbox, quiet)
    lifecycle.start(sandbox, quiet)
    farm = Farm(sandbox, count, folder)
    try:
        boot_seconds = farm.boot()
        stack = folder / "Pulumi.existing.yaml"
        package = {"url": f"{farm.serve(sandbox.packages)}/{PACKAGE}", "sha256": _digest(sandbox.packages / PACKAGE)}
        stack.write_text(yaml.safe_dump(work.push_jobs_stack(farm.places, package)))
        order = work.push_jobs_order(stack, farm.places, farm.known_hosts)
        made = Site(farm, folder, Ours(farm, stack, folder), order, boot_seconds)
        made._ideal(work.chef_server_order(farm.places, farm.known_hosts))
        farm.save()
        yield made
    finally:
        farm.close()
        lifecycle.stop(sandbox, quiet)


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
            if len(results.of("rollout", name, count, kind)) <= turn:
                row = made.rollout(name, kind)
                results.add(row)
                print(f"{count} servers, {kind}: {name}: {row.figures['wall s']} s", flush=True)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def quiet(line: str) -> None:
    """The sandbox's own messages are of no interest here."""
