"""What of the stand-in packages can be proven without a server: the build, and the pure parts of the hosts' code."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from chef_push_jobs.scripts.settings_files import DATABASE_OF_THE_MASTER
from sandbox.packages.build import PACKAGES, VARIANTS, Package, build
from sandbox.packages.host import chef_config, keepalived, push_jobs_config, ruby, secrets_file
from sandbox.packages.host.chef_config import Core
from sandbox.packages.host.files import StandinError

HA = """
topology "ha"
api_fqdn "chef.example.test"     # the frontends' name
server "b0.example.test", :ipaddress => "10.0.1.10", :role => "backend", :bootstrap => true
server "b1.example.test",
  :ipaddress => "10.0.1.11",
  :role => "backend"
server "f0.example.test", ipaddress: "10.0.2.10", role: "frontend"
backend_vip "vip.example.test", :ipaddress => "10.0.1.100/24", :device => "eth0", :heartbeat_device => "eth0"
nginx['log_rotation']['num_to_keep'] = 5
opscode_erchef['max_request_size'] = 1_0
""".replace("1_0", "10")


def chef(text: str, fqdn: str) -> dict[str, Any]:
    return chef_config.running(chef_config.evaluate(ruby.read(text, "chef-server.rb")), fqdn, Core.of("12.19.31"))


def test_a_file_that_the_settings_include_is_read_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    own = tmp_path / "own.rb"
    text = f"nginx['ssl_port'] = 443\nfrom_file '{own}'\n"
    with pytest.raises(StandinError, match=r"chef-server.rb:2: No such file or directory"):
        chef_config.evaluate(ruby.read(text, chef_config.PATH))
    own.write_text("nginx['ssl_port'] = 8443\n")
    assert chef_config.evaluate(ruby.read(text, chef_config.PATH)).mashes["nginx"] == {"ssl_port": 8443}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    directory = tmp_path_factory.mktemp("packages")
    return {package.filename: build(package, directory) for package in (*PACKAGES, *VARIANTS)}


def field(package: Path, name: str) -> str:
    return subprocess.run(
        ["dpkg-deb", "--field", package, name], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_a_package_is_the_same_bytes_at_every_build(packages: dict[str, Path], tmp_path: Path) -> None:
    for package in PACKAGES:
        again = build(package, tmp_path)
        assert again.read_bytes() == packages[package.filename].read_bytes(), package.filename


def test_another_source_date_gives_another_package(
    packages: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1500000000")
    again = build(PACKAGES[0], tmp_path)
    assert again.read_bytes() != packages[PACKAGES[0].filename].read_bytes()


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.filename)
def test_a_package_says_what_it_is(package: Package, packages: dict[str, Path]) -> None:
    file = packages[package.filename]
    assert file.name == f"{package.name}_{package.version}-1_amd64.deb"
    assert (field(file, "Package"), field(file, "Version")) == (package.name, f"{package.version}-1")
    assert field(file, "Architecture") == "amd64"
    description = field(file, "Description")
    assert description.startswith("Stand-in") and "NOT Chef software" in description


def test_only_the_newer_generation_depends_on_the_chef_server_as_the_real_ones_do(packages: dict[str, Path]) -> None:
    assert "chef-server-core" not in field(packages["opscode-push-jobs-server_1.1.6-1_amd64.deb"], "Depends")
    newer = field(packages["opscode-push-jobs-server_2.2.8-1_amd64.deb"], "Depends")
    assert newer.endswith("chef-server-core (>= 12.14.0)")


def test_every_file_in_a_package_is_roots_and_has_a_plain_mode(packages: dict[str, Path]) -> None:
    for package in PACKAGES:
        listing = subprocess.run(
            ["dpkg-deb", "--contents", packages[package.filename]], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        for line in listing:
            mode, owner = line.split()[:2]
            assert owner == "root/root", line
            assert mode in ("drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--", "lrwxrwxrwx"), line
            assert "__pycache__" not in line, line


def test_the_variants_are_wrong_in_one_way_each(packages: dict[str, Path]) -> None:
    assert field(packages["opscode-push-jobs-server_2.2.8-1_arm64.deb"], "Architecture") == "arm64"
    corrupt = packages["opscode-push-jobs-server-corrupt_2.2.8-1_amd64.deb"]
    assert subprocess.run(["dpkg-deb", "--contents", corrupt], capture_output=True, check=False).returncode != 0


def test_the_used_ruby_is_read() -> None:
    text = (
        "topology 'ha'\n\n# nothing\nnginx[:a]['b'] = -3 # x\nfrom_email nil\na['b'] = node['c']['d'] if node['e'] == 1"
    )
    assert ruby.read(text, "x.rb") == [
        ruby.Call(1, "topology", "ha", {}),
        ruby.Assignment(4, "nginx", ("a", "b"), -3),
        ruby.Call(5, "from_email", None, {}),
        ruby.Assignment(6, "a", ("b",), ruby.Of("node", ("c", "d")), (ruby.Of("node", ("e",)), 1)),
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'it''s'", None),
        (r"'it\'s'", "it's"),
        (r'"a\"b\\c"', r"a\"b\c".replace(r"\"", '"')),
        (r'"\#{x}"', "#{x}"),
        ("'#{x}'", "#{x}"),
        ('"#"', "#"),
        ("true", True),
        ("10003", 10003),
    ],
)
def test_strings_are_rubys(text: str, value: object) -> None:
    if value is None:
        with pytest.raises(StandinError, match=r"x\.rb:1: syntax error"):
            ruby.read(f"a['b'] = {text}", "x.rb")
        return
    assert ruby.read(f"a['b'] = {text}", "x.rb") == [ruby.Assignment(1, "a", ("b",), value)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('\ntopology = "ha"', 2, "syntax error, unexpected ="),
        ('topology "ha', 1, "syntax error, unexpected '\"ha'"),
        ('topology "ha" if true', 1, "syntax error, unexpected if, expecting newline"),
        ("topology ENV['X']", 1, "syntax error, unexpected \"ENV['X']\""),
        ('api_fqdn "chef.#{domain}"', 1, "string interpolation is not implemented by the stand-in"),
        ("a['b'] = 1.5", 1, "syntax error, unexpected '1.5'"),
        ("a['b'] = [1]", 1, "syntax error, unexpected [, expecting double"),
        ("a['b' = 1", 1, "syntax error, unexpected =, expecting ]"),
        ("a['b']", 1, "syntax error, unexpected end of line, expecting ="),
        ("a['b'] = 1 if x['c'] == 1", 1, "syntax error, unexpected x, expecting node"),
        ("a['b'] = 1 if node['c']", 1, "syntax error, unexpected end of line, expecting equals"),
        ('server "x", :role =>', 1, "syntax error, unexpected end of line, expecting double"),
        ('server "x",', 1, "syntax error, unexpected end of line, expecting symbol"),
        ('server "x", "role" => "backend"', 1, 'syntax error, unexpected "role", expecting symbol'),
        ("a['b'] = \"\\x41\"", 1, "the escape \\x is not implemented by the stand-in"),
    ],
)
def test_other_ruby_is_refused_with_file_and_line(text: str, line: int, message: str) -> None:
    with pytest.raises(StandinError) as refused:
        ruby.read(text, "x.rb")
    assert str(refused.value).startswith(f"Error loading file: x.rb:{line}: {message}")


def test_the_running_configuration_holds_what_push_jobs_reads() -> None:
    running = chef(HA, "b1.example.test")
    assert running["topology"] == "ha"
    assert {name: server["role"] for name, server in running["servers"].items()} == {
        "b0.example.test": "backend",
        "b1.example.test": "backend",
        "f0.example.test": "frontend",
    }
    assert running["backend_vips"]["ipaddress"] == "10.0.1.100"
    assert running["lb"]["api_fqdn"] == "chef.example.test"
    assert running["keepalived"]["enable"] and running["keepalived"]["vrrp_instance_interface"] == "eth0"
    assert running["nginx"]["log_rotation"] == {"num_to_keep": 5}
    assert not running["bootstrap"]["enable"], "only the bootstrap backend bootstraps"


def test_a_frontend_has_no_keepalived_and_its_data_at_the_vip() -> None:
    running = chef(HA, "f0.example.test")
    assert running["role"] == "frontend" and not running["keepalived"]["enable"]
    assert running["postgresql"]["vip"] == "10.0.1.100"


def test_a_standalone_server_needs_no_settings() -> None:
    running = chef("", "one.example.test")
    assert (running["topology"], running["lb"]["api_fqdn"]) == ("standalone", "one.example.test")


@pytest.mark.parametrize(
    ("text", "fqdn", "message"),
    [
        (HA, "b9.example.test", "Please add a server section for b9.example.test to /etc/opscode/chef-server.rb!"),
        (HA, "B0.example.test", "Please add a server section for B0.example.test"),
        (HA.replace('"frontend"', '"front"'), "f0.example.test", "I dont have a role for you!"),
        ('topology "cluster"', "b0", "I do not understand topology cluster"),
        (HA.replace(", :device", ", :devise"), "b0.example.test", "topology ha needs a backend_vip with :device"),
        (HA.replace("backend_vip", "#"), "b0.example.test", "needs a backend_vip with :ipaddress and :device"),
        (
            "backend_vips 'x'",
            "b0",
            "Error loading file: /etc/opscode/chef-server.rb:1: undefined method `backend_vips'",
        ),
        ("pushy['x'] = 1", "b0", "undefined local variable or method `pushy'"),
        ("nginx['x']['y'] = 1", "b0", "undefined method `[]=' for nil:NilClass"),
    ],
)
def test_what_the_real_cookbook_refuses_is_refused(text: str, fqdn: str, message: str) -> None:
    with pytest.raises(StandinError) as refused:
        chef(text, fqdn)
    assert message in str(refused.value)


OLD, NEW = push_jobs_config.generation("1.1.6"), push_jobs_config.generation("2.2.8")


def pushy(
    kind: push_jobs_config.Generation, text: str, fqdn: str = "b0.example.test", chef_rb: str = HA
) -> dict[str, Any]:
    running = chef(chef_rb, fqdn)
    given = push_jobs_config.evaluate(ruby.read(text, push_jobs_config.PATH), {"private_chef": running})
    return push_jobs_config.settings(kind, push_jobs_config.overridden(running, given), given, fqdn)


@pytest.mark.parametrize("kind", [OLD, NEW])
def test_the_packaged_ports_are_the_real_ones(kind: push_jobs_config.Generation) -> None:
    service = pushy(kind, "")["opscode-pushy-server"]
    assert (service["server_heartbeat_port"], service["command_port"], service["api_port"]) == (
        "10000",
        "10002",
        "10003",
    )


def test_the_settings_file_decides_and_unknown_keys_are_kept() -> None:
    service = pushy(NEW, "opscode_pushy_server['command_port'] = '10003'\nopscode_pushy_server['new_key'] = 1\n")
    assert (service["opscode-pushy-server"]["command_port"], service["opscode-pushy-server"]["new_key"]) == ("10003", 1)


@pytest.mark.parametrize(
    ("kind", "text", "chef_rb", "vip"),
    [
        (OLD, "", HA, "10.0.1.100"),
        (OLD, "opscode_pushy_server['vip'] = '10.9.9.9'", HA, "10.0.1.100"),
        (NEW, "opscode_pushy_server['vip'] = '10.9.9.9'", HA, "10.9.9.9"),
        (NEW, "", "", "b0.example.test"),
        (NEW, "", "api_fqdn 'chef.example.test'", "chef.example.test"),
    ],
)
def test_the_vip_is_the_backends_or_a_standalone_servers_name(
    kind: push_jobs_config.Generation, text: str, chef_rb: str, vip: str
) -> None:
    service = pushy(kind, text, chef_rb=chef_rb)["opscode-pushy-server"]
    assert service["vip"] == vip
    assert service.get("server_name_advertised", vip) == vip


@pytest.mark.parametrize(
    ("fqdn", "chef_rb", "found"),
    [
        ("b1.example.test", HA, "10.0.1.100"),
        ("f0.example.test", HA, "10.0.1.100"),
        ("b1.example.test", f"{HA}\npostgresql['vip'] = '10.9.9.9'", "10.9.9.9"),
    ],
    ids=["a standby, which has none of its own", "a frontend", "a database elsewhere"],
)
def test_the_database_is_the_masters_or_where_chef_servers_settings_say(fqdn: str, chef_rb: str, found: str) -> None:
    assert pushy(NEW, DATABASE_OF_THE_MASTER, fqdn, chef_rb)["postgresql"]["vip"] == found


def test_without_that_line_a_standby_asks_itself() -> None:
    assert pushy(NEW, "", "b1.example.test")["postgresql"]["vip"] == "127.0.0.1"


def test_the_service_is_enabled_by_role() -> None:
    roles = {name: pushy(NEW, "", f"{name}.example.test") for name in ("b0", "b1", "f0")}
    assert {name: found["opscode-pushy-server"]["enable"] for name, found in roles.items()} == {
        "b0": True,
        "b1": True,
        "f0": False,
    }
    assert not roles["f0"]["bootstrap"]["enable"]


def test_a_host_that_the_chef_server_does_not_know_has_no_role() -> None:
    with pytest.raises(StandinError, match=r"undefined method `\[\]' for nil:NilClass.*b9\.example\.test"):
        push_jobs_config.settings(NEW, chef(HA, "b0.example.test"), {}, "b9.example.test")


def test_a_wrong_settings_file_is_refused() -> None:
    for text, message in (
        ("opscode_pushy['x'] = 1", "`opscode_pushy'"),
        ("topology 'ha'", "undefined method `topology'"),
        ("opscode_pushy_server['vip'] = node['private_chef']['x']", "method `node'"),
        ("node.override['x']['y'] = node['private_chef']['x']", f"rb:1: {push_jobs_config.NIL}"),
    ):
        with pytest.raises(StandinError) as refused:
            push_jobs_config.evaluate(ruby.read(text, push_jobs_config.PATH), {})
        assert message in str(refused.value)


def test_the_newer_secrets_file_gives_back_what_went_in_and_shows_none_of_it() -> None:
    groups = secrets_file.Groups(
        {
            "push-jobs-server": {"pushy_priv_key": "-----BEGIN RSA PRIVATE KEY-----"},
            "drbd": {"shared_secret": "ab12"},
        }
    )
    document = secrets_file.encode(groups)
    assert secrets_file.decode(document) == groups
    assert document != secrets_file.encode(groups), "other bytes at each save, as encrypted"
    password = secrets_file.derived(groups, "push-jobs-server", "sql_password", 50)
    again = secrets_file.decode(document)
    assert secrets_file.derived(again, "push-jobs-server", "sql_password", 50) == password, "by the hasher"
    again["push-jobs-server"]["sql_password"] = password
    secrets_file.rotate(again, "push-jobs-server", "sql_password")
    assert again["push-jobs-server"]["sql_password"] != password
    for word in ("push-jobs-server", "BEGIN", "ab12"):
        assert word not in str(document), "the real one is encrypted: nobody may find keys in it by searching"


def test_the_cluster_script_names_the_services_that_it_moves() -> None:
    script = keepalived.cluster_script(["nginx", "opscode-pushy-server"])
    assert script.index("start nginx") < script.index("start opscode-pushy-server")
    assert script.index("graceful-kill opscode-pushy-server") < script.index("graceful-kill nginx")
    assert "opscode-pushy-server" not in keepalived.cluster_script(["nginx"])


def test_the_scripts_pass_shellcheck(tmp_path: Path) -> None:
    trees = Path(__file__).parents[2] / "sandbox" / "packages"
    scripts = [path for path in trees.glob("*/DEBIAN/*") if path.name != "control"]
    assert len(scripts) == 11, scripts
    generated = tmp_path / "cluster.sh"
    generated.write_text(keepalived.cluster_script(["nginx"]), encoding="utf-8")
    done = subprocess.run(["shellcheck", *scripts, generated], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
