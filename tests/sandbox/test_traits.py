"""Servers as people have them, over real sshd: each trait works, or is refused with its reason and changes nothing.

The product's own command lines and scripts, as the command plugin sends them: no terminal, the script as the input.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from chef_push_jobs import scripts
from chef_push_jobs.cli.doctor.probe import COMMAND
from chef_push_jobs.model.ssh_keys import printed_host_keys, printed_keys
from sandbox.hosts import network
from sandbox.hosts.host import Hosts, HostSpec
from sandbox.hosts.traits import TRAITS
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
    "start-up-prints": "mend its start-up files on the primary",
    "host-key-rsa": "no matching host key type found",
    "sudo-requiretty": "let ubuntu use sudo there without a password and without a terminal",
    "sudo-restricted": "let ubuntu use sudo there without a password and without a terminal",
    "keys-by-command": "AuthorizedKeysFile none",
    "operator-alone": "likely AllowUsers",
}


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
        script = scripts.connect(60, f"project/stack/{self.name}", adopts=True).text
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
    lab.output(HOST, TRAITS[trait].script)
    before = lab.output(HOST, "find /etc/opscode -type f -exec sha256sum {} +")
    try:
        server.meet()
        assert server.task("id -u; umask\n").split()[-2:] == ["0", "0022"]  # the shell may greet
        log = f"tail -n 1 {scripts.LOGS}/chef-install.log"
        assert server.ssh(f"{scripts.NOTHING}; {scripts.as_root(log)}", "not run\n").split()[-1:] == ["0022"]
        assert f"from\t{OPERATOR}\n0\n" in server.ssh(COMMAND, "id -u\n"), "doctor can ask"
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
        if trait not in (
            "keys-by-command",
            "operator-alone",
            "start-up-prints",
        ):  # it may copy; as a primary it is refused
            assert lab.output(HOST, "find /etc/opscode -type f -exec sha256sum {} +") == before
    else:
        assert trait not in REFUSED, "it works"


@pytest.mark.parametrize(
    ("trait", "says"),
    [
        ("banner", ""),
        ("user-of-a-domain", ""),
        ("shell-fish", ""),
        ("start-up-prints", "Received message too long"),
        ("shell-rbash", "Connection closed"),  # it runs nothing by its path, and so no sftp-server
    ],
)
def test_a_package_can_be_uploaded_or_the_shell_is_in_the_way(
    lab: Lab, peer: Server, tmp_path: Path, trait: str, says: str
) -> None:
    server = boot(lab, HOST, ADDRESS, tmp_path, USERS.get(trait, "ubuntu"))
    lab.output(HOST, TRAITS[trait].script)
    (tmp_path / "package").write_text("a package")
    given = f"put {tmp_path / 'package'} chef-rollout-package\n"
    try:
        server.run("sftp", "-b", "-", "-o", f"User={server.user}", ADDRESS, given=given)
    except Refused as refused:
        assert says, refused
        assert says in str(refused)
    else:
        assert not says, "it works"
        home = lab.output(HOST, f"getent passwd '{server.user}' | cut -d: -f6")
        assert lab.output(HOST, f"cat {home}/chef-rollout-package") == "a package"


ASK = """import asyncio, json, sys
from chef_push_jobs.engine.shown_keys import other_than_pinned
print(json.dumps(bool(asyncio.run(other_than_pinned(json.loads(sys.argv[1]))))))"""


@pytest.mark.parametrize(
    ("trait", "met_before", "refused"),
    [
        ("host-key-ecdsa", False, False),
        ("host-key-ecdsa", True, True),  # sshd hangs up on who demands the ed25519 key that it had
        ("host-key-rsa", False, True),  # nor does it sign as the plugin demands it
    ],
)
def test_a_key_that_is_not_shown_as_the_plugin_demands_it_is_refused_before_it_dials(
    lab: Lab, peer: Server, trait: str, met_before: bool, refused: bool
) -> None:
    server = boot(lab, HOST, ADDRESS, peer.folder)
    pinned = printed_host_keys(server.ssh(scripts.HOST_KEY))[0]
    lab.output(HOST, TRAITS[trait].script)
    if not met_before:
        pinned = printed_host_keys(server.ssh(scripts.HOST_KEY))[0]
    connection = {"host": ADDRESS, "hostKey": pinned}
    argv = [*network.enter(lab.sandbox.operator), sys.executable, "-c", ASK, json.dumps(connection)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout) == refused
