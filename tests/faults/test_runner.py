"""What an operator reads when a task fails, and what keeps running on the server: the task runner on a real host."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chef_push_jobs import scripts
from chef_push_jobs.model.packages import Package
from sandbox import lifecycle
from sandbox.hosts import network
from sandbox.hosts.host import Hosts, HostSpec
from sandbox.hosts.registry import Registry
from sandbox.paths import Sandbox
from tests.sandbox.conftest import SSH, Lab, new_name, until

HOST, ADDRESS, FQDN = "runner-0", "10.0.1.10", "runner-0.chef.test"
LOG = f"{scripts.LOGS}/chef-install.log"
OWNER = "project/stack/runner-0"
NEXT = "run pulumi up again: it continues from here"


@pytest.fixture(scope="module")
def server(root: None) -> Iterator[Lab]:
    """A host that the connect task has prepared, as every server is."""
    sandbox = Sandbox(new_name())
    try:
        lifecycle.start(sandbox, print)
        lab = Lab(sandbox, Hosts(sandbox))
        lab.boot(HostSpec(HOST, HOST, ADDRESS, 24, "base"))
        lab.output(HOST, f"echo 127.0.1.1 {FQDN} runner-0 >> /etc/hosts; hostname {FQDN}")
        done = Ssh(lab).connect(scripts.connect(60, OWNER).text)
        assert done.returncode == 0, done.stderr
        yield lab
    finally:
        lifecycle.stop(sandbox, print)


class Ssh:
    """As the command plugin does it: a command line, the script on its standard input, no terminal."""

    def __init__(self, lab: Lab) -> None:
        key = ("-i", str(lab.sandbox.operator_key), "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none")
        self._login = [*network.enter(lab.sandbox.operator), *SSH, *key, f"ubuntu@{ADDRESS}"]

    def start(self, command: str, script: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        process = subprocess.Popen([*self._login, command], stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        assert process.stdin
        process.stdin.write(script)
        process.stdin.close()
        process.stdin = None
        return process

    def run(self, command: str, script: str) -> subprocess.CompletedProcess[str]:
        process = self.start(command, script)
        out, err = process.communicate(timeout=90)
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def begin(self, script: str, limit: int = 30, name: str = "chef-install") -> subprocess.Popen[str]:
        return self.start(scripts.runner(name, limit, 0, script), script)

    def task(self, script: str, limit: int = 30, name: str = "chef-install") -> subprocess.CompletedProcess[str]:
        return self.run(scripts.runner(name, limit, 0, script), script)

    def connect(self, script: str) -> subprocess.CompletedProcess[str]:
        return self.run(scripts.connecting(script), script)


def block(status: int, why: str, heading: str, lines: str, mend: str) -> str:
    """A whole block; `lines` is a pattern."""
    return (
        rf"chef-install failed on {re.escape(FQDN)}: {why}, after \d+ s \(limit \d+ s\)\n"
        rf"{re.escape(heading)}:\n"
        rf"{lines}"
        rf"what next: {mend}, then {re.escape(NEXT)}\n"
    )


def runs(lab: Lab, pattern: str) -> bool:
    return lab.shell(HOST, f"pgrep -f '[{pattern[0]}]{pattern[1:]}'").returncode == 0


def test_a_failed_task_is_one_block_with_its_last_twenty_lines(server: Lab) -> None:
    done = Ssh(server).task("seq 1 40; echo the cause >&2; exit 3\n")
    heading = f"the last lines of its log, {LOG} on that server"
    lines = "".join(f"  | {number}\n" for number in range(22, 41)) + r"  \| the cause\n"
    lines = lines.replace("  | ", r"  \| ", 19)
    assert done.returncode == 3
    assert re.fullmatch(block(3, "exit status 3", heading, lines, "fix what the log names"), done.stderr), done.stderr
    assert done.stdout == ""
    assert len(server.output(HOST, f"cat {LOG}").splitlines()) == 41, "the server keeps all of it"


def test_a_line_without_end_does_not_fill_the_operators_screen(server: Lab) -> None:
    done = Ssh(server).task("head -c 100000 /dev/zero | tr '\\0' x; exit 3\n")
    assert len(done.stderr) < 1000


def test_the_log_of_the_run_before_is_kept_too(server: Lab) -> None:
    for word in ("first", "second"):
        Ssh(server).task(f"echo {word}\n")
    assert server.output(HOST, f"cat {LOG}.1 {LOG}").split() == ["first", "second"]


def test_what_outlives_its_limit_is_ended_with_all_that_it_started_but_not_a_service(server: Lab) -> None:
    service = "setsid sleep 8888 > /dev/null 2>&1 &"
    stubborn = "(trap '' TERM; sleep 7777) & trap '' TERM; sleep 7777 & sh -c 'trap \"\" TERM; sleep 7777; :'"
    done = Ssh(server).task(f"{service} {stubborn}\n", limit=2)
    assert done.returncode in (124, 137)
    assert "it took longer than its limit and was ended" in done.stderr
    assert "timeLimits" in done.stderr
    assert not runs(server, "sleep 7777")
    assert runs(server, "sleep 8888"), "a service has a session of its own, and must live"
    server.output(HOST, "pkill -f '[s]leep 8888'")


def test_a_child_that_outlives_its_ended_parent_is_ended_too(server: Lab) -> None:
    """timeout(1) alone forgets it: it only waits for the process that it started."""
    done = Ssh(server).task("sh -c 'trap \"\" TERM; sleep 7777; :'\n", limit=2)
    assert done.returncode == 124
    assert not runs(server, "sleep 7777")


def test_what_a_failed_task_leaves_in_the_background_is_ended(server: Lab) -> None:
    assert Ssh(server).task("sleep 7777 & exit 3\n").returncode == 3
    assert not runs(server, "sleep 7777")


def test_a_second_run_waits_for_a_first_whose_operator_is_gone(server: Lab) -> None:
    first = Ssh(server).begin("echo begun > /tmp/first; sleep 4; echo first\n")
    until(lambda: server.shell(HOST, "[ -e /tmp/first ]").returncode == 0)
    first.kill()
    first.wait()
    begun = time.monotonic()
    done = Ssh(server).task("echo second\n", limit=1)
    assert done.returncode == 0, "its own limit is for its own work, not for the waiting"
    assert time.monotonic() - begun > 2, "it must not have run beside the first"
    assert server.output(HOST, f"cat {LOG}.1 {LOG}").split() == ["first", "second"]


def test_a_second_run_waits_for_a_first_whose_runner_was_killed(server: Lab) -> None:
    first = Ssh(server).begin("echo > /tmp/killed; sleep 7777\n", limit=5)
    until(lambda: server.shell(HOST, "[ -e /tmp/killed ]").returncode == 0)
    server.output(HOST, "pkill -KILL -f '[s]h /var/lib/chef-rollout/task'")
    first.wait()
    done = Ssh(server).task("pgrep -f 'sleep 7777'; :\n")
    assert done.returncode == 0
    assert server.output(HOST, f"cat {LOG}") == "", "the first is ended by its limit, and not before"


@pytest.mark.parametrize(("own", "seconds"), [("sleep 6", 3), ("sleep 7777", 0)], ids=["it ends", "its time is over"])
def test_a_second_run_waits_for_a_first_whose_runner_and_timeout_were_killed(
    server: Lab, own: str, seconds: int
) -> None:
    """Nobody ends it at its limit then but the next run."""
    first = Ssh(server).begin(f"echo > /tmp/unwatched; {own}\n")
    until(lambda: server.shell(HOST, "[ -e /tmp/unwatched ]").returncode == 0)
    server.output(HOST, "pkill -KILL -f '[s]h /var/lib/chef-rollout/task'; pkill -KILL -x timeout")
    first.wait()
    assert runs(server, own), "what it ran lives on"
    if not seconds:
        server.output(HOST, f"cd {scripts.HOME} && sed -i 's/ [0-9]* / 1 /' running")
    begun = time.monotonic()
    done = Ssh(server).task(f"rm /tmp/unwatched; pgrep -f '[s]{own[1:]}'; :\n")
    assert done.returncode == 0, done.stderr
    assert server.output(HOST, f"cat {LOG}") == "", "the first is at work no more"
    assert time.monotonic() - begun > seconds


def test_of_two_that_wait_for_the_same_task_only_the_later_does_it(server: Lab) -> None:
    """The earlier one is of a run of Pulumi that is over: there is one at a time."""
    holder = Ssh(server).begin("echo > /tmp/holder; sleep 5\n", name="chef-configure")
    until(lambda: server.shell(HOST, "[ -e /tmp/holder ]").returncode == 0)
    waiting = [Ssh(server).begin("echo ran >> /tmp/ran\n")]
    until(lambda: "chef-install waits" in server.output(HOST, f"tail -n 1 {scripts.LOGS}/history"))
    waiting.append(Ssh(server).begin("echo ran >> /tmp/ran\n"))
    assert sorted(process.wait(60) for process in (*waiting, holder)) == [0, 0, 75]
    assert server.output(HOST, "cat /tmp/ran") == "ran"


def test_a_holder_that_outlives_its_own_limit_is_named(server: Lab) -> None:
    """The kernel can keep a process for ever, on a disk that does not answer: nobody waits for that."""
    lock = f"exec 9>> {scripts.HOME}/lock; flock 9; sleep 7777"
    server.output(HOST, f"setsid sh -c '{lock}' > /dev/null 2>&1 & sleep 0.2")
    server.output(HOST, f"echo chef-reconfigure 1 $(pgrep -o -f '[f]lock 9') > {scripts.HOME}/running")
    done = Ssh(server).task("echo never\n")
    assert done.returncode == 75
    why = "chef-reconfigure still runs there, longer than its own limit"
    mend = r"end it there \(sudo pkill -KILL -s \d+\)"
    assert re.fullmatch(block(75, why, "what of it runs there", r"(  \| .*\n)+", mend), done.stderr), done.stderr
    kill = re.findall(r"pkill -KILL -s \d+", done.stderr)[0]
    server.output(HOST, f"{kill}; rm {scripts.HOME}/running")
    assert Ssh(server).task("echo again\n").returncode == 0, "what it told to do helps"


def test_where_sudo_refuses_the_block_says_so_and_nothing_is_run(server: Lab) -> None:
    server.output(HOST, "mv /etc/sudoers.d/90-cloud-init-users /root/kept")
    try:
        done = Ssh(server).task("echo never > /tmp/never\n")
        first = Ssh(server).connect(scripts.connect(60, OWNER).text)
    finally:
        server.output(HOST, "mv /root/kept /etc/sudoers.d/90-cloud-init-users")
    mend = "let ubuntu use sudo there without a password and without a terminal"
    told = done.stderr.split("\n", 1)[1]  # sudo itself speaks first
    why = "sudo refused it, nothing was run"
    assert re.fullmatch(block(1, why, "what sudo says", r"  \| sudo: .*\n", mend), told), done.stderr
    assert f"what next: {mend}\n" in first.stderr
    assert server.shell(HOST, "[ -e /tmp/never ]").returncode != 0


def test_where_the_server_lost_its_disk_the_shell_names_the_runner_that_is_missing(server: Lab) -> None:
    """It is the line that docs/reliability.md explains."""
    server.output(HOST, f"mv {scripts.RUNNER} {scripts.RUNNER}.kept")
    try:
        done = Ssh(server).task("echo never\n")
    finally:
        server.output(HOST, f"mv {scripts.RUNNER}.kept {scripts.RUNNER}")
    assert done.returncode == 2
    assert re.fullmatch(r".* cannot open /var/lib/chef-rollout/task: No such file\n", done.stderr), done.stderr


@pytest.fixture
def full(server: Lab) -> Iterator[Callable[[str], None]]:
    """Puts a small disk without room in the place of a folder, with what is in it."""
    init = Registry(server.sandbox).find(HOST).init
    assert init
    enter = ["nsenter", f"--target={init.pid}", "--mount"]
    mounted: list[str] = []

    def fill(folder: str) -> None:
        mounted.append(folder)
        subprocess.run([*enter, "mount", "-t", "tmpfs", "-o", "size=8k,mode=0755", "full", folder], check=True)
        server.shell(HOST, f"cat /dev/zero > {folder}/filler")

    yield fill
    for folder in mounted:
        subprocess.run([*enter, "umount", folder], check=True)


def test_where_no_log_can_be_written_nothing_is_run(server: Lab, full: Callable[[str], None]) -> None:
    full(scripts.LOGS)
    done = Ssh(server).task("echo never > /tmp/never-full\n")
    assert done.returncode == 74
    heading, lines = "what that server says", rf"  \| .*No space left.*\nno room is left there on {scripts.LOGS}\n"
    why = "its script and log cannot be written, nothing was run"
    assert re.fullmatch(block(74, why, heading, lines, "make room there"), done.stderr), done.stderr
    assert server.shell(HOST, "[ -e /tmp/never-full ]").returncode != 0


def test_where_the_disk_is_full_later_the_block_names_it(server: Lab, full: Callable[[str], None]) -> None:
    full("/tmp")  # noqa: S108 - on the host
    done = Ssh(server).task("echo x > /tmp/x\n")
    assert "no room is left there on /tmp" in done.stderr


def test_a_connect_that_fails_is_a_block_too(server: Lab) -> None:
    broken = scripts.connect(60, OWNER).text.replace("install -d -m 0755", "install -d -m nonsense")
    done = Ssh(server).connect(broken)
    assert done.returncode == 1
    assert f"connect failed on {FQDN}: exit status 1\n" in done.stderr
    assert NEXT in done.stderr


def test_a_connect_that_hangs_is_ended(server: Lab) -> None:
    done = Ssh(server).connect(scripts.connect(1, OWNER).text.replace("cut -d", "sleep 7777; cut -d"))
    assert done.returncode == 124
    until(lambda: not runs(server, "sleep 7777"))


LOCKED = """\
import fcntl, time
locks = [open(f'/var/lib/dpkg/{name}', 'w') for name in ('lock-frontend', 'lock')]
for lock in locks:
    fcntl.lockf(lock, fcntl.LOCK_EX)
open('/tmp/locked', 'w').close()
time.sleep(5)
"""


def test_another_dpkg_is_waited_for(server: Lab) -> None:
    """Unattended upgrades, as a rule, after the first boot."""
    file = next(server.sandbox.packages.glob("chef-server-core_12.0.*.deb"))
    digest = subprocess.run(["sha256sum", file], capture_output=True, text=True, check=True).stdout.split()[0]
    package = Package(file.name, digest, file=str(file))
    place = f"/home/ubuntu/{scripts.uploaded(package)}"
    server.hosts.exec(HOST, ["sh", "-c", f"cat > {place}"], input=Path(file).read_bytes(), text=False)
    server.output(HOST, f'setsid python3 -c "{LOCKED}" > /dev/null 2>&1 &')
    until(lambda: server.shell(HOST, "[ -e /tmp/locked ]").returncode == 0)
    begun = time.monotonic()
    done = Ssh(server).task(scripts.install(package, "ubuntu").text)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - begun > 3
    assert "lock" in server.output(HOST, f"cat {LOG}"), "the log says what it waited for"
    assert server.output(HOST, "dpkg-query -W -f '${Status}' chef-server-core") == "install ok installed"


RESULT = "/run/cloud-init/result"


def booted(lab: Lab, how: str) -> None:
    """As if the host's first boot had ended so."""
    lab.output(
        HOST, f"mkdir -p /run/cloud-init; echo {how} > {RESULT}; echo the cause > /var/log/cloud-init-output.log"
    )


def test_a_first_boot_with_warnings_is_one(server: Lab) -> None:
    booted(server, "degraded")
    assert server.shell(HOST, "cloud-init status").returncode == 2
    done = Ssh(server).connect(scripts.connect(60, OWNER).text)
    booted(server, "done")
    assert done.returncode == 0, done.stderr


def test_a_first_boot_that_failed_is_told_with_its_cause_but_on_a_server_that_is_taken_over(server: Lab) -> None:
    booted(server, "error")
    made = Ssh(server).connect(scripts.connect(60, OWNER).text)
    taken_over = Ssh(server).connect(scripts.connect_existing(60, OWNER).text)
    booted(server, "done")
    assert made.returncode == 1
    for part in ("the cause", "the first boot failed", "status: error"):
        assert part in made.stderr
    assert taken_over.returncode == 0, "it boots since long: " + taken_over.stderr
