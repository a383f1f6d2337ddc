"""Every contender does what a work order says, in its order, and stops when a command fails: on real hosts."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import pytest

from bench import contenders
from bench.contenders import terraform
from bench.contenders.contender import HERE, Contender, Prepare
from bench.order import Order, from_json, printed_key, to_json
from sandbox import lifecycle
from sandbox.hosts import network
from sandbox.hosts.host import Hosts, HostSpec
from sandbox.operator import environments, workstation
from sandbox.paths import Sandbox
from tests.bench import toy
from tests.sandbox.conftest import new_name

ADDRESSES = {name: f"10.0.1.{10 + number}" for number, name in enumerate(toy.SERVERS)}
HOME = "/home/ubuntu"
here = [each for each in contenders.ALL if each.available()]
every_contender = pytest.mark.parametrize("contender", here, ids=[each.name for each in here])


@dataclass(frozen=True)
class Lab:
    """Three hosts of one sandbox, and an order for them."""

    sandbox: Sandbox
    hosts: Hosts
    order: Order
    keys: dict[str, str]

    def shell(self, host: str, script: str) -> str:
        done = self.hosts.exec(host, ["sh", "-c", f"cd {HOME} && {script}"])
        assert done.returncode == 0, f"{script} on {host}: {done.stderr}"
        return str(done.stdout)

    def run(self, prepare: Prepare, order: Order, folder: Path) -> subprocess.CompletedProcess[str]:
        """On hosts where nothing ran yet."""
        for server in order.servers:
            self.shell(server.name, "rm -f log *.command *.stdin")
        folder.mkdir()
        argv = [*network.enter(self.sandbox.operator), *prepare(order, folder)]
        environment = workstation.environment(self.sandbox, {})
        with (folder / "output").open("w+") as output:
            done = subprocess.run(
                argv, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
            )
        return subprocess.CompletedProcess(argv, done.returncode, (folder / "output").read_text())


@pytest.fixture(scope="module")
def lab(root: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    environments.make(HERE.parent)
    sandbox = Sandbox(new_name())
    try:
        lifecycle.start(sandbox, print)
        hosts = Hosts(sandbox)
        authorized = sandbox.operator_public_key.read_text()
        specs = [HostSpec(name, name, address, 24, "base", authorized) for name, address in ADDRESSES.items()]
        with ThreadPoolExecutor(len(specs)) as pool:
            list(pool.map(hosts.boot, specs))
        keys = {name: hosts.exec(name, ["cat", toy.HOST_KEY]).stdout.rstrip("\n") for name in ADDRESSES}
        known_hosts = tmp_path_factory.mktemp("order") / "known_hosts"
        known_hosts.write_text("".join(f"{ADDRESSES[name]} {key}\n" for name, key in keys.items()))
        yield Lab(sandbox, hosts, toy.order(ADDRESSES, known_hosts), keys)
    finally:
        lifecycle.stop(sandbox, print)


@every_contender
def test_it_does_every_task_once_with_its_text_unchanged_and_obeys_every_edge(
    contender: Contender, lab: Lab, tmp_path: Path
) -> None:
    done = lab.run(contender.prepare, lab.order, tmp_path / "run")
    assert done.returncode == 0, done.stdout
    assert toy.kept(lab.order, lab.shell) == toy.expected(lab.order, lab.keys)
    spans = toy.spans(lab.order, lab.shell)
    for task in lab.order.tasks:
        for before in task.after:
            assert spans[before].end <= spans[task.id].start, f"{task.id} did not wait for {before}"
    for phase in [phase for phase in lab.order.phases if phase.serial]:
        for one, other in combinations(lab.order.on(phase), 2):
            earlier, later = ([spans[task.id] for task in lab.order.of(phase, on)] for on in (one, other))
            assert earlier[-1].end <= later[0].start, f"{one.name} and {other.name} overlap"


@every_contender
@pytest.mark.parametrize("task", ["install-frontend-0", "restart-backend-0"])
def test_a_command_that_fails_fails_the_run_and_stops_what_depends_on_it(
    contender: Contender, task: str, lab: Lab, tmp_path: Path
) -> None:
    order = toy.failing(lab.order, task)
    done = lab.run(contender.prepare, order, tmp_path / "run")
    assert done.returncode != 0, done.stdout
    ran = toy.spans(order, lab.shell)
    assert not ran.keys() & toy.dependents(order, task), "it depends on the one that failed"
    assert "connect-backend-0" in ran, "it failed at the task, not before"


@every_contender
def test_a_server_with_another_host_key_gets_no_command(contender: Contender, lab: Lab, tmp_path: Path) -> None:
    order = known(lab, tmp_path, dict.fromkeys(toy.SERVERS, lab.keys["backend-1"]))
    done = lab.run(contender.prepare, order, tmp_path / "run")
    assert done.returncode != 0, done.stdout
    ran = {task.server for task in order.tasks if task.id in toy.spans(order, lab.shell)}
    assert not {"backend-0", "frontend-0"} & ran


@pytest.mark.parametrize("contender", [each for each in here if each.name != "terraform"], ids=lambda each: each.name)
def test_a_server_whose_host_key_is_not_known_gets_no_command(contender: Contender, lab: Lab, tmp_path: Path) -> None:
    order = known(lab, tmp_path, {"backend-0": lab.keys["backend-0"]})
    done = lab.run(contender.prepare, order, tmp_path / "run")
    assert done.returncode != 0, done.stdout
    ran = {task.server for task in order.tasks if task.id in toy.spans(order, lab.shell)}
    assert not {"backend-1", "frontend-0"} & ran


def test_terraform_is_given_each_servers_own_host_key_and_no_server_without_one(lab: Lab, tmp_path: Path) -> None:
    for server, key in lab.keys.items():
        demanded = terraform.connection(lab.order, ADDRESSES[server])["host_key"]
        assert demanded.split() == key.split()[:2]
    order = known(lab, tmp_path, {"backend-0": lab.keys["backend-0"]})
    with pytest.raises(subprocess.CalledProcessError):
        terraform.connection(order, ADDRESSES["backend-1"])


def known(lab: Lab, folder: Path, keys: dict[str, str]) -> Order:
    """The order, with these host keys and no others."""
    file = folder / "known_hosts"
    file.write_text("".join(f"{ADDRESSES[name]} {key}\n" for name, key in keys.items()))
    return replace(lab.order, known_hosts=file)


@pytest.mark.parametrize("contender", [each for each in here if each.check], ids=lambda each: each.name)
def test_a_check_runs_nothing_and_ends_well(contender: Contender, lab: Lab, tmp_path: Path) -> None:
    assert contender.check
    done = lab.run(contender.check, lab.order, tmp_path / "run")
    assert done.returncode == 0, done.stdout
    assert not toy.spans(lab.order, lab.shell)


@every_contender
def test_it_says_its_version(contender: Contender) -> None:
    assert any(character.isdigit() for character in contender.version())


def test_an_order_survives_its_way_through_json(lab: Lab) -> None:
    assert from_json(to_json(lab.order)) == lab.order


def test_a_key_is_told_after_at_most_one_other_line() -> None:
    assert (
        printed_key("credentials none\npublic key of it\n") == printed_key("public key of it\n") == "public key of it"
    )
    for output in ("", "one\ntwo\nthree\n"):
        with pytest.raises(ValueError, match=r"values to unpack|too many lines"):
            printed_key(output)


def test_the_scripts_are_clean_to_shellcheck() -> None:
    assert shutil.which("shellcheck"), "shellcheck is missing: scripts/test installs it (apt-get install shellcheck)"
    done = subprocess.run(["shellcheck", *HERE.glob("*.sh")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
