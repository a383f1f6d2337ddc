"""Scripts that wait, beside stand-ins of the server's tools: what they take for an answer, when they give up."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from chef_push_jobs import scripts
from chef_push_jobs.scripts import InTurn, Script

# As in iproute2 4.3 (Ubuntu 16.04): the head line cannot be left out. Only port 10000 is listened on.
OLD_SS = """\
case $1 in *H*) echo "ss: invalid option -- 'H'" >&2; exit 255 ;; esac
echo 'State      Recv-Q Send-Q Local Address:Port               Peer Address:Port'
case $2 in "sport = :10000") echo 'LISTEN     0      128          *:10000                    *:*' ;; esac
"""
# Time passes only where something waits, and somebody sets the other clock all the while.
PASSES = 'echo "$(($(cut -d " " -f 1 clock) + {})) 0" > clock'
CLOCK = {"date": "echo $$", "sleep": PASSES.format("$1")}
SILENT = f'{PASSES.format(10)}; echo "curl: (28) timed out"; exit 28'
REFUSED = 'echo "curl: (7) refused"; exit 7'


def run(
    script: Script | InTurn, folder: Path, tools: Mapping[str, str], places: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """With a folder that stands for the server's /var, `places` for others, and each tool a line of shell."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "clock").write_text("0 0\n")
    for name, does in tools.items():
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{does}\n")
        (folder / "bin" / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}"}
    text = script.text.replace("/var/", f"{folder}/var/").replace("/proc/uptime", f"{folder}/clock")
    for place, stands_in in (places or {}).items():
        text = text.replace(place, stands_in)
    return subprocess.run(
        ["sh"], input=text, text=True, cwd=folder, env=environment, capture_output=True, check=False, timeout=60
    )


def test_a_port_that_is_listened_on_is_found_by_an_ss_that_always_prints_its_head_line(tmp_path: Path) -> None:
    done = run(scripts.probe("5e", [], [10000, 10002], {}, "ubuntu"), tmp_path, {"ss": OLD_SS})
    assert [line for line in done.stdout.splitlines() if line.startswith("listens")] == ["listens\t10000"]


@pytest.mark.parametrize(("port", "status"), [(10000, 0), (10002, 1)])
def test_the_restart_waits_until_the_service_listens_also_by_such_an_ss(tmp_path: Path, port: int, status: int) -> None:
    tools = {"ss": OLD_SS, "chef-server-ctl": ":", "sleep": "exit 1"}
    done = run(scripts.restart_pushy([port]), tmp_path, tools)
    assert (done.returncode, done.stderr) == (status, "")


@pytest.mark.parametrize("answer", [SILENT, REFUSED], ids=["silent", "refused"])
def test_a_test_gives_the_api_five_minutes_by_the_clock_however_long_each_try_takes(
    tmp_path: Path, answer: str
) -> None:
    tools = {"curl": answer, "hostname": "echo one.chef.test", "dpkg-query": "echo 2.2.8", **CLOCK}
    done = run(scripts.test(10000, 10002), tmp_path, tools)
    assert done.returncode == 1
    assert done.stdout.startswith("https://one.chef.test/_status does not respond to this backend within 300 s: curl")
    assert "\nRule: " in done.stdout and "\nDo:   " in done.stdout
    assert 300 <= int((tmp_path / "clock").read_text().split()[0]) <= 311


def test_a_keepalived_that_does_not_decide_is_told_of_with_what_it_said(tmp_path: Path) -> None:
    status = tmp_path / "var/opt/opscode/keepalived"
    status.mkdir(parents=True)
    (status / "requested_cluster_status").write_text("master\n")
    wait = Script("wait-for-keepalived", {"seconds": "0"})
    done = run(wait, tmp_path, {"chef-server-ctl": "echo no master", **CLOCK})
    assert done.returncode == 1
    assert "requested master for this backend, which is nothing" in done.stdout
    assert "\nno master\n" in done.stdout
    assert "\nRule: " in done.stdout and "\nDo:   " in done.stdout


@pytest.mark.parametrize("dated", [-7200, 7200], ids=["set forward", "set back"])
def test_how_long_a_backend_is_standby_is_counted_whatever_the_clock_is_set_to(tmp_path: Path, dated: int) -> None:
    folder = tmp_path / "var/opt/opscode/keepalived"
    folder.mkdir(parents=True)
    for name in ("requested", "current"):
        file = folder / f"{name}_cluster_status"
        file.write_text("backup\n")
        os.utime(file, (time.time() + dated, time.time() + dated))
    done = run(Script("wait-for-keepalived", {"seconds": "10"}), tmp_path, {"sleep": PASSES.format("$1")})
    assert done.stdout == "keepalived made this backend backup\n"
    assert (tmp_path / "clock").read_text().split()[0] == "10"


@pytest.mark.parametrize(
    ("accepted", "include", "told", "status"),
    [
        (False, None, ["Chef server asks for its licence, which nobody has accepted on this server"], 172),
        (True, None, [], 0),
        (True, "/var/own.rb", ["{folder}/var/own.rb is missing on this server"], 1),
    ],
)
def test_chef_server_is_reconfigured_with_its_licence_accepted_and_its_files_there(
    accepted: bool, include: str | None, told: list[str], status: int, tmp_path: Path
) -> None:
    asks = 'test "${CHEF_LICENSE-}" = accept || exit 172'
    script = scripts.reconfigure_chef_server(license_accepted=accepted, include=include)
    done = run(script, tmp_path, {"chef-server-ctl": asks})
    assert done.returncode == status
    assert done.stdout.splitlines()[:1] == [line.format(folder=tmp_path) for line in told]
    assert done.stdout.count("Rule: ") == done.stdout.count("Do:   ") == len(told)


COLLIDES = "PG::InternalError: ERROR:  tuple concurrently updated"


@pytest.mark.parametrize(
    ("failures", "message", "tries", "status"),
    [(2, COLLIDES, 3, 0), (9, COLLIDES, 5, 1), (1, "PG::ConnectionBad", 1, 1)],
)
def test_a_reconfigure_that_met_another_one_in_the_database_tries_again_a_few_times(
    failures: int, message: str, tries: int, status: int, tmp_path: Path
) -> None:
    (tmp_path / "var/lib/chef-rollout").mkdir(parents=True)
    (tmp_path / "etc").mkdir()
    ctl = f"echo try >> tries; [ $(wc -l < tries) -gt {failures} ] && exit 0; echo '{message}'; exit 1"
    tools = {"opscode-push-jobs-server-ctl": f"cd {tmp_path}; {ctl}", "sleep": ":"}
    places = {"/etc/opscode-push-jobs-server": f"{tmp_path}/etc"}
    done = run(scripts.reconfigure_push_jobs(), tmp_path, tools, places)
    assert done.returncode == status
    assert len((tmp_path / "tries").read_text().splitlines()) == tries
    assert not list((tmp_path / "var/lib/chef-rollout").iterdir()), "nothing is left"
