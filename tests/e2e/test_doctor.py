"""Doctor, as the operator runs it: well on a fresh cluster; each drift is found, told, and mended by what it proposes.

Every test leaves the cluster well, by the very commands that doctor named.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chef_push_jobs.config import stack_files
from chef_push_jobs.model.topology import Kind, numbered, topology
from chef_push_jobs.runbook.plan import StackPlan, identify
from chef_push_jobs.runbook.stack import load_stack
from chef_push_jobs.runbook.steps import Action
from sandbox.hosts import network
from sandbox.hosts.host import HostSpec
from sandbox.paths import CLONE, REGION
from tests.e2e.conftest import UP_SECONDS, Stack, stack
from tests.e2e.observed import HOST_KEY

TESTS = ("test-backend-0", "test-backend-1", "test-again-backend-0")  # the one that is not master says so
HA = topology(Kind.HA, numbered(2, 2, "chef.test"))
ETC = "/etc/opscode-push-jobs-server"
OTHER_PACKAGE = CLONE / ".sandbox" / "packages" / "opscode-push-jobs-server_2.2.8-1_amd64.deb"
EC2 = f"import boto3; ec2 = boto3.client('ec2', region_name='{REGION}', endpoint_url='http://127.0.0.1:5000')"


@pytest.fixture(scope="module")
def cluster(root: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack("sandbox", tmp_path_factory.mktemp("doctor")) as made:
        made.up()
        yield made


@dataclass
class Seen:
    """What doctor said; `told` is standard output, `document` its JSON where that was asked for."""

    status: int
    told: str
    errors: str

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.told)
        return found


def as_operator(cluster: Stack, *command: str) -> Seen:
    done = subprocess.run(
        [sys.executable, "-m", "sandbox", "run", "--", *command],
        cwd=CLONE,
        env=cluster.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=UP_SECONDS,
    )
    return Seen(done.returncode, done.stdout, done.stderr)


def doctor(cluster: Stack, *options: str) -> Seen:
    place = ["--stack", cluster.name, "--config-file", str(cluster.settings)]
    return as_operator(cluster, sys.executable, "-m", "chef_push_jobs", "doctor", *place, *options)


def mend(cluster: Stack, document: dict[str, Any]) -> None:
    """Exactly the proposed commands; questions are answered with yes."""
    for command in document["commands"]:
        words = shlex.split(command)
        if words[:2] == ["pulumi", "up"]:
            words += ["--yes", "--skip-preview"]
        if words[0] == "ssh":
            words[1:1] = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
        assert words[0] in ("pulumi", "ssh"), f"{command} is not for this test to run"
        done = as_operator(cluster, *words)
        assert done.status == 0, f"{command}:\n{done.told}\n{done.errors}"


def logs(cluster: Stack) -> dict[tuple[str, str], str]:
    """Of each task on each server: when its log was last written."""
    script = "stat -c '%n %.9Y' /var/log/chef-rollout/*.log"
    return {
        (Path(line.split()[0]).stem, server.name): line.split()[1]
        for server in HA.servers
        for line in cluster.output(server.name, script).splitlines()
    }


@contextmanager
def ran(cluster: Stack) -> Iterator[set[str]]:
    """The tasks that ran meanwhile, by the servers' own logs."""
    before, found = logs(cluster), set[str]()
    yield found
    found |= {
        f"{step}-{server}" for (step, server), written in logs(cluster).items() if before.get((step, server)) != written
    }


def push_jobs(*names: str) -> set[str]:
    return {f"push-jobs-{name}" for name in names}


def problem(seen: Seen) -> dict[str, Any]:
    assert seen.status == 1, seen.told + seen.errors
    (found,) = seen.document["problems"]
    only: dict[str, Any] = found
    return only


def assert_well(cluster: Stack) -> None:
    seen = doctor(cluster)
    assert seen.status == 0, seen.told + seen.errors


def files(cluster: Stack) -> dict[str, str]:
    """Every file of the servers' that doctor must leave alone, with its times."""
    script = "find /etc /var/opt /var/lib -printf '%p %T@ %C@ %s\\n' | sort"
    return {server.name: cluster.output(server.name, script) for server in HA.servers}


def test_a_fresh_cluster_is_well_and_that_is_one_line(cluster: Stack) -> None:
    seen = doctor(cluster)
    assert (seen.status, seen.errors) == (0, "")
    assert seen.told.startswith("stack sandbox: all well (4 servers, ")
    assert seen.told.count("\n") == 1


def test_the_json_of_a_well_cluster_has_every_check_of_every_server(cluster: Stack) -> None:
    document = doctor(cluster, "--format", "json").document
    print(f"doctor took {document['seconds']} s for 4 servers")
    assert (document["well"], document["problems"], document["commands"]) == (True, [], [])
    assert set(document["servers"]) == {server.name for server in HA.servers}
    states = {
        (name, check): cell["state"]
        for name, server in document["servers"].items()
        for check, cell in server["checks"].items()
    }
    assert len(states) == 44
    none = {key for key, state in states.items() if state != "well"}
    assert none == {("frontend-0", "keepalived"), ("frontend-1", "keepalived")}


def test_doctor_changes_nothing_on_any_server(cluster: Stack) -> None:
    before = files(cluster)
    assert all(len(found.splitlines()) > 100 for found in before.values())
    time.sleep(1.1)
    doctor(cluster)
    assert files(cluster) == before


def test_doctor_shows_nothing_of_a_credential_not_even_its_digest(cluster: Stack) -> None:
    seen = doctor(cluster, "--format", "json")
    digest = cluster.output("backend-0", f"sha256sum < {ETC}/pushy_priv.pem").split()[0]
    assert digest not in seen.told + seen.errors
    assert "PRIVATE KEY" not in seen.told + seen.errors


@dataclass(frozen=True)
class Drift:
    """Planted by a script on a server; `because` are words of what doctor says; `again` are the tasks of the repair."""

    server: str
    script: str
    check: str
    because: str
    again: set[str]


EVERYTHING_AFTER_CONFIGURE = push_jobs(
    "configure-backend-0",
    "reconfigure-primary-backend-0",
    "share-backend-0",
    *(f"{step}-{name}" for step in ("copy", "reconfigure") for name in ("backend-1", "frontend-0", "frontend-1")),
    *(f"{step}-{name}" for step in ("chef-reconfigure", "restart-pushy") for name in ("backend-0", "backend-1")),
    *TESTS,
)
DRIFTS = {
    "edited credentials on a frontend": Drift(
        "frontend-0",
        f"sed -i 's/A/B/' {ETC}/pushy_priv.pem",
        "credentials",
        "pushy_priv.pem differs",
        push_jobs("copy-frontend-0", "reconfigure-frontend-0", *TESTS),
    ),
    "credentials that everybody can read": Drift(
        "frontend-1",
        f"chmod 644 {ETC}/pushy_priv.pem",
        "credentials",
        "mode 644",
        push_jobs("copy-frontend-1", "reconfigure-frontend-1", *TESTS),
    ),
    "a stopped service on the master": Drift(
        "backend-0",
        "chef-server-ctl stop opscode-pushy-server",
        "service",
        "does not run on the master (down)",
        push_jobs("restart-pushy-backend-0", *TESTS),
    ),
    "a started service on the standby": Drift(
        "backend-1",
        "chef-server-ctl start opscode-pushy-server",
        "service",
        "runs on a backend that is not master",
        push_jobs("restart-pushy-backend-1", *TESTS),
    ),
    "another settings file on the primary": Drift(
        "backend-0",
        f"echo '# edited' >> {ETC}/opscode-push-jobs-server.rb",
        "settings",
        "different from what the stack writes",
        EVERYTHING_AFTER_CONFIGURE,
    ),
    "another settings file on a frontend": Drift(
        "frontend-1",
        f"rm {ETC}/opscode-push-jobs-server.rb",
        "settings",
        "is missing",
        push_jobs("copy-frontend-1", "reconfigure-frontend-1", *TESTS),
    ),
    "a note that it is another stack's": Drift(
        "frontend-1",
        "echo other/stack/web > /var/lib/chef-rollout/owner",
        "reachable",
        "has set it up since",
        set(),
    ),
    "a keepalived script without the service": Drift(
        "backend-1",
        "sed -i /opscode-pushy-server/d /var/opt/opscode/keepalived/bin/cluster.sh",
        "keepalived",
        "do not contain opscode-pushy-server",
        push_jobs("chef-reconfigure-backend-1", "restart-pushy-backend-1", *TESTS),
    ),
}


@pytest.mark.parametrize("name", DRIFTS)
def test_a_drift_is_found_and_the_proposed_commands_mend_it_and_run_nothing_else(cluster: Stack, name: str) -> None:
    drift = DRIFTS[name]
    cluster.output(drift.server, drift.script)
    seen = doctor(cluster, "--format", "json")
    found = problem(seen)
    assert (found["server"], found["check"]) == (drift.server, drift.check)
    assert drift.because in found["problem"]
    assert found["commands"] == seen.document["commands"]
    with ran(cluster) as again:
        mend(cluster, seen.document)
    assert again == drift.again
    assert_well(cluster)


def test_another_package_version_is_found_and_mended(cluster: Stack) -> None:
    put = ["sh", "-c", "cat > /tmp/other.deb && dpkg -i /tmp/other.deb"]
    done = cluster.lab.hosts.exec("frontend-0", put, input=OTHER_PACKAGE.read_bytes(), text=False)
    assert done.returncode == 0, done.stderr
    seen = doctor(cluster, "--format", "json")
    found = problem(seen)
    assert (found["server"], found["check"]) == ("frontend-0", "package")
    assert (
        found["problem"] == "opscode-push-jobs-server is 2.2.8-1, not 1.1.6-1, which is newer: a downgrade is refused"
    )
    with ran(cluster) as again:
        mend(cluster, seen.document)
    assert again == push_jobs("install-frontend-0", "copy-frontend-0", "reconfigure-frontend-0", *TESTS)
    assert_well(cluster)


def test_a_rule_made_by_hand_is_found_from_the_api_and_from_here_and_pulumi_up_removes_it(cluster: Stack) -> None:
    permission = "[dict(IpProtocol='tcp', FromPort=10000, ToPort=10000, IpRanges=[dict(CidrIp='0.0.0.0/0')])]"
    group = cluster_ids(cluster, "aws:ec2/securityGroup:SecurityGroup")["frontend"]
    program = f"{EC2}; ec2.authorize_security_group_ingress(GroupId='{group}', IpPermissions={permission})"
    done = as_operator(cluster, sys.executable, "-c", program)
    assert done.status == 0, done.errors
    seen = doctor(cluster, "--format", "json")
    assert seen.status == 1
    told = [(found["server"], found["check"]) for found in seen.document["problems"]]
    assert sorted(told) == [("", "firewall"), ("frontend-0", "ports"), ("frontend-1", "ports")]
    (by_hand,) = [found["problem"] for found in seen.document["problems"] if found["check"] == "firewall"]
    assert by_hand.startswith(
        "security group frontend has a rule that was added by hand: tcp 10000 from 0.0.0.0/0 (sgr-"
    )
    with ran(cluster) as again:
        mend(cluster, seen.document)
    assert again == set()
    assert_well(cluster)


def test_a_rule_that_was_removed_by_hand_comes_back(cluster: Stack) -> None:
    rules = cluster_ids(cluster, "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    name = next(name for name in rules if "4321" in name)
    group = cluster_ids(cluster, "aws:ec2/securityGroup:SecurityGroup")["backend"]
    program = f"{EC2}; ec2.revoke_security_group_ingress(GroupId='{group}', SecurityGroupRuleIds=['{rules[name]}'])"
    done = as_operator(cluster, sys.executable, "-c", program)
    assert done.status == 0, done.errors
    seen = doctor(cluster, "--format", "json")
    found = problem(seen)
    assert found["problem"].startswith(f"the rule {name} ({rules[name]}) is gone")
    with ran(cluster) as again:
        mend(cluster, seen.document)
    assert again == set()
    assert_well(cluster)


def cluster_ids(cluster: Stack, kind: str) -> dict[str, str]:
    resources = cluster.state()["deployment"]["resources"]
    return {one["urn"].rsplit("::", 1)[1]: one["id"] for one in resources if one["type"] == kind}


def planned(cluster: Stack) -> StackPlan:
    return load_stack(stack_files.read_configuration("sandbox", CLONE, cluster.settings), CLONE, files=False)


def test_a_server_that_was_installed_anew_is_found_by_its_host_key_and_set_up_again(cluster: Stack) -> None:
    reinstall(cluster, "frontend-1")
    seen = doctor(cluster, "--format", "json")
    found = problem(seen)
    assert (found["server"], found["check"]) == ("frontend-1", "host key")
    key = cluster.output("frontend-1", "ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub").split()[1]
    assert key in found["problem"], "the operator compares it"
    before = logs_of_others(cluster, "frontend-1")
    mend(cluster, seen.document)
    again = {task for task, written in logs_of_others(cluster, "frontend-1").items() if before[task] != written}
    expected = planned(cluster).following([identify("connect-frontend-1")])
    assert again == {str(task) for task in expected if task.server != "frontend-1" and task.step != "upload"}
    assert_well(cluster)


def logs_of_others(cluster: Stack, server: str) -> dict[str, str]:
    script = "stat -c '%n %.9Y' /var/log/chef-rollout/*.log"
    return {
        f"{Path(line.split()[0]).stem}-{other.name}": line.split()[1]
        for other in HA.servers
        if other.name != server
        for line in cluster.output(other.name, script).splitlines()
    }


def reinstall(cluster: Stack, server: str) -> None:
    """The same machine with an empty disk: new host keys, nothing installed."""
    machine = next(
        one for one in cluster.state()["deployment"]["resources"] if one["urn"].endswith(f"Instance::{server}")
    )
    identity, hosts = machine["id"], cluster.lab.hosts
    namespace = cluster.sandbox.namespace(identity)
    firewall = subprocess.run(
        [*network.enter(namespace), "nft", "list", "ruleset"], check=True, capture_output=True, text=True
    ).stdout
    status = next(host for host in hosts.list() if host.id == identity)
    hosts.terminate(identity)
    hosts.boot(
        HostSpec(
            id=identity,
            name=server,
            address=status.address,
            prefix=20,
            image=status.image,
            authorized_key=cluster.sandbox.operator_public_key.read_text().strip(),
            user_data=machine["inputs"]["userData"],
            firewall=firewall,
        )
    )


def test_a_server_that_lost_what_prepares_it_for_tasks_is_prepared_again(cluster: Stack) -> None:
    cluster.output("frontend-0", "rm -r /var/lib/chef-rollout")
    seen = doctor(cluster, "--format", "json")
    found = problem(seen)
    assert (found["server"], found["check"]) == ("frontend-0", "reachable")
    assert "not prepared for tasks" in found["problem"]
    mend(cluster, seen.document)
    assert_well(cluster)


@pytest.mark.parametrize(
    ("cut", "join"),
    [
        ("ip link set {} down", "ip link set {} up && ip route replace default via 10.0.16.1"),
        ("pkill -STOP -o -x sshd", "pkill -CONT -o -x sshd"),
    ],
    ids=["no network", "a frozen sshd"],
)
def test_an_unreachable_server_is_one_problem_and_no_hang(cluster: Stack, cut: str, join: str) -> None:
    device = cluster.output("frontend-0", 'ip -br link | awk \'$1 != "lo" {sub(/@.*/, "", $1); print $1; exit}\'')
    cluster.output("frontend-0", cut.format(device))
    try:
        started = time.monotonic()
        seen = doctor(cluster, "--format", "json")
        took = time.monotonic() - started
        text = doctor(cluster)
    finally:
        cluster.output("frontend-0", join.format(device))
    found = problem(seen)
    assert (found["server"], found["check"]) == ("frontend-0", "reachable")
    assert found["commands"] == [f"ssh -p 22 ubuntu@{cluster.outputs()['servers']['frontend-0']['address']}"]
    assert took < 25, "it is not waited for"
    states = {cell["state"] for cell in seen.document["servers"]["frontend-1"]["checks"].values()}
    assert "drift" not in states, "the others are looked at all the same"
    assert "Traceback" not in text.told + text.errors
    assert text.told.count("\n  frontend-0: reachable: ") == 1
    assert_well(cluster)


def test_two_drifts_are_mended_together_and_what_follows_is_not_asked_for_twice(cluster: Stack) -> None:
    cluster.output("backend-0", f"echo '# edited' >> {ETC}/opscode-push-jobs-server.rb")
    cluster.output("frontend-0", f"sed -i 's/A/B/' {ETC}/pushy_priv.pem")
    seen = doctor(cluster, "--format", "json")
    assert len(seen.document["problems"]) == 2
    sets = [command for command in seen.document["commands"] if "config set" in command]
    assert [("push-jobs-configure-backend-0" in command) for command in sets] == [True], "the copy follows from it"
    mend(cluster, seen.document)
    assert_well(cluster)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"repair": {"push-jobs-copy-frontend-7": "1a"}}, "write push-jobs-copy-frontend-"),
        ({"repair": {"nonsense": "1a"}}, "this stack has no such task"),
    ],
)
def test_a_repair_of_a_task_that_is_none_is_refused_before_anything_runs(
    cluster: Stack, change: dict[str, Any], told: str
) -> None:
    good = cluster.settings.read_text()
    try:
        cluster.change(**change)
        done = cluster.up(check=False)
        seen = doctor(cluster)
    finally:
        cluster.settings.write_text(good)
    assert done.returncode != 0
    assert told in done.stdout
    assert seen.status == 2
    assert told in seen.errors


def test_a_change_that_was_not_rolled_out_yet_is_told_as_that_and_not_as_a_drift(cluster: Stack) -> None:
    good = cluster.settings.read_text()
    content = json.loads(json.dumps({"package": {"file": f".sandbox/packages/{OTHER_PACKAGE.name}"}}))
    try:
        cluster.change(pushJobs=content)
        seen = doctor(cluster, "--format", "json")
    finally:
        cluster.settings.write_text(good)
    found = problem(seen)
    assert "the settings changed since the last pulumi up" in found["problem"]
    assert [command.split()[:2] for command in found["commands"]] == [["pulumi", "up"]]


def test_a_stack_that_is_not_there_is_told_in_one_line(cluster: Stack) -> None:
    seen = as_operator(cluster, sys.executable, "-m", "chef_push_jobs", "doctor", "--stack", "nowhere")
    assert seen.status == 2
    assert "nowhere" in seen.errors
    assert seen.errors.count("\n") == 1


def test_the_repairs_name_tasks_that_pulumi_has(cluster: Stack) -> None:
    resources = cluster.state()["deployment"]["resources"]
    commands = {one["urn"].rsplit("::", 1)[1] for one in resources if one["type"] == "command:remote:Command"}
    named = {name for name in commands if not name.startswith(HOST_KEY)}  # they ask, and have no task
    planned_tasks = planned(cluster).tasks.values()
    assert {str(task) for task in planned_tasks if task.action is Action.COMMAND} == named
