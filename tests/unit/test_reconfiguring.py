"""What reconfigure of push jobs finds prepared, and what it leaves: the script on a folder that stands for the disk."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from chef_push_jobs import scripts
from chef_push_jobs.scripts import InTurn, Script

PLACES = (
    "/etc/opscode-push-jobs-server",
    "/opt/opscode/sv",
    "/opt/opscode/embedded/bin",
    "/var/opt/opscode-push-jobs-server",
    "/var/opt/opscode/",
)
AS_MASTER = (scripts.restart_pushy([10000]), scripts.test(10000, 10003))
DOWN = "opt/opscode/sv/opscode-pushy-server/down"
BOOTSTRAPPED = "var/opt/opscode-push-jobs-server/bootstrapped"
APP, SYS = (
    f"var/opt/opscode-push-jobs-server/opscode-pushy-server/{name}" for name in ("etc/app.config", "sys.config")
)


def reconfigured(disk: Path, status: str | None = None, *there: str) -> set[str]:
    """Which of the files are there after it."""
    files = dict.fromkeys(there, "")
    if status:
        files["var/opt/opscode/keepalived/current_cluster_status"] = f"{status}\n"
    for name in ("home/x", "etc/opscode-push-jobs-server/x", *files):
        (disk / name).parent.mkdir(parents=True, exist_ok=True)
        (disk / name).write_text(files.get(name, ""))
    (disk / "bin").mkdir()
    (disk / "bin/opscode-push-jobs-server-ctl").write_text("#!/bin/sh\n")
    (disk / "bin/chef-server-ctl").write_text("#!/bin/sh\necho 'run: postgresql: (pid 7) 1s'\n")
    (disk / "opt/opscode/embedded/bin").mkdir(parents=True, exist_ok=True)
    (disk / "opt/opscode/embedded/bin/chpst").write_text("#!/bin/sh\n")
    for command in (*(disk / "bin").iterdir(), disk / "opt/opscode/embedded/bin/chpst"):
        command.chmod(0o755)
    script = scripts.reconfigure_push_jobs().text.replace(scripts.HOME, str(disk / "home"))
    for place in PLACES:
        script = script.replace(place, f"{disk}{place}")
    environment = {**os.environ, "PATH": f"{disk}/bin:{os.environ['PATH']}"}
    subprocess.run(["sh"], input=script, text=True, env=environment, check=True)
    return {name for name in (DOWN, BOOTSTRAPPED, APP, SYS) if (disk / name).exists()}


@pytest.mark.parametrize(
    ("status", "there", "left"),
    [
        ("backup", (), {DOWN, BOOTSTRAPPED}),
        ("backup", (BOOTSTRAPPED,), {BOOTSTRAPPED}),
        ("master", (), set()),
        (None, (), set()),
    ],
)
def test_a_standby_is_marked_so_that_the_first_reconfigure_does_not_start_the_service(
    tmp_path: Path, status: str | None, there: tuple[str, ...], left: set[str]
) -> None:
    assert reconfigured(tmp_path, status, *there) == left


def test_what_the_first_generation_was_started_with_goes_once_the_second_has_its_own(tmp_path: Path) -> None:
    assert reconfigured(tmp_path / "1", None, APP) == {APP}
    assert reconfigured(tmp_path / "2", None, APP, SYS) == {SYS}


@pytest.mark.parametrize(
    ("then", "reconfigures", "says"),
    [
        # Its volume is with the other backend, from which it was cut off.
        ("exit 0", False, "chef-server-ctl master-recover"),
        # It was rebooted, and the other backend has taken over.
        ("echo backup > {status}", True, "waiting for it, or for another master"),
    ],
)
# The supervisor starts a database without data again and again, and says `run` each time.
@pytest.mark.parametrize("supervisor", ["down: postgresql: 9s", "run: postgresql: (pid 7) 0s"])
def test_a_master_without_its_database_waits_until_it_has_it_or_is_no_master(
    tmp_path: Path, then: str, reconfigures: bool, says: str, supervisor: str
) -> None:
    status = tmp_path / "var/opt/opscode/keepalived/current_cluster_status"
    for name, script in {
        "chef-server-ctl": f"echo '{supervisor}'",
        "opt/opscode/embedded/bin/chpst": "echo no server is running on that socket >&2; exit 2",
        "opscode-push-jobs-server-ctl": f"touch {tmp_path}/reconfigured",
        "sleep": then.format(status=status),
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    for folder in (status.parent, tmp_path / "etc/opscode-push-jobs-server", tmp_path / "home"):
        folder.mkdir(parents=True)
    status.write_text("master\n")
    script = scripts.reconfigure_push_jobs().text.replace(scripts.HOME, str(tmp_path / "home"))
    for place in PLACES:
        script = script.replace(place, f"{tmp_path}{place}")
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["sh"], input=script, text=True, env=environment, capture_output=True, check=False)
    assert (done.returncode == 0) == reconfigures
    assert says in done.stdout
    assert (tmp_path / "reconfigured").exists() == reconfigures


ADDRESS = "10.0.15.254"
CONFIGURATION = f"vrrp_instance PC_VI {{\n  virtual_ipaddress {{\n    {ADDRESS} dev eth0\n  }}\n}}\n"


@pytest.mark.parametrize(
    ("current", "requested", "here", "then", "reconfigures"),
    [
        (None, None, False, "exit 9", True),  # the first reconfigure
        ("backup", "backup", False, "exit 9", True),
        ("backup", "master", False, "exit 9", True),
        ("master", "master", True, "exit 9", True),
        ("master", "backup", True, "echo backup > {current}", True),
        ("master", "master", False, "echo backup > {current}", True),  # rebooted; the other backend has taken over
        ("master", "master", False, "touch {here}", True),  # rebooted; nobody has taken over
        ("master", "master", False, "exit 0", False),
        ("master", "backup", True, "exit 0", False),
    ],
)
def test_chef_server_is_not_reconfigured_on_a_master_that_may_be_none(
    tmp_path: Path, *, current: str | None, requested: str | None, here: bool, then: str, reconfigures: bool
) -> None:
    done = on_backend(
        tmp_path,
        scripts.reconfigure_chef_server(license_accepted=False, include=None),
        here=here,
        then=then,
        current=current,
        requested=requested,
    )
    assert (done.returncode == 0) == reconfigures
    assert (tmp_path / "called").exists() == reconfigures
    assert reconfigures or "sudo chef-server-ctl ha-status" in done.stderr


@pytest.mark.parametrize(
    "script", [scripts.restart_pushy([10000]), scripts.test(10000, 10003)], ids=lambda one: one.name
)
def test_push_jobs_is_neither_restarted_nor_tested_on_a_master_that_may_be_none(tmp_path: Path, script: Script) -> None:
    done = on_backend(tmp_path, script, here=False, then="exit 0", current="master", requested="master")
    assert done.returncode != 0
    assert "sudo chef-server-ctl ha-status" in done.stderr
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize(
    "script", [scripts.restart_pushy([10000]), scripts.test(10000, 10003)], ids=lambda one: one.name
)
def test_a_backend_that_was_master_before_its_reboot_is_a_standby_to_the_restart_and_the_test(
    tmp_path: Path, script: Script
) -> None:
    done = on_backend(
        tmp_path, script, here=False, then="echo backup > {current}", current="master", requested="master"
    )
    assert done.returncode == 0
    assert "this backend is backup, not master" in done.stdout


def on_backend(
    root: Path, script: Script | InTurn, *, here: bool, then: str, **statuses: str | None
) -> subprocess.CompletedProcess[str]:
    """Runs it where keepalived notes these statuses and has the address `here` or not. `then` happens at a wait."""
    keepalived = root / "var/opt/opscode/keepalived"
    (keepalived / "etc").mkdir(parents=True, exist_ok=True)
    (keepalived / "etc/keepalived.conf").write_text(CONFIGURATION)
    for name, status in statuses.items():
        if status:
            (keepalived / f"{name}_cluster_status").write_text(f"{status}\n")
    if here:
        (root / "here").touch()
    paths = {"current": keepalived / "current_cluster_status", "here": root / "here"}
    for name, commands in {
        "ip": f"echo '2: eth0 inet 10.0.0.5/20'; [ ! -e {root}/here ] || echo '2: eth0    inet {ADDRESS}/32'",
        "sleep": then.format(**paths),
        "chef-server-ctl": f"[ $1 = status ] || touch {root}/called",
        "opscode-push-jobs-server-ctl": f"touch {root}/called",
    }.items():
        (root / name).write_text(f"#!/bin/sh\n{commands}\n")
        (root / name).chmod(0o755)
    text = script.text.replace("/var/opt/opscode/", f"{root}/var/opt/opscode/")
    environment = {**os.environ, "PATH": f"{root}:{os.environ['PATH']}"}
    return subprocess.run(["sh"], input=text, text=True, env=environment, capture_output=True, check=False)


@pytest.mark.parametrize(
    ("changed", "fails_over", "failing", "restarted"),
    [
        (True, False, "", True),
        (False, False, "", False),
        (True, True, "", False),
        (True, False, "reconfigure", False),
        (True, False, "restart", True),
    ],
    ids=["it was replaced", "it is the same", "services start at a failover", "not reconfigured", "not restarted"],
)
def test_chef_servers_services_are_restarted_once_when_its_secrets_have_been_replaced(
    tmp_path: Path, changed: bool, fails_over: bool, failing: str, restarted: bool
) -> None:
    mark = tmp_path / "home/chef-secrets-changed"
    mark.parent.mkdir()
    if changed:
        mark.touch()
    if fails_over:
        (tmp_path / "var/opt/opscode/keepalived").mkdir(parents=True)
        (tmp_path / "var/opt/opscode/keepalived/current_cluster_status").write_text("backup\n")
    (tmp_path / "chef-server-ctl").write_text(f"#!/bin/sh\necho $* >> {tmp_path}/calls\n[ $1 != '{failing}' ]\n")
    (tmp_path / "chef-server-ctl").chmod(0o755)
    script = scripts.reconfigure_chef_server().text.replace(scripts.HOME, str(mark.parent))
    script = script.replace("/var/opt/opscode/", f"{tmp_path}/var/opt/opscode/")
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["sh"], input=script, text=True, env=environment, check=False)
    assert (done.returncode != 0) == bool(failing)
    assert (tmp_path / "calls").read_text().split() == ["reconfigure"] + ["restart"] * restarted
    assert mark.exists() == bool(failing)


def test_a_state_of_keepalived_that_cannot_be_read_is_no_master(tmp_path: Path) -> None:
    for number, script in enumerate(AS_MASTER):
        root = tmp_path / str(number)
        (root / "var/opt/opscode/keepalived/current_cluster_status").mkdir(parents=True)
        done = on_backend(root, script, here=True, then="exit 1")
        assert done.returncode != 0
        assert not (root / "called").exists()


def test_a_backend_whose_keepalived_has_no_state_yet_is_no_master(tmp_path: Path) -> None:
    for number, script in enumerate(AS_MASTER):
        (tmp_path / str(number)).mkdir()
        done = on_backend(tmp_path / str(number), script, here=True, then="exit 1", current=None)
        assert "this backend is without a state of keepalived, not master" in done.stdout
        assert not (tmp_path / str(number) / "called").exists()


def test_a_failed_reconfigure_of_push_jobs_ends_with_its_own_exit_status(tmp_path: Path) -> None:
    for folder in ("etc/opscode-push-jobs-server", "home", "bin"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "bin/opscode-push-jobs-server-ctl").write_text("#!/bin/sh\nexit 9\n")
    (tmp_path / "bin/opscode-push-jobs-server-ctl").chmod(0o755)
    script = scripts.reconfigure_push_jobs().text.replace(scripts.HOME, str(tmp_path / "home"))
    for place in PLACES:
        script = script.replace(place, f"{tmp_path}{place}")
    environment = {**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    assert subprocess.run(["sh"], input=script, text=True, env=environment, check=False).returncode == 9
