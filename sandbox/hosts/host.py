"""Hosts: boot, stop, start, reboot, end, list. A host is a network namespace with a root, a first boot and sshd."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.hosts import image_builder, launch, layers, network
from sandbox.hosts.registry import HostError, Record, Registry
from sandbox.locks import lock
from sandbox.paths import Sandbox
from sandbox.processes import Process, end_all, inside, run

__all__ = ["HostError", "HostSpec", "HostStatus", "Hosts"]

SSH_PORT = 22
BOOT_SECONDS = 60.0
VOLUMES = "/usr/lib/chef-sandbox/volumes"  # the directory with the data of all volumes on a host
INIT = "/usr/lib/chef-sandbox/init"
# Like systemd, which gives services 90 s. The signal reaches all processes but pid 1 and this shell.
SHUT_DOWN = """
kill -TERM -1
for tenth in $(seq 50); do
  others=0
  for process in /proc/[0-9]*; do
    case $process in /proc/1 | /proc/$$) ;; *) others=$((others + 1)) ;; esac
  done
  [ $others -gt 0 ] || break
  sleep 0.1
done
"""


@dataclass(frozen=True)
class HostSpec:
    """The specification of a host.

    Its image is one of imaging.PACKAGES, or your own name with patterns of package files.
    """

    id: str
    name: str
    address: str
    prefix: int
    image: str
    authorized_key: str = ""  # OpenSSH public key line of the login user
    user_data: str = ""  # a script, "#!…"
    packages: tuple[str, ...] = ()
    firewall: str = ""  # an nft script that is applied before the first packet


@dataclass(frozen=True)
class HostStatus:
    id: str
    name: str
    address: str
    image: str
    state: str  # "booting", "running" or "dead"
    sshd: bool
    pid: int | None  # of its init, as seen from this machine


class Hosts:
    """The hosts of one sandbox. All state is in files, so that several processes and threads can use it at once."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._registry = Registry(sandbox)
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def boot(self, spec: HostSpec) -> None:
        """Creates a host.

        Returns when its sshd accepts connections. If it raises SandboxError, it leaves nothing behind.
        """
        record = _record(spec)
        namespace = self._sandbox.namespace(spec.id)
        if spec.user_data and not spec.user_data.startswith("#!"):
            raise HostError(
                f'host {spec.id}: user data must be a script, starting with "#!"; cloud-config is not implemented'
            )
        self._registry.claim(record)
        try:
            self._layers(record)
            launch.make_disk(self._sandbox.host(spec.id))
            _write_first_boot(self._sandbox.host(spec.id) / "root", spec)
            network.create(namespace)
            if spec.firewall:
                self.set_firewall(spec.id, spec.firewall)
            network.attach(self._sandbox, namespace, record.interface)
            self._start(record)
        except BaseException:
            self.terminate(spec.id)
            raise

    def terminate(self, host_id: str) -> None:
        """Ends and removes a host and its disk, even an incomplete one; does nothing if there is none."""
        namespace = self._sandbox.namespace(host_id)
        if network.exists(namespace):
            end_all([self._sandbox.namespace_path(namespace)])
            network.detach(self._sandbox, namespace)
            network.delete(namespace)
        self._reap(host_id)
        if self._sandbox.host(host_id).exists():
            shutil.rmtree(self._sandbox.host(host_id))
        self._registry.remove(host_id)

    def stop(self, host_id: str) -> None:
        """Shuts a host down: asks everything in it to end, then ends it; its disk stays."""
        if (init := self._registry.get(host_id).init) and init.works:
            self.exec(host_id, ["sh", "-c", SHUT_DOWN])
        end_all([self._sandbox.namespace_path(self._sandbox.namespace(host_id))])
        self._reap(host_id)

    def start(self, host_id: str) -> None:
        """Starts a host that was shut down, with the same disk. Raises SandboxError."""
        self._start(self._registry.get(host_id))

    def reboot(self, host_id: str) -> None:
        """Cuts a host's power and starts it again with the same disk. Raises SandboxError."""
        record = self._registry.get(host_id)
        end_all([self._sandbox.namespace_path(self._sandbox.namespace(host_id))])
        self._reap(host_id)
        self._start(record)

    def set_firewall(self, host_id: str, ruleset: str) -> None:
        """Applies an nft script in the host's namespace, completely or not at all. Raises SandboxError."""
        namespace = self._sandbox.namespace(host_id)
        if not network.exists(namespace):
            raise HostError(f"there is no host {host_id}, so it has no firewall to set")
        run([*network.enter(namespace), "nft", "-f", "-"], stdin=ruleset)

    def forbid_programs(self, host: str, place: str) -> None:
        """Mounts a directory noexec until the host reboots, because its own root may not mount. Raises SandboxError."""
        init = self._init(host)
        for options in (["--bind", place, place], ["-o", "remount,bind,noexec", place]):
            run(["nsenter", f"--target={init.pid}", "--mount", "mount", *options])

    def take_volume(self, host_id: str, volume: str) -> None:
        """Kills the processes that use a volume's data, because its disk is gone. Does nothing if there is no host."""
        namespace, place = self._sandbox.namespace(host_id), f"{VOLUMES}/{volume}"
        for process in inside([self._sandbox.namespace_path(namespace)]) if network.exists(namespace) else ():
            if process.works_in(place):
                process.end()

    def command(self, host: str, argv: Sequence[str]) -> list[str]:
        """The command that runs `argv` as root inside a host (id or name) from this machine. Raises HostError."""
        return launch.join(self._init(host), argv)

    def _init(self, host: str) -> Process:
        record = self._registry.find(host)
        if record.init is None or not record.init.works:
            raise HostError(f"host {host} does not run; `python -m sandbox status` shows what does")
        return record.init

    def exec(self, host: str, argv: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs something as root inside a host; `options` are subprocess.run's. Raises HostError."""
        defaults: dict[str, Any] = {"text": True, "check": False}
        if not {"stdout", "stderr"} & options.keys():
            defaults["capture_output"] = True
        if not {"stdin", "input"} & options.keys():
            defaults["stdin"] = subprocess.DEVNULL
        return subprocess.run(self.command(host, argv), **(defaults | options))  # noqa: PLW1510 - in the defaults

    def list(self) -> list[HostStatus]:
        """All hosts, by name."""
        return [_status(record) for record in self._registry.all()]

    def _layers(self, record: Record) -> Sequence[Path]:
        """The layers below a host's disk, built for the first host that uses them. Raises SandboxError."""
        with lock(self._sandbox.registry / "layers.lock"):
            if not self._sandbox.layer(layers.BASE).exists():
                layers.build_base(self._sandbox)
            if not self._sandbox.layer(record.image).exists():
                image_builder.build_image(self._sandbox, record.image, record.packages)
        return layers.below(self._sandbox, record.image)

    def _start(self, record: Record) -> None:
        """Runs a host's pid 1 and waits for its sshd. Raises HostError."""
        directory = self._sandbox.host(record.id)
        namespace = self._sandbox.namespace(record.id)
        child = launch.launch(
            directory, namespace, self._layers(record), [INIT], network.configuration(record.interface)
        )
        self._children[record.id] = child
        deadline = time.monotonic() + BOOT_SECONDS
        init: Process | None = None
        while child.poll() is None and time.monotonic() < deadline:
            if init is None and (init := launch.launched(directory)):
                self._registry.started(record.id, init)
            if init and network.listens(init.pid, SSH_PORT):
                return
            time.sleep(0.01)
        raise HostError(f"host {record.id} did not boot; the last of its console:\n{launch.console(directory)}")

    def _reap(self, host_id: str) -> None:
        child = self._children.pop(host_id, None)
        if child:
            child.wait()


def _record(spec: HostSpec) -> Record:
    packages = spec.packages or image_builder.PACKAGES.get(spec.image)
    if packages is None:
        known = ", ".join(image_builder.PACKAGES)
        raise HostError(
            f"host {spec.id}: there is no image {spec.image}, and no packages to make it from; known: {known}"
        )
    return Record(spec.id, spec.name or spec.id, spec.address, spec.prefix, spec.image, packages)


def _write_first_boot(root: Path, spec: HostSpec) -> None:
    """What a cloud image gets from its instance's metadata, written to its disk before it boots."""
    name = "ip-" + spec.address.replace(".", "-")
    files = {"etc/hostname": (f"{name}\n", 0o644), "etc/hosts": (f"127.0.0.1 localhost\n127.0.1.1 {name}\n", 0o644)}
    if spec.user_data:
        files["var/lib/cloud/instance/user-data.txt"] = (spec.user_data, 0o700)
    for path, (content, mode) in files.items():
        layers.make_parents(root, path)
        (root / path).write_text(content)
        (root / path).chmod(mode)
    if spec.authorized_key:
        _authorize(root, spec.authorized_key)


def _authorize(root: Path, key: str) -> None:
    home = f"home/{layers.LOGIN_USER}"
    file = root / home / ".ssh" / "authorized_keys"
    layers.make_parents(root, f"{home}/.ssh/authorized_keys")
    file.write_text(key.strip() + "\n")
    modes: Mapping[Path, int] = {root / home: 0o750, file.parent: 0o700, file: 0o600}
    for path, mode in modes.items():
        path.chmod(mode)
        os.chown(path, layers.LOGIN_UID, layers.LOGIN_UID)


def _status(record: Record) -> HostStatus:
    sshd = record.init is not None and network.listens(record.init.pid, SSH_PORT)
    init = (
        record.init if record.init and record.init.works else None
    )  # checked last, because its network ends before it
    sshd = sshd and init is not None
    state = "running" if sshd else "booting" if init or not record.init else "dead"
    return HostStatus(record.id, record.name, record.address, record.image, state, sshd, init.pid if init else None)
