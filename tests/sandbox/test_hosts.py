"""Hosts as an operator meets them: real SSH, real packages, real packets between them; and what they must not reach."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox.hosts import network
from sandbox.hosts.host import HostError, HostSpec
from sandbox.hosts.nftables import Rule, ruleset
from sandbox.processes import SandboxError, inside
from tests.sandbox.conftest import Lab, until

EVERYTHING = [Rule("-1", None, None, ("0.0.0.0/0",))]
FQDN_SCRIPT = """#!/bin/sh
set -eu
hostname b0.example.com
echo b0.example.com >/etc/hostname
echo "127.0.1.1 b0.example.com b0" >>/etc/hosts
echo again >>/root/runs
echo said
"""
CONTROL = """Package: {name}
Version: 1.0
Architecture: all
Maintainer: Nobody <nobody@example.com>
Depends: python3
Description: A package of a test
"""


def spec(number: int, user_data: str = "", name: str = "", firewall: str = "") -> HostSpec:
    return HostSpec(f"i-{number:04x}", name, f"10.0.1.{number}", 24, "base", "", user_data, firewall=firewall)


def test_the_login_user_comes_in_by_key_and_is_root_by_sudo_without_a_password(lab: Lab) -> None:
    lab.boot(spec(10))
    done = lab.ssh("ubuntu@10.0.1.10", "id -un; sudo -n id -un; sudo -n printenv PATH; printenv PATH")
    user, root, sudo_path, path = done.stdout.splitlines()
    assert (user, root) == ("ubuntu", "root")
    assert "/usr/sbin" in sudo_path.split(":"), "tools of administrators are found under sudo"
    assert "/usr/sbin" in path.split(":"), "as on Ubuntu"


def test_a_login_gets_nothing_of_the_environment_that_the_sandbox_was_started_in(lab: Lab) -> None:
    os.environ["OF_THIS_MACHINE"] = "seen"
    try:
        lab.boot(spec(10))
    finally:
        del os.environ["OF_THIS_MACHINE"]
    everything = lab.ssh("ubuntu@10.0.1.10", "env; sudo cat /proc/1/environ").stdout
    assert "LANG=C.UTF-8" in everything, "pid 1's environment was read"
    assert "OF_THIS_MACHINE" not in everything


@pytest.mark.parametrize(
    ("login", "options"),
    [
        ("root@10.0.1.10", ()),
        ("ubuntu@10.0.1.10", ("-o", "PreferredAuthentications=password", "-o", "NumberOfPasswordPrompts=0")),
        ("ubuntu@10.0.1.10", ("-o", "PreferredAuthentications=keyboard-interactive")),
    ],
)
def test_nobody_comes_in_as_root_or_without_a_key(lab: Lab, login: str, options: tuple[str, ...]) -> None:
    lab.boot(spec(10))
    lab.output("i-000a", "mkdir -p /root/.ssh; cp /home/ubuntu/.ssh/authorized_keys /root/.ssh/")
    done = lab.ssh(login, "true", *options)
    assert done.returncode == 255
    assert "Permission denied (publickey)" in done.stderr


def test_user_data_runs_at_the_first_boot_and_never_again(lab: Lab) -> None:
    host = lab.boot(spec(10, FQDN_SCRIPT))
    assert lab.output(host, "cloud-init status --wait") == "status: done"
    assert lab.output(host, "hostname; hostname -f").split() == ["b0.example.com", "b0.example.com"]
    assert lab.output(host, "cat /var/log/cloud-init-output.log") == "said"
    lab.hosts.reboot(host)
    assert lab.output(host, "cloud-init status --wait") == "status: done"
    assert lab.output(host, "hostname") == "b0.example.com", "the name is kept"
    assert lab.output(host, "cat /root/runs") == "again", "it ran once"
    assert lab.output(host, "ls /var/lib/cloud/instance/boot-finished")


def test_user_data_that_fails_is_told_by_cloud_init_also_after_a_reboot(lab: Lab) -> None:
    host = lab.boot(spec(10, "#!/bin/sh\necho broken >&2\nexit 3\n"))
    for _ in range(2):
        done = lab.shell(host, "cloud-init status --wait")
        assert (done.returncode, done.stdout) == (1, "status: error\n")
        lab.hosts.reboot(host)
    assert "broken\nuser data failed: exit status 3" in lab.output(host, "cat /var/log/cloud-init-output.log")


def test_cloud_init_waits_for_user_data_while_ssh_is_open_already(lab: Lab) -> None:
    host = lab.boot(spec(10, "#!/bin/sh\nwhile [ ! -e /tmp/go ]; do sleep 0.05; done\n"))
    assert lab.ssh("ubuntu@10.0.1.10", "cloud-init status").stdout == "status: running\n"
    threading.Timer(0.3, lambda: lab.output(host, "touch /tmp/go")).start()
    assert lab.output(host, "cloud-init status --wait") == "status: done"


def test_user_data_that_is_no_script_is_refused_and_leaves_nothing(lab: Lab) -> None:
    with pytest.raises(HostError, match=r'must be a script, starting with "#!"'):
        lab.boot(spec(10, "#cloud-config\n"))
    assert "i-000a" not in [status.id for status in lab.hosts.list()]


def test_ids_addresses_and_images_that_cannot_be_are_refused_and_leave_nothing(lab: Lab) -> None:
    lab.boot(spec(10))
    before = (network.namespaces(lab.sandbox), lab.hosts.list())
    for wrong, message in [
        (spec(10), "exists already"),
        (HostSpec("i-other", "", "10.0.1.10", 24, "base"), "is that of host i-000a"),
        (HostSpec("i-other", "", "10.0.1.11", 24, "windows"), "there is no image windows"),
    ]:
        with pytest.raises(HostError, match=message):
            lab.hosts.boot(wrong)
    assert (network.namespaces(lab.sandbox), lab.hosts.list()) == before


def test_the_newest_host_of_a_name_is_the_one_that_is_meant(lab: Lab) -> None:
    lab.boot(spec(10, name="backend-0"))
    lab.boot(spec(11, name="backend-0"))
    assert lab.output("backend-0", "hostname -I") == "10.0.1.11"
    assert lab.output("i-000a", "hostname -I") == "10.0.1.10"
    with pytest.raises(HostError, match="there is no host backend-7"):
        lab.hosts.exec("backend-7", ["true"])


def test_each_login_is_a_line_in_the_hosts_ssh_log(lab: Lab) -> None:
    host = lab.boot(spec(10))
    for _ in range(2):
        assert lab.ssh("ubuntu@10.0.1.10", "true").returncode == 0
    assert lab.output(host, "grep -c 'Accepted publickey for ubuntu from 10.8.0.10' /var/log/sshd.log") == "2"


def test_rc_local_runs_at_each_boot_if_it_can(lab: Lab) -> None:
    host = lab.boot(spec(10))
    lab.output(host, "printf '#!/bin/sh\\necho up >>/root/boots\\n' >/etc/rc.local")
    lab.hosts.reboot(host)
    lab.output(host, "cloud-init status --wait; test ! -e /root/boots; chmod +x /etc/rc.local")
    for boots in (1, 2):
        lab.hosts.reboot(host)
        assert lab.output(host, "cloud-init status --wait; cat /root/boots").count("up") == boots


def test_a_host_sees_no_file_process_or_device_of_this_machine(lab: Lab, tmp_path: Path) -> None:
    host = lab.boot(spec(10))
    secret = lab.sandbox.operator_key.read_text().splitlines()[2]
    for path in (lab.sandbox.operator_key, lab.sandbox.run, tmp_path, Path(__file__)):
        assert lab.shell(host, f"ls {path}").returncode != 0, f"{path} is visible"
    assert lab.shell(host, f"grep -rsF -- '{secret}' /etc /home /root /opt /var /run /tmp /usr/local").returncode == 1
    assert lab.output(host, "find /usr/local /opt /srv /sys /boot /media /mnt -type f | xargs") == ""
    assert lab.output(host, "ls -A /root | xargs") == ".bashrc .profile", "as Debian makes it"
    names = lab.output(host, "ls /dev").split()
    assert names == [
        "fd",
        "full",
        "null",
        "ptmx",
        "pts",
        "random",
        "shm",
        "stderr",
        "stdin",
        "stdout",
        "tty",
        "urandom",
        "zero",
    ]
    processes = lab.output(host, "cloud-init status --wait >/dev/null; ps -eo comm= | sort | xargs").split()
    assert set(processes) <= {"init", "sshd", "sleep", "sh", "ps", "sort", "xargs"}, "only its own processes"
    humans = [line.split(":")[0] for line in lab.output(host, "cat /etc/passwd").splitlines() if "/home/" in line]
    assert humans == ["ubuntu"]


@pytest.mark.parametrize(
    "attempt",
    [
        "mount -t tmpfs tmpfs /mnt",
        "mount -t devtmpfs dev /mnt",
        "mknod /root/disk b 254 0",
        "echo core >/proc/sys/kernel/core_pattern",
        "echo 1 >/proc/sys/kernel/pid_max",
        "date -s 2001-01-01",
        "umount /proc/sys",
        "nsenter --target 1 --mount true",
        "unshare --mount true",
        "chroot /proc/1/cwd/../../.. ls /work",
    ],
)
def test_root_of_a_host_has_no_way_to_this_machine(lab: Lab, attempt: str) -> None:
    lab.boot(spec(10))
    assert lab.hosts.exec("i-000a", ["sh", "-c", attempt]).returncode != 0
    assert lab.ssh("ubuntu@10.0.1.10", f"sudo sh -c '{attempt}'").returncode not in (0, 255)


def test_what_one_host_writes_no_other_one_sees(lab: Lab) -> None:
    for number in (10, 11):
        lab.boot(spec(number))
    lab.output("i-000a", "echo x | tee /usr/bin/mine /etc/mine /home/ubuntu/mine /var/mine")
    for path in ("/usr/bin/mine", "/etc/mine", "/home/ubuntu/mine", "/var/mine"):
        assert lab.shell("i-000b", f"ls {path}").returncode != 0
        assert not Path(path).exists()
    keys = {lab.output(host, "cat /etc/ssh/ssh_host_ed25519_key.pub") for host in ("i-000a", "i-000b")}
    assert len(keys) == 2, "each host has a host key of its own"


def test_pid_1_of_a_host_reaps_what_is_left_to_it(lab: Lab) -> None:
    host = lab.boot(spec(10))
    lab.output(host, "for n in 1 2 3; do setsid sh -c 'sleep 0.1 & exit' & done; wait")
    until(lambda: "Z" not in lab.output(host, "ps -eo stat=") and "sleep 0.1" not in lab.output(host, "ps -eo args="))


def test_a_host_blocks_no_signal_though_who_boots_it_does_as_the_cloud(lab: Lab) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
    try:
        host = lab.boot(spec(10))
        assert signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, []), "the caller's own mask is as before"
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    blocked = lab.output(host, "grep -h SigBlk $(pgrep -x sleep | sed 's,.*,/proc/&/status,')").split()[-1]
    assert int(blocked, 16) == 0


def test_a_reboot_keeps_files_and_host_key_and_ends_every_process(lab: Lab) -> None:
    host = lab.boot(spec(10))
    lab.output(host, "echo kept >/root/file; echo gone >/tmp/file")
    key = lab.output(host, "cat /etc/ssh/ssh_host_ed25519_key.pub")
    lab.listen(host, 9000)
    lab.hosts.reboot(host)
    assert lab.output(host, "cat /root/file /etc/ssh/ssh_host_ed25519_key.pub") == f"kept\n{key}"
    assert lab.shell(host, "ls /tmp/file").returncode != 0
    assert not lab.reaches(host, "127.0.0.1", 9000)
    assert lab.ssh("ubuntu@10.0.1.10", "true").returncode == 0


def test_a_terminated_host_leaves_nothing_and_its_address_is_free_for_the_next_one(lab: Lab) -> None:
    before = (network.namespaces(lab.sandbox), _links(lab))
    for _ in range(2):
        host = lab.boot(spec(10))
        assert lab.reaches("client-0", "10.0.1.10", 22), "neighbours reach the new host at once"
        namespace = lab.sandbox.namespace_path(lab.sandbox.namespace(host))
        processes = inside([namespace])
        assert processes
        lab.hosts.terminate(host)
        lab.hosts.terminate(host)
        assert not [process for process in processes if process.alive]
        assert not lab.sandbox.host(host).exists()
        assert (network.namespaces(lab.sandbox), _links(lab)) == before


def _links(lab: Lab) -> list[str]:
    command = [*network.enter(lab.sandbox.router), "ip", "-o", "link"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return sorted(line.split()[1] for line in done.stdout.splitlines())


def test_a_host_whose_init_is_killed_is_dead_until_it_is_booted_again(lab: Lab) -> None:
    host = lab.boot(spec(10))
    pid = next(status.pid for status in lab.hosts.list() if status.id == host)
    assert pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: next(status.state for status in lab.hosts.list() if status.id == host) == "dead")
    until(lambda: not inside([lab.sandbox.namespace_path(lab.sandbox.namespace(host))]))
    with pytest.raises(HostError, match="does not run"):
        lab.hosts.exec(host, ["true"])
    lab.hosts.reboot(host)
    assert lab.ssh("ubuntu@10.0.1.10", "true").returncode == 0


def test_dpkg_installs_a_package_with_dependencies_on_two_hosts_at_once(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "pkg/DEBIAN").mkdir(parents=True)
    (tmp_path / "pkg/DEBIAN/control").write_text(CONTROL.format(name="of-a-test"))
    (tmp_path / "pkg/opt").mkdir()
    (tmp_path / "pkg/opt/of-a-test").write_text("installed\n")
    package = tmp_path / "of-a-test.deb"
    subprocess.run(["dpkg-deb", "--build", tmp_path / "pkg", package], check=True, capture_output=True)

    def install(number: int) -> str:
        host = lab.boot(spec(number))
        lab.hosts.exec(host, ["sh", "-c", "cat >/tmp/p.deb"], text=False, input=package.read_bytes())
        done = lab.ssh(f"ubuntu@10.0.1.{number}", "sudo dpkg -i /tmp/p.deb && cat /opt/of-a-test && dpkg -s of-a-test")
        assert done.returncode == 0, done.stderr
        return done.stdout

    with ThreadPoolExecutor() as pool:
        for output in pool.map(install, (10, 11)):
            assert "installed\n" in output
            assert "Status: install ok installed" in output
    assert not Path("/opt/of-a-test").exists()


def test_an_image_with_a_package_in_it_is_made_once_and_hosts_of_it_have_that_package(lab: Lab) -> None:
    for number in (10, 11):
        lab.boot(HostSpec(f"i-{number:04x}", "", f"10.0.1.{number}", 24, "chef-server"))
    layer = lab.sandbox.layer("chef-server")
    for host in ("i-000a", "i-000b"):
        assert "install ok installed" in lab.output(host, "dpkg -s chef-server-core")
        assert lab.output(host, "test -x /opt/opscode/bin/chef-server-ctl; hostname").startswith("ip-10-0-1-1")
        lab.output(host, "mv /opt/opscode /opt/moved")
    assert (layer / "opt/opscode").is_dir(), "what a host does to its image's files stays on that host"
    assert lab.shell("client-0", "ls /opt/opscode").returncode != 0


# The firewall, by packets


def test_a_host_drops_what_no_rule_lets_in_and_accepts_the_rest(lab: Lab) -> None:
    rules = ruleset([Rule("tcp", 9000, 9001, ("10.1.0.0/24", "10.8.0.0/24"))], EVERYTHING)
    host = lab.boot(spec(10, firewall=rules))
    for port in (9000, 9002):
        lab.listen(host, port)
    assert lab.reaches("client-0", "10.0.1.10", 9000)
    assert not lab.reaches("client-0", "10.0.1.10", 9002), "a port of no rule"
    assert not lab.reaches("stranger-0", "10.0.1.10", 9000), "a source of no rule"
    assert not lab.reaches("client-0", "10.0.1.10", 22)
    assert lab.reaches(host, "10.0.1.10", 9002), "a host reaches itself"


def test_a_shutdown_lets_processes_end_in_order_and_a_start_finds_the_disk(lab: Lab) -> None:
    host = lab.boot(spec(10))
    orderly = "trap 'echo ended in order > /root/end; exit' TERM; : > /root/ready; while :; do sleep 0.1; done"
    lab.output(host, f"setsid sh -c '{orderly.replace(chr(39), chr(39) + chr(92) + chr(39) * 2)}' > /dev/null 2>&1 &")
    until(lambda: lab.shell(host, "test -e /root/ready").returncode == 0)
    lab.hosts.stop(host)
    assert not inside([lab.sandbox.namespace_path(lab.sandbox.namespace(host))]), "nothing runs in it"
    with pytest.raises(HostError, match="does not run"):
        lab.output(host, "true")
    lab.hosts.start(host)
    assert lab.output(host, "cat /root/end") == "ended in order"


def test_a_new_ruleset_replaces_the_old_one_at_once_and_outlives_a_reboot(lab: Lab) -> None:
    host = lab.boot(spec(10, firewall=ruleset([], [])))
    assert not lab.reaches("client-0", "10.0.1.10", 22), "closed from the first packet"
    lab.hosts.set_firewall(host, ruleset([Rule("tcp", 22, 22, ("10.1.0.10/32",))], EVERYTHING))
    for _ in range(2):
        assert lab.reaches("client-0", "10.0.1.10", 22)
        assert not lab.reaches("client-1", "10.0.1.10", 22)
        lab.hosts.reboot(host)
    lab.hosts.set_firewall(host, ruleset([], EVERYTHING))
    assert not lab.reaches("client-0", "10.0.1.10", 22)


def test_egress_rules_hold_for_what_a_host_sends(lab: Lab) -> None:
    host = lab.boot(spec(10, firewall=ruleset([], [Rule("tcp", 22, 22, ("10.1.0.10/32",))])))
    assert lab.reaches(host, "10.1.0.10", 22)
    assert not lab.reaches(host, "10.1.0.11", 22)


def test_a_ruleset_that_nft_refuses_is_an_error_and_changes_nothing(lab: Lab) -> None:
    host = lab.boot(spec(10, firewall=ruleset([], EVERYTHING)))
    with pytest.raises(SandboxError, match="nft -f -"):
        lab.hosts.set_firewall(host, "table inet security_groups\ndelete table inet security_groups\nnonsense\n")
    assert not lab.reaches("client-0", "10.0.1.10", 22)
    with pytest.raises(HostError, match="there is no host i-ffff"):
        lab.hosts.set_firewall("i-ffff", ruleset([], []))


def test_hosts_of_different_subnets_reach_each_other_and_keep_their_addresses(lab: Lab) -> None:
    lab.boot(HostSpec("i-a", "", "10.0.1.10", 24, "base"))
    lab.boot(HostSpec("i-b", "", "10.0.2.10", 24, "base"))
    assert lab.ssh("ubuntu@10.0.2.10", "echo $SSH_CONNECTION").stdout.split()[0] == "10.8.0.10"
    assert lab.reaches("i-a", "10.0.2.10", 22)
    assert lab.reaches("i-b", "10.1.0.10", 22)
    assert "from 10.0.1.10" in lab.output("i-b", "grep Connection /var/log/sshd.log")


def test_the_gateway_has_one_link_address_whatever_hosts_come_and_go(lab: Lab) -> None:
    lab.boot(spec(10))
    assert lab.reaches("i-000a", "10.1.0.10", 22)
    neighbour = lab.output("i-000a", "ip neigh show 10.0.1.1").split()
    assert network.BRIDGE_MAC in neighbour, "else hosts would send to an old one for seconds"


def test_a_host_whose_boot_fails_leaves_nothing(lab: Lab) -> None:
    before = (network.namespaces(lab.sandbox), _links(lab), lab.hosts.list())
    with pytest.raises(SandboxError, match="nft -f -"):
        lab.hosts.boot(spec(10, firewall="nonsense"))
    assert (network.namespaces(lab.sandbox), _links(lab), lab.hosts.list()) == before
    assert not lab.sandbox.host("i-000a").exists()


def test_many_hosts_boot_at_the_same_time(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    started = time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lab.boot, map(spec, range(10, 30))))
    took = time.monotonic() - started
    with capsys.disabled():
        print(f"\n20 hosts booted in {took:.2f} s")
    assert [status.state for status in lab.hosts.list() if status.id in lab.booted] == ["running"] * 20
    with ThreadPoolExecutor(20) as pool:
        assert all(pool.map(lambda number: lab.ssh(f"ubuntu@10.0.1.{number}", "true").returncode == 0, range(10, 30)))
