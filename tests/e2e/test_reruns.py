"""What a change runs again, and what it leaves alone: one ha cluster, one change after the other, a test a row.

Each row previews, runs `up`, and compares: the preview's list, the tasks that the servers got, the ctl commands and
restarts that their own logs have. A row changes only settings of its own, so each can be run alone too. The package and
the credentials have a cluster of their own, in `test_rolling.py`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.hosts import network
from sandbox.hosts.host import HostSpec
from sandbox.hosts.layers import BASE
from sandbox.paths import CLONE
from tests.e2e.conftest import Stack, stack
from tests.e2e.observed import TEST, calls, change, tasks

SERVERS = ("backend-0", "backend-1", "frontend-0", "frontend-1")
BASTION = "10.9.0.10"
SET = (sys.executable, "-m", "sandbox", "run", "--", "pulumi", "config", "set", "--secret", "--path")

# The frontends' part of a change of push jobs, and the whole of it, once the primary has other settings.
FROM_CONFIGURE = """
    backend-0: push-jobs configure reconfigure-primary share chef-reconfigure restart-pushy test test-again
    backend-1: push-jobs copy reconfigure chef-reconfigure restart-pushy test
    frontend-0: push-jobs copy reconfigure
    frontend-1: push-jobs copy reconfigure
"""
CALLS_FROM_CONFIGURE = """
    backend-0: push reconfigure, chef reconfigure
    backend-1: push reconfigure, chef reconfigure
    frontend-0: push reconfigure
    frontend-1: push reconfigure
"""


@pytest.fixture(scope="module")
def cluster(root: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack("sandbox", tmp_path_factory.mktemp("reruns")) as made:
        made.up()
        yield made


def machines(cluster: Stack) -> dict[str, str]:
    """The ids of the machines by server."""
    resources = cluster.state()["deployment"]["resources"]
    return {r["urn"].rsplit("::", 1)[1]: r["id"] for r in resources if r["type"] == "aws:ec2/instance:Instance"}


# Rows without any effect on a server


def test_time_limits_dial_limits_and_another_place_of_a_package_have_no_effect_on_a_server(
    cluster: Stack, tmp_path: Path
) -> None:
    """All in one run: what has no effect beside others has none alone."""
    before, ssh = cluster.setting("pushJobs"), cluster.setting("ssh")
    file = CLONE / before["package"]["file"]
    other = str(shutil.copy(file, tmp_path / f"copy-of-{file.name}"))
    found = change(
        cluster,
        timeLimits={"install": 1000, "test": 200},
        ssh={**ssh, "dialErrorLimit": 50, "perDialTimeout": 14},
        pushJobs={**before, "package": {"file": other}},
    )
    assert found.planned == set()
    assert found.updated >= {f"push-jobs-install-{server}" for server in SERVERS}
    assert len(found.updated) > 40, "all tasks' connections are others now"
    assert (found.ctl, found.starts) == ({}, {})
    assert cluster.outputs()["test"].endswith("0 failures"), "the output outlives a run of nothing"
    cluster.change(pushJobs=before)
    cluster.up()


def test_a_time_limit_updates_the_tasks_of_its_step_alone(cluster: Stack) -> None:
    before = cluster.setting("timeLimits")
    cluster.change(timeLimits={**before, "install": 1001, "test": 201})
    updated = {str(step["urn"]).rsplit("::", 1)[1] for step in cluster.preview() if step["op"] == "update"}
    cluster.change(timeLimits=before)
    wanted = {f"{rollout}-install-{server}" for rollout in ("chef", "push-jobs") for server in SERVERS}
    assert {name for name in updated if "-" in name} >= wanted | {f"push-jobs-test-{each}" for each in SERVERS[:2]}
    assert not [name for name in updated if "reconfigure" in name or "copy" in name]


def test_a_bastion_can_be_added_later_and_everything_goes_through_it(cluster: Stack) -> None:
    """The servers then let in the bastion's network alone: the operator's own is no operator CIDR any more."""
    cluster.lab.boot(HostSpec("bastion-0", "bastion-0", BASTION, 24, BASE))
    key = cluster.output("bastion-0", "cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub")
    before = cluster.setting("ssh")
    server = cluster.outputs()["servers"]["backend-0"]["address"]
    assert operator_reaches(cluster, server)
    proxy = {"host": BASTION, "user": "ubuntu", "hostKey": key}
    found = change(cluster, ssh={**before, "proxy": proxy}, operatorCidrs=["10.9.0.0/24"])
    assert found.planned == set()
    assert (found.ctl, found.starts) == ({}, {})
    assert found.other == {"create SecurityGroupIngressRule": 2, "delete SecurityGroupIngressRule": 2}
    assert not operator_reaches(cluster, server)
    again = change(cluster, reverify="through the bastion")
    assert again.planned == tasks(TEST)
    assert again.ctl == calls("backend-0: push test")
    last = cluster.output("backend-0", "grep 'Accepted publickey' /var/log/sshd.log | tail -n 1")
    assert f"from {BASTION} " in last
    false = {**proxy, "hostKey": other_key(key)}
    cluster.change(ssh={**before, "proxy": false, "dialErrorLimit": 1}, reverify="a false bastion")
    refused = cluster.up(check=False)
    assert "the host key is SHA256:" in refused.stdout, "a bastion with another host key is not trusted"
    cluster.change(operatorCidrs=["10.8.0.0/24", "10.9.0.0/24"], ssh={**before, "proxy": proxy})
    cluster.up()
    back = change(cluster, ssh=before, operatorCidrs=["10.8.0.0/24"])
    assert (back.planned, back.ctl, back.starts) == (set(), {}, {})


def operator_reaches(cluster: Stack, address: str) -> bool:
    probe = f"import socket; socket.create_connection(('{address}', 22), timeout=1)"
    argv = [*network.enter(cluster.sandbox.operator), sys.executable, "-c", probe]
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0


def other_key(key: str) -> str:
    """A well-formed key that is not this one."""
    kind, text = key.split(" ")
    return f"{kind} {text[:-4]}{'AAAA' if text[-4:] != 'AAAA' else 'BBBB'}"


def new_key(folder: Path) -> Path:
    file = folder / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "new", "-f", str(file)], check=True)
    return file


def agent(cluster: Stack, *arguments: str) -> None:
    environment = {**os.environ, "SSH_AUTH_SOCK": str(cluster.sandbox.agent)}
    subprocess.run(["ssh-add", "-q", *arguments], env=environment, check=True, capture_output=True)


def authorize(cluster: Stack, key: Path) -> None:
    """What operators do before they rotate their key: the new one is let in on every server."""
    for server in cluster.outputs()["servers"]:
        cluster.output(server, f"echo '{key.with_suffix('.pub').read_text().strip()}' >> ~ubuntu/.ssh/authorized_keys")


def test_a_rotated_ssh_key_replaces_no_server_and_runs_nothing(cluster: Stack, tmp_path: Path) -> None:
    key, before, ssh = new_key(tmp_path), machines(cluster), cluster.setting("ssh")
    authorize(cluster, key)
    agent(cluster, "-D")
    agent(cluster, str(key))
    public = key.with_suffix(".pub")
    for wanted in ({**ssh, "publicKeyFile": str(public)}, ssh):
        found = change(cluster, ssh=wanted)
        assert (found.planned, found.updated, found.other) == (set(), set(), {"replace KeyPair": 1})
        assert (found.ctl, found.starts, found.logins) == ({}, {}, {})
        assert machines(cluster) == before
    agent(cluster, "-D")
    agent(cluster, str(cluster.sandbox.operator_key))


def test_a_private_key_can_be_given_as_a_secret_where_there_is_no_agent(cluster: Stack, tmp_path: Path) -> None:
    key = new_key(tmp_path)
    authorize(cluster, key)
    agent(cluster, "-D")
    subprocess.run(
        [*SET, "chef-push-jobs:ssh.privateKey", "--config-file", str(cluster.settings), "--stack", cluster.name],
        input=key.read_text(),
        cwd=CLONE,
        env=cluster.environment(),
        text=True,
        check=True,
        capture_output=True,
    )
    found = change(cluster)
    assert (found.planned, found.ctl, found.starts) == (set(), {}, {})
    assert len(found.updated) > 40
    again = change(cluster, reverify="by the private key")
    assert again.ctl == calls("backend-0: push test")
    words = [line for line in key.read_text().splitlines() if "-----" not in line]
    plan = cluster.pulumi("preview", "--json", "--config-file", str(cluster.settings)).stdout
    told = (cluster.settings.read_text(), found.stdout, again.stdout, plan, cluster.pulumi("stack", "export").stdout)
    assert all(word not in text for text in told for word in words), "the private key can be read somewhere"
    agent(cluster, str(cluster.sandbox.operator_key))
    cluster.change(ssh={name: value for name, value in cluster.setting("ssh").items() if name != "privateKey"})
    cluster.up()


def test_a_client_network_touches_its_own_rules_only(cluster: Stack) -> None:
    found = change(cluster, clientCidrs=["10.2.0.0/24", "10.1.0.0/24", "10.3.0.0/24"])
    assert (found.planned, found.updated, found.ctl, found.logins) == (set(), set(), {}, {})
    assert found.other == {"create SecurityGroupIngressRule": 8}, "heartbeat, command, HTTPS, HTTP of two networks"
    back = change(cluster, clientCidrs=["10.1.0.0/24"])
    assert (back.planned, back.updated, back.ctl, back.logins) == (set(), set(), {}, {})
    assert back.other == {"delete SecurityGroupIngressRule": 8}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A copy of this project that a test may edit, as another version of it."""
    for folder in ("chef_push_jobs", "components"):
        shutil.copytree(CLONE / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(CLONE / file, tmp_path)
    for link in (".venv", ".sandbox", "stacks"):
        (tmp_path / link).symlink_to(CLONE / link)
    return tmp_path


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_a_comment_in_every_script_changes_nothing(cluster: Stack, program: Path) -> None:
    for script in (program / "chef_push_jobs" / "scripts").rglob("*.sh"):
        script.write_text(f"{script.read_text()}\n# A word more.\n")
    found = change(cluster, program=program)
    assert (found.planned, found.updated, found.other) == (set(), set(), {})
    assert (found.ctl, found.starts, found.logins) == ({}, {}, {})


def test_another_form_of_a_script_has_no_effect_on_a_server(cluster: Stack, program: Path) -> None:
    edit(program / "chef_push_jobs" / "scripts" / "restart-pushy.sh", "set -eu\n", "set -e\nset -u\n")
    found = change(cluster, program=program)
    assert found.planned == set()
    assert found.updated == {"push-jobs-restart-pushy-backend-0", "push-jobs-restart-pushy-backend-1"}
    assert (found.ctl, found.starts) == ({}, {})
    cluster.up()


# Rows that run something


def test_a_raised_revision_runs_that_step_and_what_follows(cluster: Stack, program: Path) -> None:
    table = program / "chef_push_jobs" / "runbook" / "push_jobs.py"
    edit(table, '        "restart-pushy",\n', '        "restart-pushy",\n        revision=2,\n')
    expected = tasks("""
        backend-0: push-jobs restart-pushy test test-again
        backend-1: push-jobs restart-pushy test
    """)
    for version in (program, None):
        found = change(cluster, program=version)
        assert (found.planned, found.updated) == (expected, set())
        assert found.ctl == calls("backend-0: chef restart opscode-pushy-server")
        assert found.starts == {"backend-0": 1}


def test_reverify_runs_the_test_and_nothing_else(cluster: Stack) -> None:
    found = change(cluster, reverify="1")
    assert found.planned == tasks(TEST)
    assert (found.ctl, found.starts) == (calls("backend-0: push test"), {})
    assert list(found.logins) == ["backend-0", "backend-1"], "only they know which one is master"


def test_a_frontend_more_and_less_is_nothing_to_the_other_frontends_and_restarts_nothing(cluster: Stack) -> None:
    more = change(cluster, frontends="3")
    assert more.planned == tasks("""
        backend-0: chef configure reconfigure-primary share, push-jobs share test test-again
        backend-1: chef copy reconfigure, push-jobs test
        frontend-2: connect, chef install copy reconfigure, push-jobs install copy reconfigure
    """)
    assert more.ctl == calls("""
        backend-0: chef reconfigure
        backend-1: chef reconfigure
        frontend-2: chef reconfigure, push reconfigure
    """)
    assert (more.starts, more.updated) == ({}, set())
    key = cluster.output("frontend-2", "cut -d' ' -f2 /var/lib/chef-rollout/id_ed25519.pub")
    let_in = "cat ~ubuntu/.ssh/authorized_keys"
    assert key in cluster.output("backend-0", let_in)
    less = change(cluster, frontends="2")
    assert less.planned == tasks("""
        backend-0: chef configure reconfigure-primary share, push-jobs share test test-again
        backend-1: chef copy reconfigure, push-jobs test
    """)
    assert less.ctl == calls("""
        backend-0: chef reconfigure
        backend-1: chef reconfigure
    """)
    assert (less.starts, less.updated) == ({}, set())
    assert key not in cluster.output("backend-0", let_in), "a server that is gone is let in no more"
    for backend in ("backend-0", "backend-1"):
        assert "frontend-2" not in cluster.output(backend, "cat /etc/opscode/chef-server.rb")


def test_a_replaced_frontend_gets_its_own_tasks_and_restarts_nothing(cluster: Stack) -> None:
    found = change(cluster, replace="frontend-1")
    assert found.planned == tasks("""
        backend-0: chef configure reconfigure-primary share, push-jobs share test test-again
        backend-1: chef copy reconfigure, push-jobs test
        frontend-1: connect, chef install copy reconfigure, push-jobs install copy reconfigure
    """)
    assert found.ctl == calls("""
        backend-0: chef reconfigure
        backend-1: chef reconfigure
        frontend-1: chef reconfigure, push reconfigure
    """)
    assert found.starts == {}


def test_a_replaced_standby_gets_its_own_tasks_and_restarts_nothing(cluster: Stack) -> None:
    found = change(cluster, replace="backend-1")
    assert found.planned == tasks("""
        backend-0: chef configure reconfigure-primary share, push-jobs share test test-again
        backend-1: connect, chef install copy reconfigure
        backend-1: push-jobs install copy reconfigure chef-reconfigure restart-pushy test
    """)
    assert found.ctl == calls("""
        backend-0: chef reconfigure
        backend-1: chef reconfigure, push reconfigure, chef reconfigure
    """)
    assert found.starts == {}, "the service runs on the master, which has not changed"


def test_other_settings_are_configured_everywhere_with_one_restart(cluster: Stack) -> None:
    found = change(cluster, pushJobs={**cluster.setting("pushJobs"), "settings": {"heartbeat_interval": 2000}})
    assert found.planned == tasks(FROM_CONFIGURE)
    assert found.ctl == calls(CALLS_FROM_CONFIGURE)
    assert found.starts == {"backend-0": 1}, "reconfigure restarts the service: the runbook's restart must see that"
    assert (found.other, found.updated) == ({}, set())


def test_other_ports_are_open_before_and_the_old_ones_shut_after_one_restart(cluster: Stack) -> None:
    before = cluster.setting("pushJobs")
    swapped = {**before, "heartbeatPort": 10003, "commandPort": 11000, "apiPort": 11002}
    found = change(cluster, pushJobs=swapped)
    assert found.planned == tasks(FROM_CONFIGURE)
    assert found.ctl == calls(CALLS_FROM_CONFIGURE)
    assert found.starts == {"backend-0": 1}
    assert found.other == {
        **{"create SecurityGroupIngressRule": 2, "delete SecurityGroupIngressRule": 2},
        **{"update SecurityGroupIngressRule": 1},  # one port for another flow
        **{"create SecurityGroupEgressRule": 1, "delete SecurityGroupEgressRule": 1},  # frontends to the API port
    }
    address = cluster.outputs()["servers"]["backend-0"]["address"]
    assert all(cluster.lab.reaches("client-0", address, port) for port in (10003, 11000))
    cluster.lab.listen("backend-0", 10000)
    assert not cluster.lab.reaches("client-0", address, 10000), "the old port is shut"


MASTER = "cat /var/opt/opscode/keepalived/current_cluster_status"
FOLDERS = "etc/opscode etc/opscode-push-jobs-server"


def test_a_new_primary_is_not_set_up_beside_a_cluster_until_it_has_its_secrets(cluster: Stack) -> None:
    """The way of docs/operations.md, Replace: the other backend goes on serving from the beginning to the end."""
    credentials = cluster.output("backend-1", "sha256sum /etc/opscode/private-chef-secrets.json")
    refused = cluster.up("--replace", "**aws:ec2/instance:Instance::backend-0", check=False)
    assert refused.returncode != 0
    assert "this primary is new, and https://chef.test is a cluster that is already in use" in refused.stdout
    assert cluster.output("backend-1", MASTER) == "master"
    assert cluster.lab.shell("backend-0", "ls /etc/opscode/private-chef-secrets.json").returncode != 0

    packed = cluster.output("backend-1", f"tar -C / -czf - {FOLDERS} | base64 -w 0")
    cluster.output("backend-0", f"echo {packed} | base64 -d | tar -C / -xzf -")
    status = "current_cluster_status requested_cluster_status"
    folder = "/var/opt/opscode/keepalived"
    cluster.output("backend-0", f"mkdir -p {folder}; cd {folder}; for file in {status}; do echo backup > $file; done")
    cluster.up()
    assert cluster.output("backend-0", MASTER) == "backup"
    assert cluster.output("backend-1", MASTER) == "master"
    assert {cluster.output(server, f"sha256sum {credentials.split()[1]}") for server in SERVERS} == {credentials}
    assert "0 failures" in cluster.outputs()["test"]
