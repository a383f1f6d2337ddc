"""Changes of an environment that is up, by this project and ideally: an upgrade, a rotation, a frontend added.

Ideally means: the tasks that this project ran, no others, with their edges, over one persistent connection per server.
Which ran is read from the servers' own histories.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from bench import work
from bench.farm import Farm, NotTheSame, each
from bench.measure import Run
from bench.order import Order, only
from bench.ours import Ours
from bench.results import Results, Row
from bench.rollouts import CHEF_SERVER, PACKAGE, booted, figures_of, package, run_ideal
from bench.targets import CHANGES, IDEAL, OURS
from bench.work import PROJECT

SERVERS, TIMES, DURATIONS = 4, 5, "people"
UPGRADE, ROTATION, FRONTEND_ADDED = CHANGES
NEWER = "opscode-push-jobs-server_2.2.8-1_amd64.deb"
HISTORY = "/var/log/chef-rollout/history"
RAN = f"awk '$3 == \"begins\" {{ print $2 }}' {HISTORY}"
COPY_KEY = "cut -d ' ' -f 1,2 /var/lib/chef-rollout/id_ed25519.pub"


@dataclass(frozen=True)
class Change:
    """The stack file after it, and on how many servers the stack then is."""

    settings: Path
    servers: int = SERVERS


@dataclass(frozen=True)
class Environment:
    """An environment that this project made; one more server than it has stands by, bare."""

    farm: Farm
    folder: Path
    changes: Mapping[str, Change]
    keys: Mapping[str, str]  # with which the servers copy, by name

    def turn(self, name: str) -> Iterator[Row]:
        """The change from the start, by each. Raises NotTheSame if the servers then are in different states."""
        change = self.changes[name]
        self.farm.reset(DURATIONS)
        ours = Ours(self.farm, change.settings, self.folder)
        ours.restore(self.folder / "state-before.json")
        yield self._row(name, OURS, ours.up())
        names = work.names(change.servers)
        ran = {f"{step}-{server}" for server in names for step in self.farm.output(server, RAN).split()}
        state = self.farm.state(change.servers)
        self.farm.reset(DURATIONS)
        yield self._row(name, IDEAL, run_ideal(self.farm, self.folder, self._order(change, ran)))
        if self.farm.state(change.servers) != state:
            raise NotTheSame(f"{name}: done ideally, the servers are in another state")

    def _order(self, change: Change, ran: set[str]) -> Order:
        whole = work.stack_order(change.settings, self.farm.places[: change.servers], self.farm.known_hosts)
        return only(whole, ran, self.keys)

    def _row(self, name: str, who: str, run: Run) -> Row:
        return Row(name, who, SERVERS, DURATIONS, figures_of(run))


def measured(results: Results, folder: Path, most: int) -> None:
    wanted = [name for name in CHANGES if _missing(results, name, most)]
    if not wanted:
        return
    with _environment(folder / "changes") as made:
        for name in wanted:
            for _ in range(_missing(results, name, most)):
                for row in made.turn(name):
                    results.add(row)
                    print(f"{row.what}: {row.who}: {row.figures['wall s']} s", flush=True)


def _missing(results: Results, name: str, most: int) -> int:
    return max(0, min(TIMES, most) - len(results.of(name, IDEAL, SERVERS, DURATIONS)))


@contextmanager
def _environment(folder: Path) -> Iterator[Environment]:
    with booted(SERVERS + 1, folder) as made:
        packages = made.serve(made.sandbox.packages)
        before, newer, chef_server = (package(packages, made.sandbox, name) for name in (PACKAGE, NEWER, CHEF_SERVER))

        def stack(push_jobs: Mapping[str, str], servers: int = SERVERS) -> dict[str, Any]:
            return work.push_jobs_stack(made.places[:servers], push_jobs, chef_server)

        rotated = stack(before)
        rotated["config"][f"{PROJECT}:pushJobs"]["rotateCredentials"] = "again"
        files = {
            "before": stack(before),
            UPGRADE: stack(newer),
            ROTATION: rotated,
            FRONTEND_ADDED: stack(before, SERVERS + 1),
        }
        for name, content in files.items():
            _file(folder, name).write_text(yaml.safe_dump(content))
        ours = Ours(made, _file(folder, "before"), folder)
        ours.forget()
        ours.up()
        ours.save(folder / "state-before.json")
        names = work.names(SERVERS)
        keys = dict(zip(names, each(names, lambda name: made.output(name, COPY_KEY).strip()), strict=True))
        each(names, lambda name: made.output(name, f": > {HISTORY}"))
        made.save()
        changes = {name: Change(_file(folder, name)) for name in files}
        changes[FRONTEND_ADDED] = replace(changes[FRONTEND_ADDED], servers=SERVERS + 1)
        yield Environment(made, folder, changes, keys)


def _file(folder: Path, name: str) -> Path:
    return folder / f"Pulumi.{name.replace(' ', '-')}.yaml"
