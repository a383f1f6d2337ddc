"""What must be seen after the first `pulumi up` of a high availability cluster (2 backends, 2 frontends)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from chef_push_jobs.config import stack_files
from chef_push_jobs.model.topology import Kind, numbered, topology
from chef_push_jobs.runbook.plan import PlannedTask
from chef_push_jobs.runbook.stack import load_stack
from chef_push_jobs.runbook.steps import Action
from sandbox.job_clients import run_job
from sandbox.paths import CLONE
from tests.e2e.conftest import Stack

HA = topology(Kind.HA, numbered(2, 2, "chef.test"))
HEARTBEAT, COMMAND, API = 10000, 10003, 10002
CLIENTS = ["client-0", "client-1"]
FOLDER = "/etc/opscode-push-jobs-server"
CREDENTIALS = {"pushy_priv.pem": "opscode 600", "opscode-push-jobs-server-secrets.json": "root 600"}


def address(ha: Stack, server: str) -> str:
    return str(ha.outputs()["servers"][server]["address"])


def tasks() -> dict[str, PlannedTask]:
    """Every task of the stack by its resource's name."""
    plan = load_stack(stack_files.read_configuration("sandbox", CLONE), CLONE)
    return {str(task): task for task in plan.tasks.values() if task.action is not Action.RULES}


def test_the_rollout_ends_with_a_passed_test(ha: Stack) -> None:
    assert re.fullmatch(r"\d+ examples: .*; 0 failures", ha.outputs()["test"])
    run_job(ha.sandbox, "hostname", print)


def test_the_outputs_name_every_server_with_address_role_and_host_key_and_the_ports(ha: Stack) -> None:
    outputs = ha.outputs()
    assert outputs["ports"] == {"server_heartbeat_port": HEARTBEAT, "command_port": COMMAND, "api_port": API}
    assert set(outputs["servers"]) == {server.name for server in HA.servers}
    for server in HA.servers:
        told = outputs["servers"][server.name]
        key = ha.output(server.name, "cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub")
        assert (told["fqdn"], told["role"], told["hostKey"]) == (server.fqdn, server.role, key)
        assert told["address"] in ha.output(server.name, "ip -br -4 address")


def test_a_preview_before_anything_is_made_names_every_task(ha: Stack) -> None:
    steps, _ = json.JSONDecoder().raw_decode(ha.log.read_text())
    created = {step["urn"].rsplit("::", 1)[1] for step in steps if step["op"] == "create"}
    assert set(tasks()) <= created


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("port", [HEARTBEAT, COMMAND])
def test_a_client_reaches_the_master_on_both_ports(ha: Stack, client: str, port: int) -> None:
    assert ha.lab.reaches(client, address(ha, "backend-0"), port)


@pytest.mark.parametrize("port", [HEARTBEAT, COMMAND])
def test_on_the_standby_the_service_is_down_and_the_firewall_lets_clients_through(ha: Stack, port: int) -> None:
    standby = address(ha, "backend-1")
    assert not ha.lab.reaches("client-0", standby, port), "the service must be down on a standby"
    with listening(ha, "backend-1", port):
        assert ha.lab.reaches("client-0", standby, port)
        assert not ha.lab.reaches("stranger-0", standby, port)


@pytest.mark.parametrize("port", [HEARTBEAT, COMMAND, API])
def test_nobody_reaches_a_frontend_on_a_push_jobs_port_even_if_something_listens_there(ha: Stack, port: int) -> None:
    with listening(ha, "frontend-0", port):
        for source in (*CLIENTS, "stranger-0", "frontend-1", "backend-0"):
            assert not ha.lab.reaches(source, address(ha, "frontend-0"), port), f"{source} reaches it"


def test_nothing_answers_the_stranger(ha: Stack) -> None:
    for server in HA.servers:
        for port in (22, 80, 443, HEARTBEAT, API, COMMAND):
            assert not ha.lab.reaches("stranger-0", address(ha, server.name), port), f"{server.name}:{port}"


def test_the_api_is_for_frontends_only(ha: Stack) -> None:
    assert ha.lab.reaches("frontend-0", address(ha, "backend-0"), API)
    assert not ha.lab.reaches("client-0", address(ha, "backend-0"), API)


def test_every_server_holds_the_same_credentials_with_the_right_owners_and_modes(ha: Stack) -> None:
    for file, mode in CREDENTIALS.items():
        seen = {
            server.name: ha.output(server.name, f"stat -c '%U %a' {FOLDER}/{file}; sha256sum < {FOLDER}/{file}")
            for server in HA.servers
        }
        assert len(set(seen.values())) == 1, f"{file} differs: {seen}"
        assert seen["backend-0"].splitlines()[0] == mode


def test_every_server_holds_the_same_settings(ha: Stack) -> None:
    texts = {ha.output(server.name, f"cat {FOLDER}/opscode-push-jobs-server.rb") for server in HA.servers}
    assert len(texts) == 1
    assert f"['command_port'] = '{COMMAND}'" in texts.pop()


@pytest.mark.parametrize("backend", ["backend-0", "backend-1"])
def test_keepalived_knows_the_service_on_both_backends(ha: Stack, backend: str) -> None:
    ha.output(backend, "grep -r opscode-pushy-server /var/opt/opscode/keepalived/bin")
    ha.output(backend, "chef-server-ctl ha-status")


def test_the_dependencies_in_the_state_are_those_of_the_plan(ha: Stack) -> None:
    resources = {resource["urn"]: resource for resource in ha.state()["deployment"]["resources"]}
    named = {urn.rsplit("::", 1)[1]: urn for urn in resources if "command:remote:" in urn}
    reached: dict[str, set[str]] = {}

    def before(urn: str) -> set[str]:
        if urn not in reached:
            direct = set(resources[urn].get("dependencies", []))
            reached[urn] = direct.union(*(before(other) for other in direct))
        return reached[urn]

    planned = tasks()
    for name, task in planned.items():
        wanted = {named[str(one)] for one in task.waits_for if str(one) in planned}
        assert wanted <= before(named[name]), f"{name} does not wait for {wanted - before(named[name])}"
    rules = {urn for urn in resources if "SecurityGroupIngressRule" in urn and re.search("in-(push-jobs|api)", urn)}
    assert len(rules) == 4, "the ports of clients, the API for frontends, and the API for backends"
    for name in (f"push-jobs-{step}-backend-{number}" for step in ("restart-pushy", "test") for number in (0, 1)):
        assert rules <= before(named[name]), f"{name} does not wait for the firewall"


def test_the_order_on_the_hosts_is_that_of_the_runbook(ha: Stack) -> None:
    """By the times that the hosts themselves logged: each task of a later step began after the earlier ones ended."""
    logged = {task.id: task for task in tasks().values() if task.id.runbook and task.action is Action.COMMAND}
    times = {task: ran(ha, task.log_name, task.server) for task in logged}
    for task, planned in logged.items():
        for earlier in logged.keys() & planned.depends_on.keys():
            assert times[earlier][1] <= times[task][0], f"{task} began before {earlier} had ended"


def ran(ha: Stack, step: str, server: str) -> tuple[float, float]:
    """When the script of a step was put on the server, and when its log was last written to; seconds since 1970."""
    script, log = f"/var/lib/chef-rollout/{step}.sh", f"/var/log/chef-rollout/{step}.log"
    begun, ended = ha.output(server, f"stat -c %.9Y {script} {log}").splitlines()
    return float(begun), float(ended)


def secrets(ha: Stack) -> Iterator[bytes]:
    """Every line of every private key and every secret value that the servers share."""
    for file in (f"{FOLDER}/*.pem", "/etc/opscode/*.pem"):
        text = ha.output("backend-0", f"for key in {file}; do grep -q PRIVATE $key && cat $key; done; true")
        yield from (line.encode() for line in text.splitlines() if line and "-----" not in line)
    for file in (f"{FOLDER}/*-secrets.json", "/etc/opscode/private-chef-secrets.json"):
        for value in strings(json.loads(ha.output("backend-0", f"cat {file}"))):
            yield from (line.encode() for line in value.splitlines() if len(line) >= 16 and "-----" not in line)


def strings(value: Any) -> Iterator[str]:
    """A `type` is a class of Chef's library, by which a file of secrets is read."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name != "type":
                yield from strings(inner)
    elif isinstance(value, str):
        yield value


def test_no_credential_of_the_servers_is_in_the_state_the_logs_or_a_process_list(ha: Stack) -> None:
    needles = set(secrets(ha))
    assert len(needles) > 30, "there is something to look for"
    state = json.dumps(ha.state("--show-secrets")).encode()
    log = ha.log.read_bytes()
    commands = "\n".join(ha.commands).encode()
    assert b"push-jobs-copy-frontend-1" in state
    assert b"push-jobs-copy-frontend-1" in log
    assert b"opscode-push-jobs-server-ctl reconfigure" in commands, "the hosts' processes were seen"
    for needle in needles:
        for name, haystack in (("state", state), ("log", log), ("process list", commands)):
            assert needle not in haystack, f"a credential is in the {name}"


def test_no_private_key_of_the_operator_is_in_the_state(ha: Stack) -> None:
    key = ha.sandbox.operator_key.read_text().splitlines()[1]
    assert key not in json.dumps(ha.state("--show-secrets"))


def test_a_key_that_a_server_copies_with_opens_nothing_else(ha: Stack) -> None:
    """The forced command answers whatever is asked, and only from the server's own address."""
    primary = address(ha, "backend-0")
    options = "-i /var/lib/chef-rollout/id_ed25519 -o StrictHostKeyChecking=no -o BatchMode=yes -o LogLevel=ERROR"
    tried = ha.lab.shell("frontend-0", f"ssh {options} ubuntu@{primary} 'id; cat /etc/shadow'")
    assert tried.returncode == 64
    assert tried.stdout == ""
    assert "only chef or push-jobs can be shared" in tried.stderr
    stolen = ha.output("frontend-0", "cat /var/lib/chef-rollout/id_ed25519")
    ha.output("backend-1", f"umask 077; cat > /tmp/stolen <<'END'\n{stolen}\nEND")
    used = ha.lab.shell(
        "backend-1",
        f"ssh {options} -i /tmp/stolen -o IdentitiesOnly=yes ubuntu@{primary} push-jobs".replace(
            "-i /var/lib/chef-rollout/id_ed25519 ", ""
        ),
    )
    assert used.returncode == 255
    assert "Permission denied" in used.stderr


def test_a_second_up_changes_nothing_and_connects_to_nobody(ha: Stack) -> None:
    before = ha.connections()
    done = ha.up()
    assert re.search(r"Resources:\n\s+\d+ unchanged\n", done.stdout), done.stdout
    assert ha.connections() == before


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"topology": "cluster"}, "topology: 'cluster'"),
        ({"backends": "3", "clientCidrs": ["0.0.0.0/0"]}, "2 problems in the stack's settings"),
    ],
)
def test_bad_settings_are_refused_before_anything_changes(ha: Stack, changes: dict[str, Any], told: str) -> None:
    before, good = identities(ha), ha.settings.read_text()
    try:
        ha.change(**changes)
        done = ha.up(check=False)
    finally:
        ha.settings.write_text(good)
    print(done.stdout)
    assert done.returncode != 0
    assert told in done.stdout
    for noise in ("Traceback", "an unhandled error occurred", "warning: using"):
        assert noise not in done.stdout + done.stderr
    assert identities(ha) == before


def identities(ha: Stack) -> set[tuple[str, str]]:
    """What there is, by name and id."""
    return {(resource["urn"], resource.get("id", "")) for resource in ha.state()["deployment"]["resources"]}


class listening:
    """Something listens on a port of a host for a while."""

    def __init__(self, ha: Stack, host: str, port: int) -> None:
        self._ha, self._host, self._port = ha, host, port

    def __enter__(self) -> None:
        self._ha.lab.listen(self._host, self._port)

    def __exit__(self, *_: object) -> None:
        listener = self._ha.output(self._host, f"ss -Hltnp 'sport = :{self._port}' | sed 's/.*pid=\\([0-9]*\\).*/\\1/'")
        self._ha.output(self._host, f"kill {listener}")


def test_the_stack_file_is_the_one_that_operators_use(ha: Stack) -> None:
    assert yaml.safe_load(ha.settings.read_text())["config"]["chef-push-jobs:topology"] == "ha"
