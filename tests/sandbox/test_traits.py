"""Servers as people have them, over real sshd: each trait works, or is refused with its reason and changes nothing.

The product's own command lines and scripts, as the command plugin sends them: no terminal, the script as the input.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote

import pytest

from chef_push_jobs import scripts
from chef_push_jobs.cli.doctor import probe
from chef_push_jobs.model.packages import Package
from chef_push_jobs.model.ssh_keys import fingerprint, printed_host_keys, printed_keys
from sandbox.hosts import network
from sandbox.hosts.host import Hosts, HostSpec
from sandbox.hosts.traits import TRAITS, give
from sandbox.paths import Sandbox
from tests.sandbox.conftest import Lab

PEER, PEER_ADDRESS = "peer-0", "10.0.1.20"
HOST, ADDRESS = "adopted-0", "10.0.1.21"
OPERATOR = "10.8.0.10"
USERS = {"root-without-sudo": "root", "user-of-a-domain": "chef.admin@corp.example"}
# What is refused, and with which words; all else works.
REFUSED = {
    "shell-nologin": "This account is currently not available",
    "start-up-exits": "",
    "start-up-prints": "correct its start-up files on the primary",
    "host-key-rsa": "no matching host key type found",
    "sudo-requiretty": "let ubuntu use sudo there without a password and without a terminal",
    "sudo-restricted": "let ubuntu use sudo there without a password and without a terminal",
    "keys-by-command": "AuthorizedKeysFile none",
    "operator-alone": "likely AllowUsers",
    "operator-left-out": "Permission denied",
}
# It may copy itself; as a primary it is refused.
AS_PRIMARY = ("keys-by-command", "operator-alone", "start-up-prints")
NONCE = "5e" * 32


class Refused(Exception):
    """What the operator reads."""


@dataclass
class Server:
    """A host as the stack meets it; `key` is the host key that every connection demands, once it is known."""

    lab: Lab
    name: str
    address: str
    user: str
    folder: Path
    key: str = ""
    copy_key: str = ""

    def _options(self) -> list[str]:
        own = ["-F", "/dev/null", "-i", str(self.lab.sandbox.operator_key), "-o", "IdentitiesOnly=yes"]
        own += ["-o", "IdentityAgent=none", "-o", "BatchMode=yes", "-o", "GlobalKnownHostsFile=/dev/null"]
        known = self.folder / f"{self.name}.known"
        if not self.key:
            return [*own, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
        known.write_text(f"{self.address} {self.key}\n")
        # As the official plugin: the kind of the pinned key is the one algorithm that it offers.
        kind = self.key.split()[0]
        return [
            *own,
            "-o",
            "StrictHostKeyChecking=yes",
            "-o",
            f"UserKnownHostsFile={known}",
            "-o",
            f"HostKeyAlgorithms={kind}",
        ]

    def run(self, program: str, *words: str, given: str) -> str:
        login = [program, *self._options(), *words]
        argv = [*network.enter(self.lab.sandbox.operator), *login]
        done = subprocess.run(argv, input=given, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode != 0:
            raise Refused(done.stdout + done.stderr)
        return done.stdout

    def ssh(self, command: str, given: str = "") -> str:
        return self.run("ssh", "-l", self.user, self.address, command, given=given)

    def task(self, script: str, name: str = "chef-install", tail: int = 5) -> str:
        return self.ssh(scripts.runner(name, 60, tail, script), script)

    def meet(self) -> None:
        self.key = next(iter(printed_host_keys(self.ssh(scripts.HOST_KEY))), "")
        assert self.key, "no host key was printed"
        script = scripts.connect_existing(60, f"project/stack/{self.name}").text
        (self.copy_key,) = printed_keys(self.ssh(scripts.connecting(script), script))

    def share_with(self, other: Server) -> None:
        self.task(scripts.share(self.user, [(other.address, other.copy_key)]).text, "chef-share")

    def copy_from(self, other: Server) -> None:
        self.task(scripts.copy("chef", other.user, 22, other.address, other.key).text, "chef-copy")


def boot(lab: Lab, name: str, address: str, folder: Path, user: str = "ubuntu") -> Server:
    lab.boot(HostSpec(name, name, address, 24, "base"))
    lab.output(name, f"mkdir -p /etc/opscode; echo {name} > /etc/opscode/webui_priv.pem; chmod 600 /etc/opscode/*")
    return Server(lab, name, address, user, folder)


@pytest.fixture(scope="module")
def peer(running: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    lab = Lab(running, Hosts(running))
    server = boot(lab, PEER, PEER_ADDRESS, tmp_path_factory.mktemp("traits"))
    server.meet()
    yield server
    lab.hosts.terminate(PEER)


@pytest.mark.parametrize("trait", TRAITS)
def test_a_server_with_it_is_taken_over_or_refused_with_the_reason(lab: Lab, peer: Server, trait: str) -> None:
    server = boot(lab, HOST, ADDRESS, peer.folder, USERS.get(trait, "ubuntu"))
    give(lab.hosts, HOST, trait)
    before = lab.output(HOST, "find /etc/opscode -type f -exec sha256sum {} +")
    try:
        server.meet()
        if trait == "no-lang":
            assert server.ssh("sh -c 'echo ${LANG-unset} ${LC_ALL-unset}'") == "unset unset\n"
        assert server.task("id -u; umask\n").split()[-2:] == ["0", "0022"]  # the shell may greet
        log = f"tail -n 1 {scripts.LOGS}/chef-install.log"
        assert server.ssh(f"{scripts.NOTHING}; {scripts.as_root(log)}", "not run\n").split()[-1:] == ["0022"]
        key = "/etc/opscode/webui_priv.pem"
        facts = probe.parse_facts(server.ssh(probe.COMMAND, probe.script(NONCE, [key], [22, 10000], {}, server.user)))
        assert (facts.source, facts.prepared, facts.listens) == (OPERATOR, True, frozenset({22})), "doctor can ask"
        assert facts.files[key].digest == probe.keyed(NONCE, f"{HOST}\n")
        peer.share_with(server)
        server.copy_from(peer)
        assert lab.output(HOST, "cat /etc/opscode/webui_priv.pem") == PEER
        lab.output(HOST, f"echo {HOST} > /etc/opscode/webui_priv.pem")
        server.share_with(peer)
        peer.copy_from(server)
        assert lab.output(PEER, "cat /etc/opscode/webui_priv.pem") == HOST
        lab.output(PEER, f"echo {PEER} > /etc/opscode/webui_priv.pem")
    except Refused as refused:
        assert trait in REFUSED, refused
        assert REFUSED[trait] in str(refused)
        if trait not in AS_PRIMARY:
            assert lab.output(HOST, "find /etc/opscode -type f -exec sha256sum {} +") == before
    else:
        assert trait not in REFUSED, "it works"


@pytest.fixture(scope="module")
def package(peer: Server) -> Package:
    """One with a script of its own, which the peer serves too."""
    control = ("Package: tried", "Version: 1", "Architecture: all", "Maintainer: x <x@x>", "Description: x")
    made = f"mkdir -p /srv/p/DEBIAN; cd /srv; printf '%s\\n' {' '.join(map(quote, control))} > p/DEBIAN/control; "
    made += "printf '#!/bin/sh\\nexit 0\\n' > p/DEBIAN/preinst; chmod 0755 p/DEBIAN/preinst; "
    content = peer.lab.output(PEER, f"{made} dpkg-deb --build p tried.deb > /dev/null; base64 tried.deb")
    peer.lab.output(PEER, "cd /srv && setsid python3 -m http.server 8000 > /dev/null 2>&1 < /dev/null &")
    (peer.folder / "tried.deb").write_bytes(base64.b64decode(content))
    digest = hashlib.sha256(base64.b64decode(content)).hexdigest()
    return Package("tried.deb", digest, url=f"http://{PEER_ADDRESS}:8000/tried.deb")


@pytest.mark.parametrize(
    ("trait", "way", "says"),
    [
        ("banner", "file", ""),
        ("user-of-a-domain", "file", ""),
        ("shell-fish", "file", ""),
        ("tmp-noexec", "file", ""),
        ("start-up-prints", "file", "Received message too long"),
        ("shell-rbash", "file", "Connection closed"),  # it runs nothing by its path, and so no sftp-server
        ("sftp-absent", "file", "subsystem request failed"),
        ("sftp-folder", "file", "the package was uploaded, and is not in /home/ubuntu"),
        ("var-noexec", "file", "/var/lib/dpkg is mounted noexec, and dpkg runs a package's own scripts there"),
        ("no-curl", "url", "there is no curl on this server"),
        *((trait, "url", "") for trait in ("start-up-prints", "shell-rbash", "sftp-absent", "sftp-folder")),
    ],
)
def test_a_package_is_installed_or_what_is_in_the_way_is_told(
    lab: Lab, peer: Server, package: Package, *, trait: str, way: str, says: str
) -> None:
    server = boot(lab, HOST, ADDRESS, peer.folder, USERS.get(trait, "ubuntu"))
    give(lab.hosts, HOST, trait)
    given = package if way == "url" else replace(package, url=None, file=package.name)
    before = lab.output(HOST, "cat /var/lib/dpkg/status")
    try:
        server.meet()
        if TRAITS[trait].noexec:
            lab.output(HOST, f"cd {TRAITS[trait].noexec}; cp /bin/true .; if ./true 2> /dev/null; then exit 1; fi")
        if way == "file":
            put = f"put {peer.folder / package.name} {scripts.uploaded(given)}\n"
            server.run("sftp", "-b", "-", "-o", f"User={server.user}", ADDRESS, given=put)
        server.task(scripts.install(given, server.user).text)
    except Refused as refused:
        assert says, refused
        assert says in str(refused)
        assert lab.output(HOST, "cat /var/lib/dpkg/status") == before, "nothing is half installed"
    else:
        assert not says, "it works"
        assert lab.output(HOST, "dpkg-query -W -f '${Status}' tried") == "install ok installed"


ASK = """import asyncio, json, sys
from chef_push_jobs.engine import first_contact
try:
    asyncio.run(first_contact.contact(json.loads(sys.argv[1])))
except Exception as why:
    print(type(why).__name__, why)"""


def contact(server: Server, **connection: str) -> str:
    """What `pulumi up` finds before the plugin dials."""
    key = server.lab.sandbox.operator_key.read_text()
    asked = json.dumps({"host": ADDRESS, "user": server.user, "privateKey": key, **connection})
    argv = [*network.enter(server.lab.sandbox.operator), sys.executable, "-c", ASK, asked]
    begun = time.monotonic()
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    assert time.monotonic() - begun < 15, "nobody waits in the dark"
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("trait", "met_before", "says"),
    [
        ("host-key-ecdsa", False, ""),
        ("host-key-ecdsa", True, "OtherKey the host key is of another kind"),  # sshd hangs up on who demands the other
        (
            "host-key-rsa",
            False,
            "OtherKey the host key is of another kind",
        ),  # nor does it sign as the plugin demands it
        ("host-key-elsewhere", True, "OtherKey the host key is SHA256:"),
        ("operator-left-out", True, "TurnedAway sshd lets none of the 1 keys in as ubuntu"),
        ("shell-nologin", True, ""),
    ],
)
def test_what_dialling_cannot_mend_is_told_before_the_plugin_dials(
    lab: Lab, peer: Server, trait: str, met_before: bool, says: str
) -> None:
    server = boot(lab, HOST, ADDRESS, peer.folder)
    pinned = printed_host_keys(server.ssh(scripts.HOST_KEY))[0]
    give(lab.hosts, HOST, trait)
    if not met_before:
        pinned = printed_host_keys(server.ssh(scripts.HOST_KEY))[0]
    told = contact(server, hostKey=pinned)
    assert told.startswith(says) and bool(told) == bool(says)


def test_an_unknown_user_is_told_before_the_plugin_dials(lab: Lab, peer: Server) -> None:
    server = boot(lab, HOST, ADDRESS, peer.folder, "nobody-of-here")
    assert contact(server).startswith("TurnedAway sshd lets none of the 1 keys in as nobody-of-here")


def test_a_server_is_pinned_by_a_key_of_any_kind_that_the_plugin_can_ask_for(lab: Lab, peer: Server) -> None:
    server = boot(lab, HOST, ADDRESS, peer.folder)
    give(lab.hosts, HOST, "host-keys-of-each-kind")
    keys = printed_host_keys(server.ssh(scripts.HOST_KEY))
    assert [key.split()[0] for key in keys] == ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"]
    told = [contact(server, hostKey=key) for key in keys]
    assert told == ["", "", f"OtherKey the host key is of another kind, not {fingerprint(keys[2])}"]


def test_ruby_of_chef_server_exchanges_two_folders_in_one_call(lab: Lab, peer: Server) -> None:
    boot(lab, HOST, ADDRESS, peer.folder)
    copy = scripts.copy("chef", "ubuntu", 22, PEER_ADDRESS, "ssh-ed25519 AAAA").text
    exchange = copy[copy.index("exchange() {") : copy.index("\n}\n", copy.index("exchange() {")) + 3]
    exchange = exchange.replace("/opt/opscode/embedded/bin/ruby", "ruby")
    folders = "mkdir /srv/old /srv/new; touch /srv/old/of-old /srv/new/of-new"
    assert lab.output(HOST, f"{folders}\n{exchange}exchange /srv/new /srv/old && ls /srv/old /srv/new").split() == [
        *("/srv/new:", "of-old"),
        *("/srv/old:", "of-new"),
    ]
