"""Every script that a server is sent, beside its exact text in files/commands/, checked by the shells that run it.

`python -m tests.unit.test_commands` writes the files anew; read the difference before it is committed.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from chef_push_jobs import scripts
from chef_push_jobs.model.packages import Package
from chef_push_jobs.scripts import data_volume

FILES = Path(__file__).parent / "files" / "commands"
LOCAL = Package("opscode-push-jobs-server_1.1.6-1_amd64.deb", "3b" * 32, file="packages/x.deb")
REMOTE = Package("opscode push;$(id).rpm", "3b" * 32, url="https://packages.test/a b;$(id)'.rpm")
CHEF_SERVER_RPM = Package("chef-server-core-12.19.31-1.el7.x86_64.rpm", "3b" * 32, file="packages/chef-server.rpm")
CHEF_SERVER_DEB = Package("chef-server-core_12.19.31-1_amd64.deb", "3b" * 32, file="packages/chef-server.deb")
SERVERS = [
    ("backend-0.chef.test", "backend", "10.0.0.4"),
    ("backend-1.chef.test", "backend", "10.0.0.5"),
    ("frontend-0.chef.test", "frontend", "10.0.16.4"),
]
PORTS = {"server_heartbeat_port": "10000", "command_port": "10003", "api_port": "10002"}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"

SCRIPTS = {
    "runner": scripts.RUNNER_SCRIPT,
    "shared-files": scripts.SHARER_SCRIPT,
    "manifest": "#!/bin/sh\n" + scripts.MANIFEST_SCRIPT,
    "connect": scripts.connect(600),
    "install-uploaded-deb": scripts.install(LOCAL, "ubuntu"),
    "install-fetched-rpm-with-hostile-name": scripts.install(REMOTE, "ubuntu"),
    "install-chef-server-deb": scripts.install(CHEF_SERVER_DEB, "ubuntu", upgrades=False),
    "install-chef-server-rpm": scripts.install(CHEF_SERVER_RPM, "ubuntu", upgrades=False),
    "require-chef-server": scripts.require_chef_server(),
    "configure": scripts.configure("/etc/x/x.rb", scripts.push_jobs_settings(PORTS, {"heartbeat_interval": 1000})),
    "push-jobs-reconfigure": scripts.push_jobs_reconfigure(),
    "share": scripts.share("ubuntu", [("10.0.0.5", KEY), ("10.0.16.4", KEY)]),
    "copy": scripts.copy("push-jobs", "ubuntu", 22, "10.0.0.4", KEY),
    "chef-reconfigure": scripts.chef_reconfigure(),
    "connect-to-existing": scripts.connect(600, adopts=True),
    "check-firewall": scripts.check_firewall([10000, 10003, 10002]),
    "uninstall": scripts.uninstall(),
    "rotate": scripts.rotate("2026-11"),
    "restart-pushy-unless-fresh": scripts.restart_pushy([10000, 10003, 10002], unless_fresh=True),
    "restart-pushy": scripts.restart_pushy([10000, 10003, 10002]),
    "test": scripts.test(),
    "in-turn": scripts.in_turn("echo one\nexit 0\n", "echo two\n"),
    "require-lvm": data_volume.require_lvm(),
    "prepare-volume": data_volume.prepare_volume("/dev/xvdf", "10.0.15.254"),
    "name-device": data_volume.name_device("vol-0123456789abcdef0", "/dev/xvdf"),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_has_exactly_the_text_that_was_reviewed(name: str) -> None:
    assert SCRIPTS[name] == (FILES / f"{name}.sh").read_text()


def test_no_reviewed_script_is_left_over() -> None:
    assert {path.stem for path in FILES.iterdir()} == set(SCRIPTS)


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_script_is_shell(name: str, shell: str) -> None:
    subprocess.run([shell, "-n"], input=SCRIPTS[name], text=True, check=True)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_clean_to_shellcheck(name: str) -> None:
    assert shutil.which("shellcheck"), "shellcheck is missing: scripts/test installs it (apt-get install shellcheck)"
    # SC2016: what is in single quotes here is meant not to expand
    checked = subprocess.run(
        ["shellcheck", "--shell=dash", "--exclude=SC2016", "-"],
        input=SCRIPTS[name],
        text=True,
        capture_output=True,
        check=False,
    )
    assert checked.stdout == ""


def test_the_settings_of_chef_server_name_every_server_and_the_primary_first() -> None:
    assert scripts.chef_settings("ha", "chef.test", SERVERS, {"notification_email": "ops@chef.test"}) == (
        "# Written by chef-rollout: change the stack's settings, not this file.\n"
        'topology "ha"\n'
        'api_fqdn "chef.test"\n'
        'server "backend-0.chef.test", :ipaddress => "10.0.0.4", :role => "backend", :bootstrap => true,'
        ' :cluster_ipaddress => "10.0.0.4"\n'
        'server "backend-1.chef.test", :ipaddress => "10.0.0.5", :role => "backend", :cluster_ipaddress => "10.0.0.5"\n'
        'server "frontend-0.chef.test", :ipaddress => "10.0.16.4", :role => "frontend"\n'
        'backend_vip "backend-0.chef.test", :ipaddress => "10.0.0.4", :device => "eth0"\n'
        "notification_email 'ops@chef.test'\n"
    )


def test_a_standalone_chef_server_lists_nobody() -> None:
    assert scripts.chef_settings("standalone", "chef.test", SERVERS[:1], {}).splitlines()[1:] == [
        'topology "standalone"',
        'api_fqdn "chef.test"',
    ]


def test_the_settings_of_push_jobs_are_ruby() -> None:
    text = scripts.push_jobs_settings(PORTS, {"vip": "10.0.0.9", "whitelist": True})
    assert text.splitlines()[1:] == [
        "opscode_pushy_server['server_heartbeat_port'] = '10000'",
        "opscode_pushy_server['command_port'] = '10003'",
        "opscode_pushy_server['api_port'] = '10002'",
        "opscode_pushy_server['vip'] = '10.0.0.9'",
        "opscode_pushy_server['whitelist'] = true",
    ]


def test_the_runner_is_called_with_quoted_words() -> None:
    assert scripts.runner("push-jobs-test", 300, 1) == "/var/lib/chef-rollout/task push-jobs-test 300 1"


if __name__ == "__main__":
    FILES.mkdir(parents=True, exist_ok=True)
    for old in FILES.iterdir():
        old.unlink()
    for script, text in SCRIPTS.items():
        (FILES / f"{script}.sh").write_text(text)
