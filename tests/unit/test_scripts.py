"""The scripts that servers are sent: checked as files, and as they are put together from files and values."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chef_push_jobs import scripts
from chef_push_jobs.model.packages import Package
from chef_push_jobs.scripts import InTurn, Script, rendering

FOLDER = Path(scripts.__file__).parent
OWN, LIBRARY = sorted(FOLDER.glob("*.sh")), sorted(FOLDER.glob("library/*.sh"))
DEB = Package("opscode-push-jobs-server_1.1.6-1_amd64.deb", "3b" * 32, file="packages/x.deb")
HOSTILE_RPM = Package("opscode push;$(id).rpm", "3b" * 32, url="https://packages.test/a b;$(id)'.rpm")
PORTS = [10000, 10003, 10002]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"
SERVERS = [
    ("backend-0.chef.test", "backend", "10.0.0.4"),
    ("backend-1.chef.test", "backend", "10.0.0.5"),
    ("frontend-0.chef.test", "frontend", "10.0.16.4"),
]
SETTINGS = {"server_heartbeat_port": "10000", "command_port": "10003", "api_port": "10002"}

SENT: dict[str, Script | InTurn] = {
    "connect": scripts.connect(600, "project/stack/backend-0"),
    "connect to one that exists": scripts.connect_existing(600, "project/stack/backend-0"),
    "install an uploaded deb": scripts.install(DEB, "ubuntu"),
    "install a fetched rpm with a hostile name": scripts.install(HOSTILE_RPM, "ubuntu", upgrades=False),
    "require Chef server": scripts.require_chef_server(),
    "require no cluster": scripts.require_no_cluster("chef.example.com"),
    "compare credentials": scripts.compare_credentials("backend-1", "backend-0", "4c" * 16),
    "configure": scripts.configure("/etc/x/x.rb", scripts.push_jobs_settings(SETTINGS, {"heartbeat_interval": 1000})),
    "reconfigure Chef server": scripts.reconfigure_chef_server(fails_over=True, primary=True),
    "reconfigure push jobs": scripts.reconfigure_push_jobs(),
    "rotate": scripts.rotate("2026-11"),
    "share": scripts.share("ubuntu", [("10.0.0.5", KEY), ("10.0.16.4", KEY)]),
    "copy": scripts.copy("push-jobs", "ubuntu", 22, "10.0.0.4", KEY),
    "restart": scripts.restart_pushy(PORTS, unless_fresh=True),
    "test": scripts.test(10000, 10003),
    "uninstall": scripts.uninstall("project/stack/backend-0"),
    "check the firewall": scripts.check_firewall(PORTS),
    "prepare the volume": scripts.in_turn(
        scripts.require_lvm(),
        scripts.name_device("vol-0123456789abcdef0", "/dev/xvdf"),
        scripts.prepare_volume("/dev/xvdf", "10.0.15.254"),
    ),
    "serves": scripts.serves("frontend", 60),
    "give-way": scripts.give_way("stop"),
    "doctor's probe": scripts.probe("5e" * 32, ["/etc/a file"], PORTS, {"chef-server-core": ""}, "ubuntu"),
}


def every_script(sent: Script | InTurn) -> list[Script]:
    """Those that it is made of, and those that these bring."""
    own = sent.parts if isinstance(sent, InTurn) else (sent,)
    return [*own, *(one for part in own for brought in part.brings.values() for one in every_script(brought))]


ALL = {script.name: script for sent in SENT.values() for script in every_script(sent)}


def run(text: str, shell: str = "sh") -> subprocess.CompletedProcess[str]:
    return subprocess.run([shell], input=text, text=True, capture_output=True, check=False)


# The files


def test_every_file_is_sent_by_something() -> None:
    used = {name for sent in SENT.values() for name in sent.digests}
    assert used == {str(path.relative_to(FOLDER)) for path in (*OWN, *LIBRARY)}


@pytest.mark.parametrize("path", (*OWN, *LIBRARY), ids=lambda path: path.stem)
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_file_is_shell(path: Path, shell: str) -> None:
    subprocess.run([shell, "-n", path], check=True)


def test_the_files_are_clean_to_shellcheck() -> None:
    assert shutil.which("shellcheck"), "shellcheck is missing: scripts/test installs it (apt-get install shellcheck)"
    command = ["shellcheck", "--shell=dash", "--external-sources", f"--source-path={FOLDER}"]
    assert subprocess.run([*command, *OWN, *LIBRARY], text=True, capture_output=True, check=False).stdout == ""


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_a_file_says_what_it_does_and_demands_exactly_the_values_that_it_is_given(path: Path) -> None:
    shebang, *lines = path.read_text().splitlines()
    head = lines[: next(number for number, line in enumerate(lines) if not line.startswith("#"))]
    script = ALL[path.stem]
    values = [*script.values, *script.brings]
    assert f"{shebang}\n" == rendering.SHEBANG
    assert head, "it says what it does"
    assert [found[1] for line in head if (found := re.fullmatch(r"#   (\w+) +\S.*", line))] == values
    demanded = [name for line in lines if line.startswith(": ") for name in re.findall(r'"\$\{(\w+)\?\}"', line)]
    assert demanded == values


@pytest.mark.parametrize("path", (*OWN, *LIBRARY), ids=lambda path: path.stem)
def test_only_comments_and_blank_lines_of_a_file_are_not_sent(path: Path) -> None:
    """bash prints a function back as it has understood it, without its comments."""

    def understood(text: str) -> str:
        done = run(f"f() {{\n{text}\n}}\ndeclare -f f\n", "bash")
        assert done.stderr == ""
        return done.stdout

    sent = rendering._sent(str(path.relative_to(FOLDER)))
    assert understood(sent) == understood(path.read_text())
    assert not [line for line in sent.splitlines() if line.lstrip().startswith("#") or not line.strip()]


# As they are sent


@pytest.mark.parametrize("name", SENT)
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_what_is_sent_is_shell(name: str, shell: str) -> None:
    subprocess.run([shell, "-n"], input=SENT[name].text, text=True, check=True)
    assert ". library/" not in SENT[name].text


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\r")))
def test_any_value_arrives_as_it_is_and_nothing_in_it_is_run(value: str) -> None:
    for shell in ("sh", "bash"):
        assert run(f'value={rendering._quoted(value)}\nprintf %s "$value"', shell).stdout == value


def test_a_line_less_in_a_value_leaves_the_other_lines_as_they_are() -> None:
    """A reviewer reads the difference of two scripts."""
    lines = [f'server "frontend-{number}"\n' for number in range(3)]
    more, fewer = (rendering._quoted("".join(["# the stack's\n", *some])) for some in (lines, lines[:1]))
    assert set(fewer.splitlines()) <= set(more.splitlines())


def test_a_script_without_its_values_runs_nothing(tmp_path: Path) -> None:
    for script in ALL.values():
        if script.values or script.brings:
            done = run(Script(script.name).text)
            assert (done.returncode, done.stdout) == (2, ""), script.name
            assert "parameter not set" in done.stderr


def test_of_scripts_in_turn_each_may_end_itself_and_a_failure_ends_them_all(scripts_folder: Path) -> None:
    for name, text in {"one": "echo one\nexit 0\n", "two": "echo two\n", "fails": "set -eu\nfalse\n"}.items():
        (scripts_folder / f"{name}.sh").write_text(text)

    def told(*names: str) -> tuple[str, int]:
        done = run(scripts.in_turn(*(Script(name) for name in names)).text)
        return done.stdout, done.returncode

    assert told("one", "two") == ("one\ntwo\n", 0)
    assert told("fails", "two") == ("", 1)


def test_a_settings_file_is_written_as_it_is_and_left_alone_where_it_is_the_same(tmp_path: Path) -> None:
    path, content = tmp_path / "new folder" / "x.rb", "a['b'] = \"$(id) `id` \\\\n %s\"\n\n"
    text = scripts.configure(str(path), content).text
    assert run(text).returncode == 0
    first = path.stat()
    assert run(text).returncode == 0
    assert (path.read_text(), path.stat().st_ino) == (content, first.st_ino)
    assert [file.name for file in path.parent.iterdir()] == ["x.rb"]


def test_a_settings_file_that_is_a_link_stays_one_and_what_it_leads_to_is_written(tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    path = tmp_path / "x.rb"
    path.symlink_to("volume/x.rb")
    for content in ("first", "second"):
        assert run(scripts.configure(str(path), content).text).returncode == 0
        assert path.is_symlink()
        assert (tmp_path / "volume/x.rb").read_text() == content
    path.unlink()
    path.symlink_to("nowhere/x.rb")
    refused = run(scripts.configure(str(path), "third").text)
    assert refused.returncode != 0
    assert "is a link into a directory that does not exist" in refused.stdout


# The settings files


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


def test_tables_are_written_as_chef_server_knows_them_and_the_operators_file_is_read_last() -> None:
    options = {"notification_email": "ops@chef.test", "nginx": {"ssl_port": 8443, "ssl_certificate": "/etc/c.crt"}}
    text = scripts.chef_settings("standalone", "chef.test", SERVERS[:1], options, include="/etc/opscode/own.rb")
    assert text.splitlines()[3:] == [
        "notification_email 'ops@chef.test'",
        "nginx['ssl_port'] = 8443",
        "nginx['ssl_certificate'] = '/etc/c.crt'",
        "from_file '/etc/opscode/own.rb'",
    ]


def test_a_standalone_chef_server_lists_nobody() -> None:
    assert scripts.chef_settings("standalone", "chef.test", SERVERS[:1], {}).splitlines()[1:] == [
        'topology "standalone"',
        'api_fqdn "chef.test"',
    ]


def test_the_settings_of_push_jobs_are_ruby() -> None:
    text = scripts.push_jobs_settings(SETTINGS, {"vip": "10.0.0.9", "whitelist": True})
    assert text.splitlines()[1:] == [
        "opscode_pushy_server['server_heartbeat_port'] = '10000'",
        "opscode_pushy_server['command_port'] = '10003'",
        "opscode_pushy_server['api_port'] = '10002'",
        "opscode_pushy_server['vip'] = '10.0.0.9'",
        "opscode_pushy_server['whitelist'] = true",
    ]


def test_the_runner_is_called_with_quoted_words() -> None:
    assert (
        scripts.runner("push-jobs-test", 300, 1, "echo é\n") == "sh /var/lib/chef-rollout/task push-jobs-test 300 1 8"
    )
