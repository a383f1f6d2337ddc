"""The stand-in packages on real hosts: installed by dpkg, rolled out by hand as the runbook says, and made to fail.

Most hosts here are namespaces of this file's own: the packages are proven without the sandbox that uses them. Their
backends have DRBD, played by a command that does nothing and a folder that they share.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from chef_push_jobs.scripts.settings_files import DATABASE_OF_THE_MASTER
from sandbox.hosts import root_image
from sandbox.hosts.host import HostSpec
from sandbox.hosts.nftables import Rule, ruleset
from sandbox.packages.build import PACKAGES, VARIANTS, build
from tests.sandbox.conftest import Lab, until

pytestmark = pytest.mark.usefixtures("root")

VIP = "10.9.0.100"
KEEPALIVED = "/var/opt/opscode/keepalived"
STATES = ("requested", "current")
INIT = """
mount --make-rprivate /
mount -t tmpfs tmpfs {scratch}
mkdir {scratch}/upper {scratch}/work {scratch}/root
mount -t overlay overlay -o lowerdir={system},upperdir={scratch}/upper,workdir={scratch}/work {scratch}/root
cd {scratch}/root
mount -t proc proc proc
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount --rbind /dev dev
mkdir -p {shared} usr/lib/chef-sandbox/volumes
mount --bind {shared} usr/lib/chef-sandbox/volumes
mount -t sysfs sysfs sys
hostname {name}
mkdir -p run/old
printf '127.0.0.1 localhost\\n{hosts}' >etc/hosts
pivot_root . run/old
cd /
umount -l /run/old
touch /run/ready
exec /usr/bin/python3 -c '
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
while True:
    signal.sigwait([signal.SIGCHLD])
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                break
        except ChildProcessError:
            break
'
"""


CHEF_SERVER_RB = """topology "ha"
api_fqdn "chef.example.test"
server "b0.example.test", :ipaddress => "10.9.0.10", :role => "backend", :bootstrap => true
server "b1.example.test", :ipaddress => "10.9.0.11", :role => "backend"
server "f0.example.test", :ipaddress => "10.9.0.12", :role => "frontend"
backend_vip "vip.example.test", :ipaddress => "10.9.0.100", :device => "eth0", :heartbeat_device => "eth0"
"""
SETTINGS = """opscode_pushy_server['command_port'] = '10003'
opscode_pushy_server['api_port'] = '10002'
opscode_pushy_server['heartbeat_interval'] = '1000'
"""
# Without it, push jobs 2.x looks for the database at 127.0.0.1, where on a standby there is none.
DATABASE_AT_VIP = f"{DATABASE_OF_THE_MASTER}\n"
CONFIG_EXAMPLE = "GET /organization/<name>/pushy/config/<nodename> returns 200 and server config"
CHEF, PUSH = "chef-server-ctl", "opscode-push-jobs-server-ctl"
ETC, PUSH_ETC = "/etc/opscode", "/etc/opscode-push-jobs-server"
SECRETS = f"{ETC}/private-chef-secrets.json"
SERVICE = "opscode-pushy-server"
LOG = f"/var/log/opscode/{SERVICE}/current"
FILE = "/root/package.deb"
GENERATIONS = (("12.0.8", "1.1.6"), ("12.19.31", "2.2.8"))


@dataclass
class Host:
    name: str
    address: str
    network: str
    pid: int

    @property
    def fqdn(self) -> str:
        return f"{self.name}.example.test"

    def run(self, *argv: str, status: int | None = 0, stdin: bytes | None = None) -> str:
        """Run a command as root on the host; its output, once it ended with this exit status."""
        done = subprocess.run(
            [*self.enter(), *argv],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
        output = done.stdout.decode()
        unexpected = f"{self.name}: {argv} ended with {done.returncode}:\n{output}"
        assert status is None or done.returncode == status, unexpected
        return output

    def enter(self) -> list[str]:
        environment = ["env", "-i", "--chdir=/", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
        return ["nsenter", "--target", str(self.pid), "--all", *environment]

    def read(self, path: str) -> str:
        return self.run("cat", path)

    def write(self, path: str, content: str | bytes) -> None:
        self.run("dd", f"of={path}", "status=none", stdin=content.encode() if isinstance(content, str) else content)

    def tar(self, *paths: str) -> bytes:
        command = [*self.enter(), "tar", "-c", *(path.lstrip("/") for path in paths)]
        return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout

    def untar(self, archive: bytes) -> None:
        self.run("tar", "-x", "-p", "--same-owner", stdin=archive)

    def runs(self, service: str = "opscode-pushy-server") -> bool:
        return self.run("chef-server-ctl", "status", service, status=None).startswith("run:")

    def becomes(self, state: str) -> None:
        """Wait until keepalived has made this backend master or backup, and all is as it should be then."""
        wanted = f"{state}\n{state}\n"
        deadline = time.monotonic() + 60
        while self.run("cat", *(f"{KEEPALIVED}/{name}_cluster_status" for name in STATES), status=None) != wanted:
            assert time.monotonic() < deadline, self.run("cat", "/var/log/opscode/keepalived/cluster.log", status=None)
            time.sleep(0.1)

    def starts(self) -> int:
        """How often the supervisor has started the service."""
        log = self.run("cat", "/var/log/opscode/opscode-pushy-server/current", status=None)
        return log.count(f"{SERVICE}: starting")

    def settle(self, port: int = 10003) -> None:
        """Wait until the service listens."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if f":{port} " in self.run("ss", "-ltn"):
                return
            time.sleep(0.05)
        raise AssertionError(f"nothing listens on port {port} of {self.name}:\n" + self.run("ss", "-ltn"))


@contextmanager
def machines(names: tuple[str, ...], scratch: Path) -> Iterator[dict[str, Host]]:
    """Hosts in one subnet of their own; all that was made for them is gone afterwards."""
    prefix = f"pkgtest-{os.getpid()}"
    addresses = {name: f"10.9.0.{10 + number}" for number, name in enumerate(names)}
    hosts = "".join(f"{address} {name}.example.test {name}\\n" for name, address in addresses.items())
    if "f0" in addresses:
        hosts += f"{addresses['f0']} chef.example.test\\n"
    with ExitStack() as stack:
        switch = _namespace(stack, f"{prefix}-switch")
        _ip("-n", switch, "link", "add", "br0", "type", "bridge")
        _ip("-n", switch, "link", "set", "br0", "up")
        made = {}
        for name, address in addresses.items():
            network = _namespace(stack, f"{prefix}-{name}")
            _ip("-n", switch, "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", network)
            _ip("-n", switch, "link", "set", name, "master", "br0", "up")
            _ip("-n", network, "link", "set", "lo", "up")
            _ip("-n", network, "link", "set", "eth0", "up")
            _ip("-n", network, "address", "add", f"{address}/24", "dev", "eth0")
            (scratch / name).mkdir()
            made[name] = _boot(stack, Host(name, address, network, 0), scratch / name, hosts)
        yield made


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def _namespace(stack: ExitStack, name: str) -> str:
    _ip("netns", "add", name)
    stack.callback(_ip, "netns", "del", name)
    return name


def _boot(stack: ExitStack, host: Host, scratch: Path, hosts: str) -> Host:
    script = INIT.format(
        system=root_image.make(print), scratch=scratch, shared=scratch.parent / "volumes", name=host.name, hosts=hosts
    )
    enter = [
        "setpriv",
        "--pdeathsig",
        "KILL",
        "nsenter",
        f"--net=/run/netns/{host.network}",
        "unshare",
        "--mount",
        "--pid",
        "--uts",
        "--ipc",
    ]
    init = subprocess.Popen([*enter, "--fork", "--kill-child", "/bin/sh", "-euc", script])
    stack.callback(_end, init)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        children = Path(f"/proc/{init.pid}/task/{init.pid}/children").read_text(encoding="ascii").split()
        if children and Path(f"/proc/{children[0]}/root/run/ready").exists():
            return Host(host.name, host.address, host.network, int(children[0]))
        time.sleep(0.02)
    raise AssertionError(f"{host.name} did not boot")


def _end(init: subprocess.Popen[bytes]) -> None:
    init.kill()
    init.wait()


Cluster = dict[str, Host]


@pytest.fixture(scope="module")
def debs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    directory = tmp_path_factory.mktemp("packages")
    return {package.filename: build(package, directory).read_bytes() for package in (*PACKAGES, *VARIANTS)}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with machines(("b0", "b1", "f0"), tmp_path) as made:
        yield made


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Host]:
    with machines(("b0",), tmp_path) as made:
        yield made["b0"]


def install(host: Host, debs: dict[str, bytes], name: str, version: str, status: int = 0) -> str:
    host.write(FILE, debs[f"{name}_{version}-1_amd64.deb"])
    return host.run("dpkg", "--install", FILE, status=status)


def copy(source: Host, target: Host, *paths: str) -> None:
    target.untar(source.tar(*paths))


def chef_server(cluster: Cluster, debs: dict[str, bytes], version: str) -> None:
    """The Chef server's own runbook: install, configure the primary, copy /etc/opscode, configure the rest."""
    for host in cluster.values():
        host.write("/usr/sbin/drbdadm", "#!/bin/sh\n")
        host.run("chmod", "755", "/usr/sbin/drbdadm")
        install(host, debs, "chef-server-core", version)
    primary, *others = cluster.values()
    primary.write(f"{ETC}/chef-server.rb", CHEF_SERVER_RB)
    primary.run(CHEF, "reconfigure")
    primary.becomes("master")
    for host in others:
        copy(primary, host, ETC)
        host.run(CHEF, "reconfigure")
    cluster["b1"].becomes("backup")


def push_jobs(
    cluster: Cluster, debs: dict[str, bytes], version: str, *, shares: bool = True, aware: bool = True
) -> None:
    """The runbook's steps 1 to 7; without `shares` step 3 is forgotten, without `aware` step 6."""
    for host in cluster.values():
        install(host, debs, "opscode-push-jobs-server", version)
    primary, *others = cluster.values()
    settings = SETTINGS if version.startswith("1.") else SETTINGS + DATABASE_AT_VIP
    for host in cluster.values() if not shares else [primary]:
        host.run("mkdir", "-p", PUSH_ETC)
        host.write(f"{PUSH_ETC}/opscode-push-jobs-server.rb", settings)
    primary.run(PUSH, "reconfigure")
    for host in others:
        if shares:
            copy(primary, host, PUSH_ETC, SECRETS)
        host.run(PUSH, "reconfigure")
    for host in (cluster["b0"], cluster["b1"]) if aware else ():
        host.run(CHEF, "reconfigure")
    cluster["b1"].run(CHEF, "stop", SERVICE)
    primary.run(CHEF, "restart", SERVICE)
    primary.settle()


def suite(host: Host, status: int = 0) -> tuple[int, list[str]]:
    """How many examples there are, and which fail."""
    output = host.run(PUSH, "test", status=status)
    (count,) = [line.split()[0] for line in output.splitlines() if " examples, " in line]
    return int(count), [line.removeprefix("rspec # ") for line in output.splitlines() if line.startswith("rspec # ")]


def shared_secrets(host: Host) -> dict[str, dict[str, str]]:
    found = json.loads(host.run("/opt/opscode/embedded/bin/veil-dump-secrets", SECRETS))
    assert isinstance(found, dict)
    return found


def credentials(host: Host, version: str) -> dict[str, str]:
    """What all servers must have alike."""
    if version != "1.1.6":
        return shared_secrets(host)["push-jobs-server"]
    names = ["opscode-push-jobs-server-secrets.json", "pushy_priv.pem", "pushy_pub.pem"]
    return {
        name: host.run("stat", "--format", "%a %U:%G", f"{PUSH_ETC}/{name}") + host.read(f"{PUSH_ETC}/{name}")
        for name in names
    }


@pytest.mark.parametrize(("core", "version"), GENERATIONS)
def test_the_runbook_by_hand_ends_with_a_cluster_that_fails_over(
    cluster: Cluster, debs: dict[str, bytes], core: str, version: str
) -> None:
    chef_server(cluster, debs, core)
    push_jobs(cluster, debs, version)
    b0, b1, f0 = cluster.values()
    assert [host.runs() for host in cluster.values()] == [True, False, False]
    assert credentials(b0, version) == credentials(b1, version) == credentials(f0, version)
    for host in (b0, b1):
        assert SERVICE in host.read(f"{KEEPALIVED}/bin/cluster.sh")
        assert "[OK] all checks passed." in host.run(CHEF, "ha-status")
    f0.run("test", "-e", KEEPALIVED, status=1)
    for host in cluster.values():
        upstream = host.read("/var/opt/opscode/nginx/etc/addon.d/10-push_jobs_upstreams.conf")
        assert f"server {VIP}:10002;" in upstream
        host.run("test", "-f", f"{PUSH_ETC}/opscode-push-jobs-server-running.json")
    assert b0.read("/var/opt/opscode-push-jobs-server/bootstrapped") == "All your bootstraps are belong to Pushy"

    count, failed = suite(b0, status=1)
    assert count > 90
    assert failed == [f"pushy config {CONFIG_EXAMPLE}"], "the one that has the package's own ports written into it"

    b0.run(CHEF, "stop", "keepalived")
    b1.becomes("master")
    b0.becomes("backup")
    b1.settle()
    assert [host.runs() for host in cluster.values()] == [False, True, False]
    assert suite(b1, status=1)[1] == failed, "with the database that has moved"
    b0.run(CHEF, "start", "keepalived")
    time.sleep(5)
    for host, state in ((b0, "backup"), (b1, "master")):
        host.becomes(state)
        assert "[OK] all checks passed." in host.run(CHEF, "ha-status")


def test_two_backends_that_do_not_hear_each_others_vrrp_both_become_master(
    cluster: Cluster, debs: dict[str, bytes]
) -> None:
    for name in ("b0", "b1"):
        rules = "table inet f { chain input { type filter hook input priority 0; ip protocol vrrp drop; }; }"
        cluster[name].run("nft", rules)
    for host in (cluster["b0"], cluster["b1"]):
        host.write("/usr/sbin/drbdadm", "#!/bin/sh\n")
        host.run("chmod", "755", "/usr/sbin/drbdadm")
        install(host, debs, "chef-server-core", "12.0.8")
    b0, b1, _ = cluster.values()
    b0.write(f"{ETC}/chef-server.rb", CHEF_SERVER_RB)
    b0.run(CHEF, "reconfigure")
    b0.becomes("master")
    copy(b0, b1, ETC)
    b1.run(CHEF, "reconfigure")
    b1.run("sh", "-c", f"until ip -o address show dev eth0 | grep -q {VIP}/; do sleep 0.1; done")
    assert f"{VIP}/" in b0.run("ip", "-o", "address", "show", "dev", "eth0"), "the address is on both"


def test_without_drbd_a_backend_of_an_ha_cluster_is_refused(one: Host, debs: dict[str, bytes]) -> None:
    install(one, debs, "chef-server-core", "12.0.8")
    one.write(f"{ETC}/chef-server.rb", CHEF_SERVER_RB)
    assert "to use drbd you must install drbd first" in one.run(CHEF, "reconfigure", status=1)
    aws = "ha['provider'] = 'aws'\nha['ebs_volume_id'] = 'vol-1'\nha['ebs_device'] = '/dev/xvdf'\n"
    one.write(f"{ETC}/chef-server.rb", CHEF_SERVER_RB + aws)
    assert "could not find plugins: chef-ha-aws" in one.run(CHEF, "reconfigure", status=1)


def test_push_jobs_2_is_not_configured_on_a_standby_where_there_is_no_database(
    cluster: Cluster, debs: dict[str, bytes]
) -> None:
    chef_server(cluster, debs, "12.19.31")
    for host in cluster.values():
        install(host, debs, "opscode-push-jobs-server", "2.2.8")
    cluster["b0"].run(PUSH, "reconfigure")
    copy(cluster["b0"], cluster["b1"], PUSH_ETC, SECRETS)
    assert "PG::ConnectionBad: 127.0.0.1:5432" in cluster["b1"].run(PUSH, "reconfigure", status=1)


def test_with_the_packages_own_ports_the_whole_suite_passes(one: Host, debs: dict[str, bytes]) -> None:
    standalone(one, debs, "12.19.31", "2.2.8", settings="opscode_pushy_server['heartbeat_interval'] = '1000'\n")
    one.run(PUSH, "test", "-J", "/root/report.xml")
    report = ElementTree.fromstring(one.read("/root/report.xml"))  # noqa: S314 - the suite's own
    cases = report.findall("testcase")
    assert len(cases) > 90 and not report.findall("testcase/failure")
    assert any(case.get("name") == f"pushy config {CONFIG_EXAMPLE}" for case in cases)
    assert one.run(CHEF, "org-list") == "\n", "what it made is gone"
    assert one.run(CHEF, "user-list") == "pivotal\n"


def test_organizations_and_users_are_made_by_hand(one: Host, debs: dict[str, bytes]) -> None:
    standalone(one, debs, "12.19.31", "2.2.8")
    one.run(CHEF, "user-create", "alice", "Alice", "A", "alice@example.test", "secret", "-f", "/root/alice.pem")
    made = ("acme", "Acme", "--association_user", "alice", "--filename", "/root/acme.pem")
    one.run(CHEF, "org-create", *made)
    assert one.run(CHEF, "org-list") == "acme\n"
    for file in ("alice", "acme"):
        assert one.read(f"/root/{file}.pem").startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert "already exists" in one.run(CHEF, "org-create", *made, status=100)
    one.run(CHEF, "org-delete", "acme", "-y")
    assert one.run(CHEF, "org-list") == "\n"


@pytest.mark.parametrize(
    ("core", "version", "expected"),
    [
        (
            *GENERATIONS[0],
            {
                "opscode-push-jobs-server-running.json": "644 opscode:root",
                "opscode-push-jobs-server-secrets.json": "600 root:root",
                "opscode-push-jobs-server.rb": "644 root:root",
                "pedant_config.rb": "755 root:root",
                "pushy_priv.pem": "600 opscode:root",
                "pushy_pub.pem": "644 root:root",
            },
        ),
        (
            *GENERATIONS[1],
            {
                "opscode-push-jobs-server-running.json": "600 opscode:root",
                "opscode-push-jobs-server.rb": "644 root:root",
                "pedant_config.rb": "755 root:root",
            },
        ),
    ],
)
def test_reconfigure_leaves_the_files_of_its_generation(
    one: Host, debs: dict[str, bytes], core: str, version: str, expected: dict[str, str]
) -> None:
    standalone(one, debs, core, version)
    listing = one.run("find", PUSH_ETC, "-type", "f", "-printf", "%f=%m %u:%g\n").splitlines()
    assert dict(line.split("=") for line in listing) == expected
    assert one.run("stat", "--format", "%a %U:%G", PUSH_ETC, SECRETS).splitlines() == ["775 root:root", "600 root:root"]


def standalone(host: Host, debs: dict[str, bytes], core: str, version: str, settings: str = SETTINGS) -> None:
    install(host, debs, "chef-server-core", core)
    host.run(CHEF, "reconfigure")
    install(host, debs, "opscode-push-jobs-server", version)
    host.run("mkdir", "-p", PUSH_ETC)
    host.write(f"{PUSH_ETC}/opscode-push-jobs-server.rb", settings)
    host.run(PUSH, "reconfigure")
    host.settle()


def test_push_jobs_needs_a_configured_chef_server(one: Host, debs: dict[str, bytes]) -> None:
    install(one, debs, "opscode-push-jobs-server", "1.1.6")
    assert "/etc/opscode/chef-server-running.json is missing" in one.run(PUSH, "reconfigure", status=1)
    install(one, debs, "chef-server-core", "12.0.8")
    assert "/etc/opscode/chef-server-running.json is missing" in one.run(PUSH, "reconfigure", status=1)
    one.run("test", "-e", f"{PUSH_ETC}/pushy_priv.pem", status=1)


def test_a_host_of_unknown_name_is_refused_by_both(one: Host, debs: dict[str, bytes]) -> None:
    standalone(one, debs, "12.0.8", "1.1.6")
    one.write(f"{ETC}/chef-server.rb", CHEF_SERVER_RB.replace("b0.example.test", "b7.example.test"))
    assert "Please add a server section for b0.example.test" in one.run(CHEF, "reconfigure", status=1)
    running = json.loads(one.read(f"{ETC}/chef-server-running.json"))
    running["private_chef"].update(topology="tier", backend_vips={"ipaddress": VIP}, servers={"b7": {}})
    one.write(f"{ETC}/chef-server-running.json", json.dumps(running))
    assert "NoMethodError" in one.run(PUSH, "reconfigure", status=1)


def test_wrong_settings_fail_with_file_and_line(one: Host, debs: dict[str, bytes]) -> None:
    standalone(one, debs, "12.0.8", "1.1.6")
    one.write(f"{PUSH_ETC}/opscode-push-jobs-server.rb", SETTINGS + "opscode_pushy_server['x'] =\n")
    assert f"{PUSH_ETC}/opscode-push-jobs-server.rb:4: syntax error" in one.run(PUSH, "reconfigure", status=1)
    one.write(f"{ETC}/chef-server.rb", "topology standalone\n")
    assert f"{ETC}/chef-server.rb:1: syntax error" in one.run(CHEF, "reconfigure", status=1)


def test_in_a_cluster_only_the_bootstrap_backend_makes_secrets(cluster: Cluster, debs: dict[str, bytes]) -> None:
    b1 = cluster["b1"]
    install(b1, debs, "chef-server-core", "12.0.8")
    b1.write(f"{ETC}/chef-server.rb", CHEF_SERVER_RB)
    assert "please copy /etc/opscode/* around instead" in b1.run(CHEF, "reconfigure", status=44)
    b1.run("test", "-e", SECRETS, status=1)


def test_in_the_tier_topology_a_server_without_the_secrets_makes_its_own(
    cluster: Cluster, debs: dict[str, bytes]
) -> None:
    for name in ("b0", "f0"):
        install(cluster[name], debs, "chef-server-core", "12.0.8")
        tier = "\n".join(line for line in CHEF_SERVER_RB.splitlines() if '"b1' not in line)
        cluster[name].write(f"{ETC}/chef-server.rb", tier.replace('"ha"', '"tier"') + "\n")
        cluster[name].run(CHEF, "reconfigure")
    assert cluster["b0"].read(SECRETS) != cluster["f0"].read(SECRETS), "split secrets, as with the real one"


def test_credentials_of_its_own_take_a_backend_out_of_the_cluster(cluster: Cluster, debs: dict[str, bytes]) -> None:
    """Nobody sees it, until it becomes master: the database does not know its password."""
    chef_server(cluster, debs, "12.0.8")
    push_jobs(cluster, debs, "1.1.6", shares=False)
    b0, b1, _ = cluster.values()
    assert suite(b0, status=1)[1] == [f"pushy config {CONFIG_EXAMPLE}"], "the primary cannot know"
    b0.run(CHEF, "stop", "keepalived")
    b1.becomes("master")
    until(lambda: "password authentication failed" in b1.read(LOG), 20)


def test_what_starts_push_jobs_on_the_standby_and_what_that_does(cluster: Cluster, debs: dict[str, bytes]) -> None:
    chef_server(cluster, debs, "12.0.8")
    for host in cluster.values():
        install(host, debs, "opscode-push-jobs-server", "1.1.6")
    b0, b1, f0 = cluster.values()
    b0.run(PUSH, "reconfigure")
    copy(b0, b1, PUSH_ETC)
    b0.settle()
    psql = ("chpst", "-u", "opscode-pgsql", "/opt/opscode/embedded/bin/psql", "-qtA", "opscode_pushy", "-c")
    b0.run(*psql, "INSERT INTO jobs VALUES ('1', 'o', 'c', 'running', now(), now(), '{}')")
    b1.run(PUSH, "reconfigure")
    assert b1.runs(), "its first reconfigure does"
    b1.settle()
    assert b0.run(*psql, "SELECT status FROM jobs") == "crashed\n", "jobs that ran are taken for lost"
    assert "[ERROR] opscode-pushy-server is running, and I am not master." in b1.run(CHEF, "ha-status", status=7)
    b1.run(CHEF, "stop", SERVICE)
    b1.run(CHEF, "restart", SERVICE)
    assert b1.runs(), "a restart does"
    b1.run(CHEF, "stop", SERVICE)
    b0.run(CHEF, "stop", SERVICE)
    b0.run(CHEF, "reconfigure")
    assert f"[ERROR] {SERVICE} is not running, and I am master." in b0.run(CHEF, "ha-status", status=7)
    assert f0.run(CHEF, "restart", SERVICE) == "", "a frontend has no such service; the command says nothing"
    assert "keepalived HA services not enabled" in f0.run(CHEF, "ha-status", status=1)


def test_a_removed_package_leaves_its_service_and_one_without_it_aborts_the_failover(
    cluster: Cluster, debs: dict[str, bytes]
) -> None:
    chef_server(cluster, debs, "12.0.8")
    push_jobs(cluster, debs, "1.1.6")
    b0, b1, _ = cluster.values()
    for host in (b0, b1):
        host.run("dpkg", "--purge", "opscode-push-jobs-server")
        host.run("test", "-e", f"/opt/opscode/sv/{SERVICE}/keepalive_me")
    assert b0.runs(), "the process goes on"
    b1.run("rm", "-rf", f"/opt/opscode/service/{SERVICE}", f"/opt/opscode/sv/{SERVICE}", f"/opt/opscode/init/{SERVICE}")
    b0.run(CHEF, "stop", "keepalived")
    until(lambda: f"Cannot start {SERVICE}" in b1.read("/var/log/opscode/keepalived/cluster.log"), 60)
    assert b1.read(f"{KEEPALIVED}/current_cluster_status") == "backup\n", "it has requested master, and never will be"


def test_only_a_chef_reconfigure_makes_the_failover_move_push_jobs(cluster: Cluster, debs: dict[str, bytes]) -> None:
    chef_server(cluster, debs, "12.0.8")
    push_jobs(cluster, debs, "1.1.6", aware=False)
    b0, b1, _ = cluster.values()
    b0.run(CHEF, "stop", "keepalived")
    b1.becomes("master")
    b0.becomes("backup")
    assert not b1.runs(), "the scripts do not know the service"
    assert b1.runs("nginx") and not b0.runs("nginx"), "what they know has moved"


def test_a_new_bootstrap_backend_does_not_take_the_address_from_a_living_master(
    cluster: Cluster, debs: dict[str, bytes]
) -> None:
    chef_server(cluster, debs, "12.0.8")
    b0, b1, _ = cluster.values()
    b0.run(CHEF, "stop", "keepalived")
    b1.becomes("master")
    b0.becomes("backup")
    b0.run(CHEF, "reconfigure")
    b0.becomes("backup")
    assert b1.read(f"{KEEPALIVED}/current_cluster_status") == "master\n"
    assert f"{VIP}/" not in b0.run("ip", "-o", "address")


def test_the_upgrade_moves_the_credentials_to_where_the_newer_generation_keeps_them(
    one: Host, debs: dict[str, bytes]
) -> None:
    standalone(one, debs, "12.19.31", "1.1.6")
    private = one.read(f"{PUSH_ETC}/pushy_priv.pem")
    passwords = json.loads(one.read(f"{PUSH_ETC}/opscode-push-jobs-server-secrets.json"))["postgresql"]
    install(one, debs, "opscode-push-jobs-server", "2.2.8")
    one.run(PUSH, "reconfigure")
    shared = shared_secrets(one)["push-jobs-server"]
    assert shared["pushy_priv_key"] == private
    assert {name: shared[name] for name in passwords} == passwords
    for name in ("pushy_priv.pem", "pushy_pub.pem", "opscode-push-jobs-server-secrets.json"):
        one.run("test", "-e", f"{PUSH_ETC}/{name}", status=1)
    one.settle()
    assert "it's alive" in one.run("curl", "-ksf", "https://b0.example.test/pushy/_status")


def test_the_secrets_file_has_other_bytes_whenever_a_secret_is_new(one: Host, debs: dict[str, bytes]) -> None:
    standalone(one, debs, "12.19.31", "2.2.8")
    before = one.read(SECRETS)
    one.run(PUSH, "reconfigure")
    assert one.read(SECRETS) == before, "nothing was new"
    password = shared_secrets(one)["push-jobs-server"]["sql_password"]
    one.run(CHEF, "remove-secret", "push-jobs-server", "sql_password", "--yes")
    one.run(PUSH, "reconfigure")
    assert one.read(SECRETS) != before
    assert shared_secrets(one)["push-jobs-server"]["sql_password"] == password, "it follows from the hasher"


def test_the_database_user_of_1_x_keeps_its_first_password(one: Host, debs: dict[str, bytes]) -> None:
    standalone(one, debs, "12.0.8", "1.1.6")
    one.run("rm", f"{PUSH_ETC}/opscode-push-jobs-server-secrets.json")
    one.run(PUSH, "reconfigure", status=None)
    until(lambda: "password authentication failed" in one.read(LOG), 20)


def test_reconfigure_restarts_the_service_for_new_settings_only(one: Host, debs: dict[str, bytes]) -> None:
    standalone(one, debs, "12.0.8", "1.1.6")
    before, key = one.starts(), one.read(f"{PUSH_ETC}/pushy_priv.pem")
    one.run(PUSH, "reconfigure")
    assert (one.starts(), one.read(f"{PUSH_ETC}/pushy_priv.pem")) == (before, key)
    one.write(f"{PUSH_ETC}/opscode-push-jobs-server.rb", SETTINGS.replace("10003", "10013"))
    one.run(PUSH, "reconfigure")
    one.settle(10013)
    assert one.starts() == before + 1


def test_without_credentials_the_service_ends_and_is_tried_again(one: Host, debs: dict[str, bytes]) -> None:
    standalone(one, debs, "12.0.8", "1.1.6")
    before = one.starts()
    one.run("chown", "root", f"{PUSH_ETC}/pushy_priv.pem")
    one.run(CHEF, "restart", SERVICE)
    until(lambda: one.starts() >= before + 2)
    assert "cannot read /etc/opscode-push-jobs-server/pushy_priv.pem" in one.read(LOG)
    one.run(PUSH, "reconfigure", status=None)
    one.settle()


def test_a_taken_port_is_named_in_the_services_log(one: Host, debs: dict[str, bytes]) -> None:
    standalone(one, debs, "12.0.8", "1.1.6")
    one.run(CHEF, "stop", SERVICE)
    listener = subprocess.Popen([*one.enter(), "python3", "-c", LISTEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert listener.stdout is not None and listener.stdout.readline() == b"ready\n"
    one.run(CHEF, "start", SERVICE)
    until(lambda: "cannot listen on tcp://*:10003: Address already" in one.read(LOG))
    listener.communicate(timeout=10)
    one.settle()


LISTEN = """
import socket, sys, threading
listener = socket.create_server(("0.0.0.0", 10003))
def answer():
    while True:
        client, _ = listener.accept()
        client.sendall(b"{}\\n")
        client.close()
threading.Thread(target=answer, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""


def test_the_supervisor_keeps_nothing_of_the_session_that_started_it(one: Host, debs: dict[str, bytes]) -> None:
    standalone(one, debs, "12.0.8", "1.1.6")
    pid = one.read("/run/opscode-runsvdir.pid").strip()
    opened = one.run("sh", "-c", f"for fd in /proc/{pid}/fd/*; do readlink $fd; done").split()
    assert opened.count("/dev/null") == 2, "and its own log"
    assert {name for name in opened if not name.startswith("pipe:")} <= {"/dev/null", "/", "/opt/opscode/service"}
    fields = one.read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    assert fields[3] == pid and fields[1] == "1", "a session of its own, the child of init"


def test_services_are_back_after_a_boot_and_keepalived_decides_who_is_master(
    cluster: Cluster, debs: dict[str, bytes]
) -> None:
    chef_server(cluster, debs, "12.0.8")
    push_jobs(cluster, debs, "1.1.6")
    b0, b1, _ = cluster.values()
    for host in (b0, b1):
        host.run("sh", "-c", f"kill -9 -1; ip address del {VIP}/32 dev eth0 2>/dev/null || :")
    for host in (b0, b1):
        host.run("/etc/rc.local")

    until(lambda: sum(f"{VIP}/" in host.run("ip", "-o", "address") for host in (b0, b1)) == 1, 60)
    master, standby = (b0, b1) if f"{VIP}/" in b0.run("ip", "-o", "address") else (b1, b0)
    until(lambda: master.runs("postgresql") and not standby.runs("postgresql"), 60)
    master.becomes("master")
    standby.becomes("backup")
    master.settle()


def test_a_killed_service_is_started_again(one: Host, debs: dict[str, bytes]) -> None:
    standalone(one, debs, "12.0.8", "1.1.6")
    pid = one.run(CHEF, "status", SERVICE).split("pid ")[1].split(")")[0]
    one.run("kill", "-9", pid)
    until(lambda: pid not in one.run(f"/opt/opscode/init/{SERVICE}", "status", status=None))
    one.settle()
    assert one.run(f"/opt/opscode/init/{SERVICE}", "status").startswith(f"run: {SERVICE}:")


def test_commands_are_logged_with_their_times_and_can_be_slowed_and_broken(one: Host, debs: dict[str, bytes]) -> None:
    requests: dict[str, dict[str, Any]] = {
        "durations": {"chef-server-ctl reconfigure": [0.7, 8.0], "chef-server-ctl status": [0.2, 0.9], "dpkg": 0.6},
        "fail": {
            f"{PUSH} reconfigure": {"exit": 3, "message": "disk full", "when": "after"},
            "dpkg opscode-push-jobs-server": {"exit": 5},
        },
    }
    one.write("/etc/chef-standin.json", json.dumps(requests))
    install(one, debs, "chef-server-core", "12.0.8")
    install(one, debs, "opscode-push-jobs-server", "1.1.6", status=1)
    del requests["fail"]["dpkg opscode-push-jobs-server"]
    one.write("/etc/chef-standin.json", json.dumps(requests))
    install(one, debs, "opscode-push-jobs-server", "1.1.6")
    one.run(CHEF, "reconfigure")
    assert "FATAL: disk full" in one.run(PUSH, "reconfigure", status=3)
    one.run("test", "-e", f"{PUSH_ETC}/pushy_priv.pem")
    log = [json.loads(line) for line in one.read("/var/log/chef-standin.jsonl").splitlines()]
    assert [(entry["argv"][:2], entry["exit"]) for entry in log] == [
        (["preinst", "install"], 0),
        (["postinst", "configure"], 0),
        (["preinst", "install"], 5),
        (["preinst", "install"], 0),
        (["postinst", "configure"], 0),
        ([CHEF, "reconfigure"], 0),
        ([PUSH, "reconfigure"], 3),
    ]
    lasted = {tuple(entry["argv"]): entry["end"] - entry["start"] for entry in log}
    assert lasted["preinst", "install", "chef-server-core", "12.0.8-1"] >= 0.6
    assert lasted[CHEF, "reconfigure"] >= 0.7
    for _ in range(3):
        one.run(CHEF, "status", status=None)
    runs = [json.loads(line) for line in one.read("/var/log/chef-standin.jsonl").splitlines()]
    took = [entry["end"] - entry["start"] for entry in runs if entry["argv"][:2] == [CHEF, "status"]]
    assert 0.2 <= took[0] < 0.9 <= min(took[1:]), "the last of several durations is for all later runs"


def test_a_command_that_hangs_is_logged_when_it_is_ended(one: Host, debs: dict[str, bytes]) -> None:
    install(one, debs, "chef-server-core", "12.0.8")
    one.write("/etc/chef-standin.json", json.dumps({"fail": {"chef-server-ctl": {"hang": True}}}))
    one.run("timeout", "0.5", CHEF, "reconfigure", status=124)
    assert json.loads(one.read("/var/log/chef-standin.jsonl").splitlines()[-1])["exit"] == 143


def test_packages_say_that_they_are_stand_ins(one: Host, debs: dict[str, bytes]) -> None:
    install(one, debs, "chef-server-core", "12.19.31")
    install(one, debs, "opscode-push-jobs-server", "2.2.8")
    assert one.run(CHEF, "version") == "chef-server-core 12.19.31 (stand-in: no Chef software is installed)\n"
    assert one.run(PUSH, "--version") == "opscode-push-jobs-server 2.2.8 (stand-in: no Chef software is installed)\n"
    assert "I don't know that command." in one.run(PUSH, "reconfig", status=1)


def test_dpkg_refuses_what_does_not_fit(one: Host, debs: dict[str, bytes]) -> None:
    install(one, debs, "chef-server-core", "12.0.8")
    assert "depends on chef-server-core (>= 12.14.0)" in install(
        one, debs, "opscode-push-jobs-server", "2.2.8", status=1
    )
    one.write(FILE, debs["opscode-push-jobs-server_2.2.8-1_arm64.deb"])
    assert "(arm64) does not match system (amd64)" in one.run("dpkg", "--install", FILE, status=1)
    one.write(FILE, debs["opscode-push-jobs-server-corrupt_2.2.8-1_amd64.deb"])
    assert "error" in one.run("dpkg", "--install", FILE, status=1)


def test_purging_chef_server_leaves_nothing_but_the_logs_and_installing_again_works(
    one: Host, debs: dict[str, bytes]
) -> None:
    standalone(one, debs, "12.0.8", "1.1.6")
    one.run("dpkg", "--purge", "opscode-push-jobs-server")
    assert one.runs(), "as the real one, it ends nothing"
    one.run("test", "-e", f"{PUSH_ETC}/pushy_priv.pem")
    one.run("dpkg", "--purge", "chef-server-core")
    one.run("dpkg", "--purge", "chef-server-core")
    assert not one.run("pgrep", "runsv|nginx", status=None)
    one.run("rm", "-rf", PUSH_ETC, "/var/opt/opscode-push-jobs-server", "/opt/opscode-push-jobs-server")
    left = one.run("sh", "-c", "find /etc /var /usr/bin /run -name '*opscode*' -o -name '*chef*' | grep -v dpkg")
    assert left.split() == ["/var/log/chef-standin.jsonl"]
    one.run("test", "-e", "/etc/rc.local", status=1)
    standalone(one, debs, "12.0.8", "1.1.6")


def test_no_credential_is_in_the_list_of_processes(one: Host, debs: dict[str, bytes]) -> None:
    watch = "while :; do cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ; done 2>/dev/null | tr '\\0' '\\n' >/root/seen"
    install(one, debs, "chef-server-core", "12.19.31")
    watcher = subprocess.Popen([*one.enter(), "sh", "-c", watch])
    standalone(one, debs, "12.19.31", "2.2.8")
    one.run(PUSH, "test", status=1)
    watcher.kill()
    watcher.wait()
    seen = one.read("/root/seen")
    secrets = shared_secrets(one)
    assert "reconfigure" in seen, "the watch saw the commands"
    for group in secrets.values():
        for value in group.values():
            assert value.strip().splitlines()[-2 if "\n" in value.strip() else 0] not in seen


def test_on_the_sandboxs_hosts_they_work_over_ssh_and_after_a_reboot(lab: Lab, debs: dict[str, bytes]) -> None:
    named = "#!/bin/sh\nhostname b0.example.test\necho '127.0.1.1 b0.example.test b0' >>/etc/hosts\n"
    everything = ruleset([Rule("-1", None, None, ("0.0.0.0/0",))], [Rule("-1", None, None, ("0.0.0.0/0",))])
    host = lab.boot(HostSpec("i-00c4ef", "b0", "10.0.1.10", 24, "base", user_data=named, firewall=everything))
    for name in ("chef-server-core_12.0.8-1_amd64.deb", "opscode-push-jobs-server_1.1.6-1_amd64.deb"):
        put = lab.hosts.exec(host, ["dd", f"of=/root/{name}", "status=none"], input=debs[name], text=False)
        assert put.returncode == 0, put.stderr
    login = "ubuntu@10.0.1.10"
    steps = ("sudo sh -c 'dpkg --install /root/*.deb'", f"sudo {CHEF} reconfigure", f"sudo {PUSH} reconfigure")
    for step in steps:
        done = lab.ssh(login, step)
        assert done.returncode == 0, f"{step}: {done.stdout}{done.stderr}"

    def alive() -> bool:
        return "it's alive" in lab.ssh(login, "curl -ksf https://b0.example.test/pushy/_status").stdout

    until(alive, 20)
    lab.hosts.reboot(host)
    until(alive, 30)
