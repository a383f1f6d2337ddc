"""The servers of a measurement: hosts of a sandbox, bare or with Chef server, reset to that before each rollout.

They are what people have who look after servers of their own: a name for each in /etc/hosts, and on the two backends
DRBD, played by a command that does nothing and a folder that both have.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shlex import quote
from typing import TypeVar

from bench import work
from bench.measure import busy
from bench.work import Place
from chef_push_jobs.cli.doctor import probe
from components.servers import first_boot
from sandbox.hosts import layers, network
from sandbox.hosts.host import Hosts, HostSpec
from sandbox.operator import engine, workstation
from sandbox.paths import Sandbox
from sandbox.processes import end_all

T = TypeVar("T")
R = TypeVar("R")

PACKAGE_PORT = 80
VIP = "10.0.1.250"
QUIET = 0.05  # of the CPU time
SETTLED_SECONDS = 6.0

# Waits until the first backend is master, before the other boots; nothing to wait for where Chef server is not set up.
MASTER = """\
[ -e /etc/opscode/chef-server-running.json ] || exit 0
timeout 60 sh -c 'until chef-server-ctl ha-status | grep -q "cluster status = master"; do sleep 0.2; done'
"""
# The state that a rollout must end in, except what is secret, of which the servers must have the same.
STATE = """\
dpkg-query -W -f '${Package} ${Version} ${Status}\\n' chef-server-core opscode-push-jobs-server
for folder in /etc/opscode /etc/opscode-push-jobs-server; do
  cd $folder
  find . -type f ! -name '*.json' ! -name '*.pem' ! -name '*.pub' -exec sha256sum {} + | sort
  find . | sort
done
echo "service $(chef-server-ctl status 2> /dev/null | grep -c 'run: opscode-pushy-server')"
"""
# Chef server encrypts its secrets differently each time that it writes them. Push jobs' own are files, or from 2.2 on a
# group of those secrets.
*_FILES, _STORE = probe.CREDENTIALS
_GROUP = "import json, sys; print(sorted(json.load(sys.stdin).get('push-jobs-server', {}).items()))"
CREDENTIALS = f"""\
{{
  cat /etc/opscode/*.pem {" ".join(_FILES)} 2> /dev/null
  /opt/opscode/embedded/bin/veil-dump-secrets {_STORE} | python3 -c {quote(_GROUP)}
}} | sha256sum
"""
TESTED = "tail -n 1 /var/log/chef-rollout/push-jobs-test.log"


class NotTheSame(Exception):
    """A contender left servers in a different state than it should."""


class Farm:
    """`count` servers in a running sandbox. `folder` is for the operator's files."""

    def __init__(self, sandbox: Sandbox, count: int, folder: Path) -> None:
        self.sandbox, self.hosts, self.folder = sandbox, Hosts(sandbox), folder
        self._names = work.names(count)
        self.known_hosts = folder / "known_hosts"
        self.places: list[Place] = []
        self.boot_seconds = 0.0
        self._packages: subprocess.Popen[bytes] | None = None

    def boot(self) -> None:
        """Boots all servers, with nothing of Chef's on them."""
        key = self.sandbox.operator_public_key.read_text()
        begun = time.monotonic()
        specs = [
            HostSpec(name, name, f"10.0.1.{10 + at}", 24, layers.BASE, key, first_boot(f"{name}.{work.DOMAIN}"))
            for at, name in enumerate(self._names)
        ]
        self.hosts.boot(specs[0])  # creates the image's layer
        each(specs[1:], self.hosts.boot)
        self.boot_seconds = time.monotonic() - begun
        told = [self.output(name, "cat /etc/ssh/ssh_host_ed25519_key.pub").strip() for name in self._names]
        self.places = [Place(spec.name, spec.address, line) for spec, line in zip(specs, told, strict=True)]
        self._furnish()
        lines = [f"{place.address} {place.public_key}\n" for place in self.places]
        self.known_hosts.write_text("".join(lines))

    def save(self) -> None:
        """Saves the servers' disks as they are now, for `reset`, in place of what was saved before."""
        self._stop()
        for name in self._names:
            _replace(self._disk(name) / "root", self._saved(name) / "root")
        _replace(self._volumes, self._saved("volumes"))

    def reset(self, kind: str) -> float:
        """Resets all servers to what was saved; commands take as long as `kind` says (see `work.durations`).

        Returns the share of the CPUs that is then busy: the higher it is, the less a measurement is worth.
        """
        self._stop()
        each(self._names, lambda name: self._restore(name, kind))
        _replace(self._saved("volumes"), self._volumes)
        first, *others = self._names
        self.hosts.reboot(first)
        self.output(first, MASTER)
        each(others, self.hosts.reboot)
        return self._settle()

    def serve(self, folder: Path) -> str:
        """Serves packages over HTTP where every server can reach them; yields the URL of the directory."""
        address = str(workstation.ADDRESS.ip)
        command = [sys.executable, "-m", "http.server", str(PACKAGE_PORT), "--bind", address]
        self._packages = subprocess.Popen(
            [*network.enter(self.sandbox.operator), *command, "--directory", str(folder)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return f"http://{address}:{PACKAGE_PORT}"

    def close(self) -> None:
        if self._packages:
            self._packages.terminate()
            self._packages.wait()

    def operator(self, argv: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        """The command and its environment on the operator's machine."""
        found = engine.environment(self.sandbox.run / "home")
        return [*network.enter(self.sandbox.operator), *argv], workstation.environment(self.sandbox, found)

    def output(self, name: str, script: str) -> str:
        done = self.hosts.exec(name, ["sh", "-c", script])
        if done.returncode:
            raise NotTheSame(f"{name}: {script}: exit status {done.returncode}: {done.stdout}{done.stderr}")
        return str(done.stdout)

    def connections(self) -> dict[str, int]:
        """SSH logins by the operator since the server was created, by server."""
        log = f"grep -c 'Accepted .* from {workstation.ADDRESS.ip} ' /var/log/sshd.log || [ $? = 1 ]"
        return dict(
            zip(self._names, (int(told) for told in each(self._names, lambda n: self.output(n, log))), strict=True)
        )

    def state(self, count: int | None = None) -> dict[str, str]:
        """The state after a rollout, by server, of all or of the first `count`.

        Raises NotTheSame if credentials differ or the test did not pass.
        """
        names = self._names[:count]
        credentials = set(each(names, lambda name: self.output(name, CREDENTIALS)))
        if len(credentials) != 1:
            raise NotTheSame("the servers have different credentials")
        if "0 failures" not in (tested := self.output(names[0], TESTED)):
            raise NotTheSame(f"the test did not pass: {tested}")
        return dict(zip(names, each(names, lambda name: self.output(name, STATE)), strict=True))

    def _furnish(self) -> None:
        """Writes what a server has before anybody installs Chef server on it."""
        vip = f'backend_vip "{self.places[0].fqdn}", :ipaddress => "{VIP}", :device => "eth0", '
        texts = {"/usr/sbin/drbdadm": "#!/bin/sh\n", work.INCLUDED: f'{vip}:heartbeat_device => "eth0"\n'}
        writes = [f"printf %s {quote(text)} > {path}; chmod 755 {path}" for path, text in texts.items()]
        for place in self.places:
            others = "".join(f"{other.address} {other.fqdn}\n" for other in self.places if other != place)
            self.output(place.name, "\n".join([f"printf %s {quote(others)} >> /etc/hosts", *writes]))

    def _stop(self) -> None:
        end_all([self.sandbox.namespace_path(self.sandbox.namespace(name)) for name in self._names])

    def _restore(self, name: str, kind: str) -> None:
        root, work_directory = self._disk(name) / "root", self._disk(name) / "root.work"
        shutil.rmtree(work_directory)
        _replace(self._saved(name) / "root", root)
        work_directory.mkdir(mode=0o755)
        asked = {"durations": work.durations(kind, name)}
        (root / "etc" / "chef-standin.json").write_text(json.dumps(asked))

    def _settle(self) -> float:
        """Waits until the machine is idle, within a limit, because others may use it.

        Returns the share that is then busy.
        """
        deadline = time.monotonic() + SETTLED_SECONDS
        while (now := busy()) > QUIET and time.monotonic() < deadline:
            pass
        return now

    def _disk(self, name: str) -> Path:
        return self.sandbox.host(name)

    @property
    def _volumes(self) -> Path:
        """The folder that stands for the backends' DRBD."""
        return self.sandbox.run / "volumes"

    def _saved(self, name: str) -> Path:
        return self.sandbox.run / "saved" / name


def each(items: Iterable[T], do: Callable[[T], R]) -> list[R]:
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(do, items))


def _replace(source: Path, target: Path) -> None:
    """Copies a folder to where there may be one already."""
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)
