"""Servers that exist already: taken over with nothing lost, and left again."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chef_push_jobs.scripts import RUNNER
from sandbox.job_clients import run_job
from sandbox.packages.build import CORE, Package, build
from sandbox.paths import REGION
from tests.e2e.conftest import Stack, stack
from tests.e2e.test_operators import inside

FOLDER = "/etc/opscode-push-jobs-server"
NAMES = ["backend-0", "backend-1", "frontend-0"]
# Push jobs 2.x on a standby works on the master's database, to which the firewall of servers made for 1.x lets nobody.
DATABASE = """
import boto3, sys
ec2 = boto3.client("ec2", region_name=sys.argv[1], endpoint_url="http://127.0.0.1:5000")
groups = ec2.describe_security_groups()["SecurityGroups"]
(backend,) = [group["GroupId"] for group in groups if group["GroupName"].startswith("backend-")]
rule = dict(IpProtocol="tcp", FromPort=5432, ToPort=5432, UserIdGroupPairs=[dict(GroupId=backend)])
ec2.authorize_security_group_ingress(GroupId=backend, IpPermissions=[rule])
ec2.authorize_security_group_egress(GroupId=backend, IpPermissions=[rule])
"""


@pytest.fixture(scope="module")
def adopted(root: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack, not up yet, of servers that another stack made and on which push jobs runs."""
    folder = tmp_path_factory.mktemp("existing")
    with stack("sandbox", folder) as maker:
        maker.change(frontends="1")
        maker.up()
        told = maker.outputs()["servers"]
        settings = folder / "Pulumi.existing.yaml"
        shutil.copy(maker.settings, settings)
        taker = Stack(maker.sandbox, "existing", settings, maker.lab, folder / "log")
        taker.change(
            domain=None,
            backends=None,
            frontends=None,
            machines=None,
            highAvailability=None,
            chefServer=None,
            ssh={"user": "ubuntu"},
            servers=[entry(told, name) for name in NAMES],
        )
        taker.pulumi("stack", "init", "--non-interactive")
        yield taker


def entry(told: dict[str, Any], name: str) -> dict[str, str]:
    server = told[name]
    return {
        "name": name,
        "fqdn": server["fqdn"],
        "role": server["role"],
        "address": server["address"],
        "hostKey": server["hostKey"],
    }


def open_database(adopted: Stack) -> None:
    inside(adopted, sys.executable, "-c", DATABASE, REGION)


def fingerprint(adopted: Stack) -> dict[str, str]:
    """Everything that an adoption must leave as it is, by server."""
    files = f"{FOLDER}/*-secrets.json {FOLDER}/*.pem {FOLDER}/*.rb /etc/opscode/private-chef-secrets.json"
    told = "cat /var/log/opscode/opscode-pushy-server/current 2> /dev/null | grep -c 'started pid'"
    return {name: adopted.output(name, f"sha256sum {files}; {told} || [ $? = 1 ]") for name in NAMES}


@pytest.mark.parametrize(
    ("user", "without", "told"),
    [
        ("nobody-of-here", "", "sshd lets none of the 1 keys in as nobody-of-here"),
        ("ubuntu", "SSH_AUTH_SOCK", "there is no SSH agent (SSH_AUTH_SOCK is not set)"),
    ],
)
def test_where_nobody_gets_in_the_run_ends_within_seconds(adopted: Stack, user: str, without: str, told: str) -> None:
    before = fingerprint(adopted)
    adopted.change(ssh={"user": user})
    begun = time.monotonic()
    refused = adopted.up(check=False, without=without)
    assert time.monotonic() - begun < 60, "the plugin by itself dials for five minutes"
    adopted.change(ssh={"user": "ubuntu"})
    assert refused.returncode != 0
    assert told in refused.stdout and "Do:" in refused.stdout
    assert fingerprint(adopted) == before


def test_a_backend_that_does_not_reach_the_api_is_refused_before_anything_is_begun(adopted: Stack) -> None:
    before = fingerprint(adopted)
    adopted.output("backend-1", "cp /etc/hosts /root/hosts; echo 127.0.0.9 chef.test > /etc/hosts")
    refused = adopted.up(check=False)
    assert refused.returncode != 0
    assert "https://chef.test/_status does not respond to this backend within 30 s" in refused.stdout
    adopted.output("backend-1", "cat /root/hosts > /etc/hosts")
    assert fingerprint(adopted) == before


def test_a_server_without_the_credentials_that_are_at_work_is_refused_as_the_primary(adopted: Stack) -> None:
    before, servers = fingerprint(adopted), adopted.setting("servers")
    files = f"{FOLDER}/*.pem {FOLDER}/*-secrets.json"
    adopted.output("backend-1", f"mkdir /root/away && mv {files} /root/away")
    adopted.change(servers=[servers[1], servers[0], servers[2]])
    refused = adopted.up(check=False)
    assert refused.returncode != 0
    assert "backend-0 has push jobs credentials that would be lost" in refused.stdout
    assert "push jobs runs here, and this server is master" in refused.stdout
    assert "backend-1, the first of the stack's servers, has none" in refused.stdout
    adopted.output("backend-1", f"ls {files} 2> /dev/null; mv /root/away/* {FOLDER}")
    assert fingerprint(adopted) == before
    adopted.change(servers=servers)


def test_one_machine_at_two_addresses_is_refused_before_anything_is_begun(adopted: Stack) -> None:
    before, servers = fingerprint(adopted), adopted.setting("servers")
    own = servers[0]["address"]
    other = own.rpartition(".")[0] + ".251"
    device = adopted.output("backend-0", f"ip -o address show to {own} | awk '{{ print $2; exit }}'").strip()
    adopted.output("backend-0", f"ip address add {other}/24 dev {device}")
    adopted.change(servers=[*servers[:2], {**servers[2], "address": other, "hostKey": servers[0]["hostKey"]}])
    named = adopted.up(check=False)
    assert "this server calls itself backend-0.chef.test, and the stack calls it frontend-0.chef.test" in named.stdout
    assert fingerprint(adopted) == before
    nameless = "/usr/local/sbin/hostname"
    adopted.output("backend-0", f"printf '#!/bin/sh\\nexit 1\\n' > {nameless}; chmod 0755 {nameless}")
    refused = adopted.up(check=False)
    adopted.output("backend-0", f"rm {nameless}")
    assert "backend-0 and frontend-0: both have the copy key SHA256:" in refused.stdout
    assert refused.stdout.count("both have the copy key") <= 2, "as it happens, and in the summary"
    assert "repair.connect-backend-0 and repair.connect-frontend-0" in refused.stdout
    assert "Traceback" not in refused.stdout and "never awaited" not in refused.stdout
    assert fingerprint(adopted) == before
    adopted.output("backend-0", f"ip address del {other}/24 dev {device}")
    adopted.change(servers=servers, repair=dict.fromkeys(("connect-backend-0", "connect-frontend-0"), "one-each"))


def test_the_first_up_changes_no_credential_and_restarts_nothing_that_is_right(adopted: Stack) -> None:
    before = fingerprint(adopted)
    adopted.up()
    assert adopted.outputs()["test"].endswith("0 failures")
    assert fingerprint(adopted) == before
    assert not [r for r in adopted.state()["deployment"]["resources"] if r["type"].startswith("aws:")]


def test_a_second_up_changes_nothing(adopted: Stack) -> None:
    before = adopted.connections()
    assert "changed" not in adopted.up().stdout.replace("unchanged", "")
    assert adopted.connections() == before


def test_the_other_servers_copy_from_the_private_address_where_the_operators_is_shut_for_them(adopted: Stack) -> None:
    servers = adopted.setting("servers")
    own = servers[0]["address"]
    other = own.rpartition(".")[0] + ".252"
    device = adopted.output("backend-0", f"ip -o address show to {own} | awk '{{ print $2; exit }}'").strip()
    adopted.output("backend-0", f"ip address add {other}/24 dev {device}")
    assert adopted.lab.shell("frontend-0", f"nc -z -w 2 {other} 22").returncode != 0
    try:
        adopted.change(servers=[{**servers[0], "address": other, "privateAddress": own}, *servers[1:]])
        adopted.up()
        assert adopted.outputs()["servers"]["backend-0"]["address"] == other
    finally:
        adopted.change(servers=servers)
        adopted.up()
        adopted.output("backend-0", f"ip address del {other}/24 dev {device}")


def test_a_firewall_that_shuts_clients_out_is_found_before_anything_is_restarted(adopted: Stack) -> None:
    ports = adopted.settings.read_text()
    adopted.change(pushJobs={"package": package(), "commandPort": 12003})
    refused = adopted.up(check=False)
    adopted.settings.write_text(ports)
    assert "has no rule that allows TCP 12003" in refused.stdout
    assert "12003" not in adopted.output("backend-0", "ss -Hltn")
    adopted.up()


def test_a_chef_server_that_runs_is_not_upgraded_by_a_rollout(adopted: Stack, tmp_path: Path) -> None:
    before = fingerprint(adopted)
    newer = build(Package("chef-server-core", "12.20.0", CORE), tmp_path)
    adopted.change(chefServer={"package": {"file": str(newer)}})
    refused = adopted.up(check=False)
    assert (
        "chef-server-core 12.19.31-1 is installed and configured here, but the stack requests 12.20.0-1"
        in refused.stdout
    )
    adopted.change(chefServer=None)
    adopted.up()
    assert fingerprint(adopted) == before
    assert {adopted.output(name, "dpkg-query -W chef-server-core").split()[1] for name in NAMES} == {"12.19.31-1"}


def destroy(adopted: Stack, check: bool = True) -> subprocess.CompletedProcess[str]:
    return adopted.pulumi("destroy", "--yes", "--skip-preview", "--config-file", str(adopted.settings), check=check)


def package(version: str = "1.1.6") -> dict[str, str]:
    return {"file": f".sandbox/packages/opscode-push-jobs-server_{version}-1_amd64.deb"}


def test_destroying_the_stack_leaves_the_servers_as_they_are(adopted: Stack) -> None:
    before, connections = fingerprint(adopted), adopted.connections()
    destroy(adopted)
    run_job(adopted.sandbox, "hostname", print)
    assert fingerprint(adopted) == before
    counted = {name: int(adopted.output(name, "grep -c 'Accepted ' /var/log/sshd.log")) for name in connections}
    assert counted == connections


def test_up_finishes_the_job_where_a_server_could_not_be_left(adopted: Stack) -> None:
    adopted.change(uninstallOnDestroy="true")
    adopted.up()
    adopted.output("frontend-0", f"mv {RUNNER} {RUNNER}.away")
    assert destroy(adopted, check=False).returncode, "frontend-0 cannot be left"
    assert "no packages found" in adopted.lab.shell("backend-0", "dpkg-query -W opscode-push-jobs-server").stderr
    adopted.output("frontend-0", f"mv {RUNNER}.away {RUNNER}")
    adopted.up()
    assert adopted.outputs()["test"].endswith("0 failures")
    for name in NAMES:
        adopted.output(name, "dpkg-query -W opscode-push-jobs-server")


def test_push_jobs_is_uninstalled_only_where_the_stack_says_so(adopted: Stack) -> None:
    destroy(adopted)
    for name in NAMES:
        assert adopted.output(name, f"ls -d {FOLDER} 2> /dev/null || echo gone") == "gone"
        assert (
            adopted.output(name, "dpkg-query -W -f '${Status}' opscode-push-jobs-server 2> /dev/null || echo gone")
            == "gone"
        )
    scripts = adopted.lab.shell("backend-1", "grep -r opscode-pushy-server /var/opt/opscode/keepalived/bin")
    assert scripts.returncode == 1, "keepalived must have forgotten the service"
    for name in NAMES:
        left = "find /opt/opscode/sv /opt/opscode/service /opt/opscode/init /var/opt/opscode/nginx -name '*push*'"
        assert adopted.output(name, f"{left}; pgrep -f [o]pscode-pushy-server || :") == ""
    users = "chpst -u opscode-pgsql /opt/opscode/embedded/bin/psql -qtA postgres -c 'SELECT rolname FROM pg_roles'"
    assert "opscode_pushy" not in adopted.output("backend-0", users)
    adopted.output("backend-0", "chef-server-ctl stop keepalived")
    told = "timeout 60 sh -c 'until [ \"$(cat $0)\" = master ]; do sleep 1; done'"
    adopted.output("backend-1", f"{told} /var/opt/opscode/keepalived/current_cluster_status")


def test_the_second_generation_is_installed_where_the_primary_is_a_standby(adopted: Stack) -> None:
    """There is no database on it, and the stack does not know the address that moves with the master."""
    adopted.output("backend-0", "chef-server-ctl start keepalived")
    adopted.change(pushJobs={"package": package("2.2.8")})
    refused = adopted.up(check=False)
    assert "the database at 10.0.15.254:5432 does not respond to this backend within 30 s" in refused.stdout
    assert "Do:   let the backends reach each other on TCP 5432" in refused.stdout
    assert adopted.lab.shell("backend-0", "dpkg-query -W opscode-push-jobs-server").returncode, (
        "nothing was begun there"
    )
    open_database(adopted)
    adopted.up()
    assert adopted.outputs()["test"].endswith("0 failures")
    run_job(adopted.sandbox, "hostname", print)
