"""Starts and stops a whole sandbox. `stop` removes everything that belongs to it, even after a crash."""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from sandbox import prerequisites
from sandbox.hosts import network, root_image
from sandbox.hosts.host import Hosts, HostSpec
from sandbox.hosts.layers import BASE
from sandbox.locks import lock
from sandbox.operator import workstation
from sandbox.paths import CLONE, ROOT, Sandbox
from sandbox.processes import SandboxError, end_all, run

CLIENTS = {"client-0": "10.1.0.10", "client-1": "10.1.0.11", "stranger-0": "10.99.0.10"}
PREFIX = 24
DISK = "50%"  # limit for all hosts' disks together, as a share of the memory; only written data needs any
PACKAGE_SOURCES = CLONE / "sandbox" / "packages"
STOP_SECONDS = 5.0

Say = Callable[[str], None]


def start(sandbox: Sandbox, say: Say) -> None:
    """Starts the sandbox, or completes what is missing. If it raises SandboxError, nothing incomplete is left."""
    prerequisites.need_root()
    prerequisites.need_commands()
    with _exclusive(sandbox):
        if not running(sandbox):
            if _traces(sandbox):
                say(f"sandbox {sandbox.name}: parts of it are left from a crash: removing them first")
                _remove(sandbox)
            try:
                _create(sandbox, say)
            except BaseException:
                _remove(sandbox)
                raise
        _boot_clients(sandbox, say)
        say(f"sandbox {sandbox.name} is running; `python -m sandbox status` shows its hosts")


def stop(sandbox: Sandbox, say: Say) -> None:
    """Removes everything of the sandbox; does nothing if there is nothing. Raises SandboxError."""
    prerequisites.need_root()
    if not (_traces(sandbox) or sandbox.lock.exists()):
        say(f"sandbox {sandbox.name} is not running")
        return
    with _exclusive(sandbox):
        _remove(sandbox)
        sandbox.lock.unlink()
    say(f"sandbox {sandbox.name} is removed")


def running(sandbox: Sandbox) -> bool:
    """Whether everything but its hosts exists."""
    processes = (workstation.recorded(file) for file in (sandbox.agent_process, sandbox.cloud_process))
    return os.path.ismount(sandbox.run) and sandbox.cloud_ready.exists() and all(processes)


def _create(sandbox: Sandbox, say: Say) -> None:
    shared = sandbox.operator_key.parent
    shared.mkdir(exist_ok=True)
    with lock(shared / "lock"):  # by all sandboxes of this clone
        workstation.make_key(sandbox)
        _build_packages(sandbox, say)
    root_image.make(say)
    say(f"sandbox {sandbox.name}: network, operator, cloud")
    sandbox.run.mkdir(parents=True)
    run(["mount", "-t", "tmpfs", "-o", f"mode=0700,size={DISK}", "chef-sandbox", str(sandbox.run)])
    sandbox.registry.mkdir()
    sandbox.state.mkdir()
    network.create_router(sandbox)
    workstation.create(sandbox)
    workstation.start_agent(sandbox)
    workstation.start_cloud(sandbox, sys.executable)


def _boot_clients(sandbox: Sandbox, say: Say) -> None:
    """The hosts that are not instances; those that already run are left alone."""
    hosts = Hosts(sandbox)
    states = {status.id: status.state for status in hosts.list()}
    missing = [host for host in CLIENTS if states.get(host) != "running"]
    key = sandbox.operator_public_key.read_text()

    def boot(host: str) -> None:
        hosts.terminate(host)
        hosts.boot(HostSpec(host, host, CLIENTS[host], PREFIX, BASE, key))

    if missing:
        say(f"sandbox {sandbox.name}: booting {', '.join(missing)}")
        with ThreadPoolExecutor() as pool:
            list(pool.map(boot, missing))


def _build_packages(sandbox: Sandbox, say: Say) -> None:
    """Builds this clone's stand-in packages, again if their sources have changed."""
    digest = _digest(PACKAGE_SOURCES)
    stamp = sandbox.packages / ".digest"
    if stamp.exists() and stamp.read_text() == digest:
        return
    say(f"building the stand-in packages in {sandbox.packages}")
    sandbox.packages.mkdir(parents=True, exist_ok=True)
    run(["env", f"PYTHONPATH={CLONE}", sys.executable, "-m", "sandbox.packages", str(sandbox.packages)])
    stamp.write_text(digest)


def _digest(directory: Path) -> str:
    """A digest of all files' paths and contents, except Python's caches."""
    digest = hashlib.sha256()
    for file in sorted(path for path in directory.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        digest.update(f"{file.relative_to(directory)}\0{file.stat().st_mode:o}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _traces(sandbox: Sandbox) -> bool:
    return sandbox.run.exists() or bool(network.namespaces(sandbox))


def _remove(sandbox: Sandbox) -> None:
    cloud = workstation.recorded(sandbox.cloud_process)
    namespaces = network.namespaces(sandbox)
    paths = [sandbox.namespace_path(namespace) for namespace in namespaces]
    if any(os.path.samefile(path, "/proc/self/ns/net") for path in paths):
        raise SandboxError("this command runs inside the sandbox; stop the sandbox from outside")
    if cloud:
        cloud.end(signal.SIGTERM, STOP_SECONDS)
    end_all(paths)
    for namespace in namespaces:
        network.delete(namespace)
    while os.path.ismount(sandbox.run):
        run(["umount", "--lazy", str(sandbox.run)])
    if sandbox.run.exists():
        sandbox.run.rmdir()


@contextmanager
def _exclusive(sandbox: Sandbox) -> Iterator[None]:
    """One start or stop at a time. The lock's owner can remove its file; then the next one creates it again."""
    while True:
        ROOT.mkdir(exist_ok=True)
        with sandbox.lock.open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if sandbox.lock.exists() and os.path.samestat(os.fstat(handle.fileno()), sandbox.lock.stat()):
                yield
                return
