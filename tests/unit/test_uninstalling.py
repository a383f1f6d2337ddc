"""Push jobs leaves a server in an order that can be ended anywhere: the script on a folder that stands for its disk."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from chef_push_jobs import scripts

SERVICE = "opscode-pushy-server"
ORDER = [
    "chef-server-ctl reconfigure",
    f"chef-server-ctl graceful-kill {SERVICE}",
    "sv force-shutdown",
    "psql opscode_pushy",
    "psql opscode_pushy_ro",
    "dpkg --purge opscode-push-jobs-server",
    "chef-server-ctl hup nginx",
]
# What each tool does: `said` notes it, and ends the script where the test wants that, before it does anything.
TOOLS = {
    "chef-server-ctl": f"""
case $1 in
  status) echo "run: nginx: (pid 1) 1s"; exit ;;
  reconfigure) said chef-server-ctl reconfigure; [ -e opt/opscode/sv/{SERVICE}/keepalive_me ] ||
    : > var/opt/opscode/keepalived/bin/cluster.sh ;;
  *) said chef-server-ctl "$@" ;;
esac
[ "$1" != graceful-kill ] || [ -L "opt/opscode/service/$2" ]
""",
    "opt/opscode/embedded/bin/sv": "said sv force-shutdown; rm opt/opscode/sv/*/supervise/ok",
    "opt/opscode/embedded/bin/chpst": """
for sql; do :; done
case $sql in
  SELECT*) sql=${sql%\\'}; [ ! -e "users/${sql##*\\'}" ] || echo 1 ;;
  *) user=${sql##* }; said "psql $user"; rm "users/$user" ;;
esac
""",
    "dpkg-query": "[ -e package ]",
    "dpkg": 'said dpkg "$@"; rm package',
}


class Disk:
    def __init__(self, root: Path, ends_at: str = "") -> None:
        self.root = root
        for folder in (
            *(
                f"opt/opscode/{name}"
                for name in ("service/postgresql", "init", "embedded/bin", f"sv/{SERVICE}/supervise")
            ),
            *(f"var/opt/opscode/{name}" for name in ("keepalived/bin", "nginx/etc/addon.d")),
            *("etc/opscode-push-jobs-server", "var/opt/opscode-push-jobs-server", "home", "bin", "users"),
        ):
            (root / folder).mkdir(parents=True)
        sv = root / "opt/opscode/sv" / SERVICE
        (sv / "keepalive_me").touch()
        os.mkfifo(sv / "supervise/ok")
        (root / "opt/opscode/service" / SERVICE).symlink_to(sv)
        (root / "opt/opscode/init" / SERVICE).touch()
        (root / "var/opt/opscode/keepalived/bin/cluster.sh").write_text(f"graceful-kill {SERVICE}\n")
        (root / "var/opt/opscode/keepalived/current_cluster_status").write_text("master\n")
        (root / "var/opt/opscode/nginx/etc/addon.d/10-push_jobs_upstreams.conf").touch()
        for name in ("package", "users/opscode_pushy", "users/opscode_pushy_ro", "home/shared-files"):
            (root / name).touch()
        ends = f'if [ "$*" = "{ends_at}" ] && [ ! -e ended ]; then : > ended; exit 9; fi'
        said = f'cd {root}; said() {{ echo "$*" >> said; {ends}; }}'
        for name, does in TOOLS.items():
            tool = root / name if "/" in name else root / "bin" / name
            tool.write_text(f"#!/bin/sh\n{said}\n{does}\n")
            tool.chmod(0o755)

    def uninstall(self) -> subprocess.CompletedProcess[str]:
        script = scripts.uninstall("project stack server").text.replace(scripts.HOME, f"{self.root}/home")
        script = re.sub(r"(?<!\w)(?:(?:/var)?/opt/|/etc/)", rf"{self.root}\g<0>", script)
        environment = {**os.environ, "PATH": f"{self.root}/bin:{os.environ['PATH']}"}
        return subprocess.run(["sh"], input=script, text=True, env=environment, capture_output=True, check=False)

    def said(self) -> list[str]:
        return (self.root / "said").read_text().splitlines()

    def left(self) -> list[str]:
        """What has to do with push jobs, but for the tools."""
        found = [str(path.relative_to(self.root)) for path in self.root.rglob("*push*")]
        rest = [name for name in ("package", "home/shared-files") if (self.root / name).exists()]
        script = self.root / "var/opt/opscode/keepalived/bin/cluster.sh"
        return [*found, *rest, *([script.name] if SERVICE in script.read_text() else [])]


def test_keepalived_forgets_the_service_while_it_is_whole_and_it_ends_before_its_package_goes(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "disk")
    done = disk.uninstall()
    assert (done.returncode, done.stderr) == (0, "")
    assert disk.said() == ORDER
    assert disk.left() == []


@pytest.mark.parametrize("ends_at", ORDER)
def test_ended_anywhere_and_run_again_it_leaves_nothing_and_a_failover_goes_well_meanwhile(
    tmp_path: Path, ends_at: str
) -> None:
    disk = Disk(tmp_path / "disk", ends_at)
    assert disk.uninstall().returncode != 0
    if "cluster.sh" in disk.left():
        assert (disk.root / "opt/opscode/service" / SERVICE).is_symlink(), "what keepalived moves is there"
    assert disk.uninstall().returncode == 0
    assert disk.left() == []


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "disk")
    disk.uninstall()
    assert disk.uninstall().returncode == 0
    assert disk.said() == [*ORDER, "chef-server-ctl hup nginx"]


def test_a_standby_has_no_database_to_tidy(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "disk")
    (disk.root / "var/opt/opscode/keepalived/current_cluster_status").write_text("backup\n")
    assert disk.uninstall().returncode == 0
    assert not any(line.startswith("psql") for line in disk.said())


@pytest.mark.parametrize("linked", ["the folder", "each file"])
def test_credentials_behind_a_link_go_and_the_files_of_others_there_stay(tmp_path: Path, linked: str) -> None:
    disk, volume = Disk(tmp_path / "disk"), tmp_path / "volume"
    names = ("pushy_priv.pem", "pushy_pub.pem", "opscode-push-jobs-server-secrets.json", "opscode-push-jobs-server.rb")
    volume.mkdir()
    for name in (*names, "own"):
        (volume / name).touch()
    etc = disk.root / "etc/opscode-push-jobs-server"
    if linked == "the folder":
        etc.rmdir()
        etc.symlink_to(volume)
    else:
        for name in names:
            (etc / name).symlink_to(volume / name)
    for _ in range(2):
        assert disk.uninstall().returncode == 0
        assert [path.name for path in volume.iterdir()] == ["own"]
        assert not etc.is_symlink() and not etc.exists()
