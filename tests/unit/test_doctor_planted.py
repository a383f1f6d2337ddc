"""Doctor, from what lies on the servers' disks to what it says: states that were met, planted one by one.

The probe runs for real, once a server, on a folder that stands for its disk.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from chef_push_jobs import scripts
from chef_push_jobs.cli.doctor import probe
from chef_push_jobs.cli.doctor.diagnosis import diagnose
from chef_push_jobs.cli.doctor.findings import Diagnosis
from chef_push_jobs.cli.doctor.observations import PortState, ProbeResult
from chef_push_jobs.cli.doctor.probe import CREDENTIALS, ETC, PACKAGES
from chef_push_jobs.runbook import push_jobs
from chef_push_jobs.scripts.commands import HOME
from tests.unit.clusters import settings
from tests.unit.test_doctor import NAMES, NONCE, PORTS, the_cloud, the_stack

KEY = f"{ETC}/pushy_priv.pem"
VERSIONS = {"opscode-push-jobs-server": "2.2.8-1", "chef-server-core": "12.19.31-1"}
COMMANDS = {
    "dpkg-query": 'for package; do :; done; cat "$DISK/dpkg/$package"',
    "dpkg-deb": 'cat "$2"',
    "chef-server-ctl": 'case $1 in status) cat "$DISK/status" ;; esac',
    "ss": 'echo State; if [ -e "$DISK/master" ]; then echo LISTEN; fi',
    "getent": 'echo "u:x:1:1::$DISK/home:/bin/sh"',
    "sshd": "exit 1",
    "hostname": 'cat "$DISK/hostname"',
    "df": "echo Filesystem; echo 'd 1 1 1 40% /'",
}


@dataclass(frozen=True)
class Disk:
    name: str
    root: Path

    def write(self, path: str, text: str, mode: int = 0o600) -> None:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def path(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def visit(self) -> ProbeResult:
        files = [push_jobs.SETTINGS_FILE, *CREDENTIALS]
        uploads = [scripts.uploaded(settings().push_jobs_package)]
        text = probe.script(NONCE, files, PORTS, VERSIONS, "ubuntu", uploads=uploads)
        for place in (HOME, "/etc/opscode", "/var/opt/opscode"):
            text = text.replace(place, f"{self.root}{place}")
        environment = {"PATH": f"{self.root}/bin:{os.environ['PATH']}", "DISK": str(self.root)}
        done = subprocess.run(["sh"], input=text, text=True, env=environment, capture_output=True, check=True)
        assert done.stderr == ""
        facts = probe.parse_facts("from\t10.8.0.10\n" + done.stdout.replace(str(self.root), ""))
        return ProbeResult(facts, doors=dict.fromkeys(PORTS, PortState.SILENT), time=time.time())


Disks = Mapping[str, Disk]


@pytest.fixture
def disks(tmp_path: Path) -> Disks:
    """Four servers on which all is well."""
    made = {name: Disk(name, tmp_path / name) for name in NAMES}
    for name, disk in made.items():
        for command, text in COMMANDS.items():
            disk.write(f"bin/{command}", f"#!/bin/sh\n{text}\n", 0o755)
        for package, version in VERSIONS.items():
            disk.write(f"dpkg/{package}", f"install ok installed {version}")
        for path in CREDENTIALS:
            disk.write(path, f"{{}}{Path(path).name}")
        disk.write(push_jobs.SETTINGS_FILE, push_jobs.settings_file(settings()), 0o644)
        for file in ("task", "manifest"):
            disk.write(f"{HOME}/{file}", "a script")
        disk.write(f"{HOME}/id_ed25519", "private")
        disk.write(f"{HOME}/id_ed25519.pub", f"ssh-ed25519 AAAA{name} chef-rollout")
        disk.write(f"{HOME}/owner", f"project/test/{name}")
        disk.write("hostname", f"{name}.chef.test")
        disk.write(f"home/{scripts.uploaded(settings().push_jobs_package)}", PACKAGES[0])
        disk.write("home/chef-rollout-000000000000-chef-ha_1.0-1_amd64.deb", "of another stack")
        if name.startswith("backend"):
            master = name == "backend-0"
            disk.write("/var/opt/opscode/keepalived/current_cluster_status", "master" if master else "backup")
            disk.write("/var/opt/opscode/keepalived/bin/cluster.sh", "opscode-pushy-server")
            disk.write("status", f"{'run' if master else 'down'}: opscode-pushy-server: x")
    disk = made["backend-0"]
    disk.write("master", "")
    disk.write(f"{HOME}/shared-files", "a script")
    lines = [f'restrict,command="x",from="10.0.0.5" ssh-ed25519 AAAA{name} chef-rollout' for name in NAMES[1:]]
    disk.write("home/.ssh/authorized_keys", "\n".join(lines) + "\n")
    return made


def seen(disks: Disks) -> Diagnosis:
    return diagnose(the_stack(), {name: disk.visit() for name, disk in disks.items()}, the_cloud(), NONCE)


def test_servers_on_which_nothing_was_planted_are_well(disks: Disks) -> None:
    assert seen(disks).findings == ()


@pytest.mark.parametrize(
    "said", ["", "localhost", "localhost.localdomain", "frontend-1", "(none)", "FRONTEND-1.chef.test."]
)
def test_a_name_that_says_nothing_is_no_drift(disks: Disks, said: str) -> None:
    disks["frontend-1"].write("hostname", said)
    assert seen(disks).findings == ()


def test_a_package_that_is_on_hold_is_installed(disks: Disks) -> None:
    for package, version in VERSIONS.items():
        disks["frontend-1"].write(f"dpkg/{package}", f"hold ok installed {version}")
    assert seen(disks).findings == ()


def gone(name: str, *paths: str) -> Callable[[Disks], None]:
    def plant(disks: Disks) -> None:
        for path in paths:
            disks[name].path(path).unlink()

    return plant


def writes(name: str, path: str, text: str) -> Callable[[Disks], None]:
    return lambda disks: disks[name].write(path, text)


def dangles(*names: str, path: str = KEY) -> Callable[[Disks], None]:
    def plant(disks: Disks) -> None:
        for name in names:
            place = disks[name].path(path)
            shutil.rmtree(place) if place.is_dir() else place.unlink()
            place.symlink_to("/nowhere/at/all")

    return plant


def other_credentials(*names: str) -> Callable[[Disks], None]:
    def plant(disks: Disks) -> None:
        for name in names:
            for path in CREDENTIALS[:3]:
                disks[name].write(path, "of another cluster")

    return plant


def no_credentials(name: str) -> Callable[[Disks], None]:
    return gone(name, *CREDENTIALS[:3])


def cloned(disks: Disks) -> None:
    for file in ("id_ed25519", "id_ed25519.pub"):
        shutil.copy(disks["frontend-0"].path(f"{HOME}/{file}"), disks["frontend-1"].path(f"{HOME}/{file}"))


def one_machine(disks: Disks) -> None:
    """At two addresses: who was met last has noted its name."""
    shutil.rmtree(disks["frontend-0"].root)
    disks["frontend-0"].root.symlink_to(disks["frontend-1"].root)


SHUT = "its authorized_keys does not let backend-1, frontend-0, frontend-1 copy: the next change would fail there"
UNPREPARED = "it is not prepared for tasks: it was reinstalled, or lost files in /var/lib/chef-rollout"
# What was planted, and what is told: by which server and check, in which words, mended by which tasks or commands.
STATES: dict[str, tuple[Callable[[Disks], None], set[tuple[str, str, str]], str]] = {
    "another stack's note": (
        writes("frontend-1", f"{HOME}/owner", "project/other/frontend-1"),
        {("frontend-1", "reachable", "another stack, or another server of this stack, has set it up since")},
        "sudo tee /var/lib/chef-rollout/owner",
    ),
    "a credential that is a dead link": (
        dangles("frontend-0"),
        {("frontend-0", "credentials", f"{KEY} is missing, compared with the primary")},
        "push-jobs-copy-frontend-0",
    ),
    "a folder that is a dead link, on all others": (
        dangles(*NAMES[1:], path=ETC),
        {(name, check, "is missing") for name in NAMES[1:] for check in ("credentials", "settings")},
        "push-jobs-copy-frontend-0",
    ),
    "a credential of the primary that is a dead link": (
        dangles("backend-0"),
        {("backend-0", "credentials", f"{KEY} is missing, or leads nowhere; the other servers have it: put it back")},
        f"sudo tar -chC / {KEY[1:]} | ssh -p 22 ubuntu@10.0.0.4 sudo tar -xpC /",
    ),
    "a primary with other credentials than all others": (
        other_credentials("backend-0"),
        {("backend-0", "credentials", "differs, compared with all other servers; the primary's are copied again")},
        "push-jobs-reconfigure-primary-backend-0",
    ),
    "a primary without credentials": (
        no_credentials("backend-0"),
        {("backend-0", "credentials", "is missing, or leads nowhere; the other servers have it")},
        "sudo tar -chC / ",
    ),
    "credentials that a rotation did not bring": (
        other_credentials("frontend-0", "frontend-1"),
        {(f"frontend-{n}", "credentials", "differs, compared with the primary") for n in (0, 1)},
        "push-jobs-copy-frontend-1",
    ),
    "a copy key without its private half": (
        gone("frontend-0", f"{HOME}/id_ed25519"),
        {("frontend-0", "reachable", UNPREPARED)},
        "connect-frontend-0",
    ),
    "a copy key without its public half": (
        gone("frontend-0", f"{HOME}/id_ed25519.pub"),
        {("frontend-0", "reachable", UNPREPARED)},
        "connect-frontend-0",
    ),
    "a lost runner": (
        gone("frontend-0", f"{HOME}/task"),
        {("frontend-0", "reachable", UNPREPARED)},
        "connect-frontend-0",
    ),
    "a lost list-maker of the copy": (
        gone("frontend-0", f"{HOME}/manifest"),
        {("frontend-0", "reachable", UNPREPARED)},
        "connect-frontend-0",
    ),
    "copy lines that are gone from the primary": (
        writes("backend-0", "home/.ssh/authorized_keys", "ssh-ed25519 AAAA operator\n"),
        {("backend-0", "credentials", SHUT)},
        "push-jobs-share-backend-0",
    ),
    "an authorized_keys of the primary that is gone": (
        gone("backend-0", "home/.ssh/authorized_keys"),
        {("backend-0", "credentials", SHUT)},
        "push-jobs-share-backend-0",
    ),
    "what the copy lines run, gone from the primary": (
        gone("backend-0", f"{HOME}/shared-files"),
        {("backend-0", "credentials", SHUT)},
        "push-jobs-share-backend-0",
    ),
    "package files of older versions": (
        writes("frontend-1", "home/chef-rollout-000000000000-opscode-push-jobs-server_1.1.6-1_amd64.deb", PACKAGES[0]),
        {("frontend-1", "package", "1 package files of other versions are in the home of ubuntu")},
        "find . -maxdepth 1 -name",
    ),
    "a half-installed package": (
        writes("frontend-1", f"dpkg/{PACKAGES[0]}", "install reinstreq half-installed 2.2.9-1"),
        {("frontend-1", "package", "opscode-push-jobs-server is none, not 2.2.8-1")},
        "push-jobs-install-frontend-1",
    ),
    "a package that was not configured to its end": (
        writes("frontend-1", f"dpkg/{PACKAGES[0]}", "install ok half-configured 2.2.8-1"),
        {("frontend-1", "package", "opscode-push-jobs-server is none, not 2.2.8-1")},
        "push-jobs-install-frontend-1",
    ),
    "the disk of another server": (
        cloned,
        {("frontend-1", "reachable", "it has the copy key of frontend-0")},
        "sudo rm /var/lib/chef-rollout/id_ed25519",
    ),
    "a server that calls itself otherwise": (
        writes("frontend-1", "hostname", "Web.other.test.\n"),
        {("frontend-1", "settings", "it calls itself web.other.test, not frontend-1.chef.test")},
        "hostname -f",
    ),
    "two servers that are one machine": (
        one_machine,
        {
            ("frontend-0", "reachable", "another stack, or another server of this stack, has set it up since"),
            ("frontend-1", "reachable", "it has the copy key of frontend-0: they are one machine"),
            ("frontend-0", "settings", "it calls itself frontend-1.chef.test"),
        },
        "sudo rm /var/lib/chef-rollout/id_ed25519",
    ),
}


@pytest.mark.parametrize("state", STATES)
def test_a_state_that_was_planted_is_found_and_what_mends_it_is_told(state: str, disks: Disks) -> None:
    plant, told, mends = STATES[state]
    plant(disks)
    findings = seen(disks).findings
    assert {(one.server, one.check) for one in findings} >= {(server, check) for server, check, _ in told}
    for server, check, words in told:
        assert any((one.server, one.check) == (server, check) and words in one.text for one in findings), words
    extra = {(one.server, one.check) for one in findings} - {(server, check) for server, check, _ in told}
    assert not extra, "nothing else is told"
    assert any(mends in text for one in findings for text in (*one.commands, *map(str, one.repair)))


def test_links_to_what_is_there_are_no_drift(disks: Disks, tmp_path: Path) -> None:
    """Their own mode is 0777, and their owner whoever made them."""
    disk = disks["backend-0"]
    shutil.move(disk.path(KEY), tmp_path / "elsewhere.pem")
    disk.path(KEY).symlink_to(tmp_path / "elsewhere.pem")
    folder = disks["frontend-0"].path(ETC)
    shutil.move(folder, tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    assert seen(disks).findings == ()
