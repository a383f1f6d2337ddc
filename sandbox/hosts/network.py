"""The network of one sandbox: namespaces on a bridge in the router's namespace. Leaves this machine's network alone."""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import TypeVar

from sandbox.paths import METADATA, NAMESPACES, RESOLVER, ROOT, Sandbox
from sandbox.processes import run

T = TypeVar("T")

NEW_NETWORK = 0x40000000  # CLONE_NEWNET
BRIDGE = "br0"
BRIDGE_MAC = "02:00:00:00:00:01"  # fixed: else it follows its ports, and hosts send to an old one
ROUTER_SETTINGS = {"ip_forward": "1", "conf/all/send_redirects": "0", "conf/default/send_redirects": "0"}


def enter(namespace: str) -> list[str]:
    """The command prefix that runs something in a namespace."""
    return ["nsenter", f"--net={NAMESPACES / namespace}"]


def exists(namespace: str) -> bool:
    return (NAMESPACES / namespace).exists()


def namespaces(sandbox: Sandbox) -> list[str]:
    """All namespaces of this sandbox."""
    return sorted(path.name for path in NAMESPACES.glob(sandbox.namespace_prefix + "*"))


def create(namespace: str) -> None:
    """Creates a namespace.

    One at a time on this machine: the first one creates iproute2's directory, and several would clash.
    """
    ROOT.mkdir(exist_ok=True)
    handle = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        run(["ip", "netns", "add", namespace])
    finally:
        os.close(handle)


def delete(namespace: str) -> None:
    run(["ip", "netns", "delete", namespace])


def create_router(sandbox: Sandbox) -> None:
    create(sandbox.router)
    settings = "; ".join(f"echo {value} >/proc/sys/net/ipv4/{key}" for key, value in ROUTER_SETTINGS.items())
    run([*enter(sandbox.router), "sh", "-euc", settings])
    batch(sandbox.router, f"link add {BRIDGE} address {BRIDGE_MAC} type bridge\nlink set {BRIDGE} up\nlink set lo up\n")
    batch(sandbox.router, f"addr add {METADATA}/32 dev lo\naddr add {RESOLVER}/32 dev lo\n")


def attach(sandbox: Sandbox, namespace: str, interface: IPv4Interface) -> None:
    """Connects a namespace's eth0 to the router, its subnet's gateway from then on; `configuration` brings eth0 up."""
    port = _port(namespace)
    batch(
        sandbox.router,
        f"link add {port} type veth peer name eth0 address {_mac(interface.ip)} netns {namespace}\n"
        f"link set {port} master {BRIDGE} up\n"
        f"addr replace {gateway(interface)}/{interface.network.prefixlen} dev {BRIDGE}\n",
    )


def detach(sandbox: Sandbox, namespace: str) -> None:
    """Disconnects it at once: the kernel would do it too, but some time after the namespace is gone."""
    port = _port(namespace)
    run(
        [*enter(sandbox.router), "sh", "-euc", f"[ ! -e /proc/sys/net/ipv4/conf/{port} ] || exec ip link delete {port}"]
    )


def configuration(interface: IPv4Interface) -> str:
    """`ip -batch` lines for the namespace itself; safe to repeat."""
    return (
        "link set lo up\n"
        f"addr replace {interface.with_prefixlen} dev eth0\n"
        "link set eth0 up\n"
        f"route replace default via {gateway(interface)}\n"
    )


def gateway(interface: IPv4Interface) -> IPv4Address:
    return interface.network.network_address + 1


def batch(namespace: str, commands: str) -> None:
    run([*enter(namespace), "ip", "-batch", "-"], stdin=commands)


def inside(namespace: Path, do: Callable[[], T]) -> T:
    """The result of `do` inside a network namespace; a socket that it opens stays there.

    Runs in a separate thread, so only that thread enters the namespace. Raises what `do` raises.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_entered, namespace, do).result()


def _entered(namespace: Path, do: Callable[[], T]) -> T:
    handle = os.open(namespace, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(handle, NEW_NETWORK) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
    finally:
        os.close(handle)
    return do()


def listens(pid: int, port: int) -> bool:
    """Whether a TCP port accepts connections in the network namespace of a process; False if the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    except (FileNotFoundError, ProcessLookupError):
        return False  # it has ended or is about to: its namespace ends before it does
    return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in lines)


def _port(namespace: str) -> str:
    """The router's end of the cable: a name of at most 15 characters."""
    return "v" + hashlib.sha256(namespace.encode()).hexdigest()[:12]


def _mac(address: IPv4Address) -> str:
    """Derived from the address, so that neighbours that knew an earlier host there reach the next one at once."""
    return ":".join(f"{byte:02x}" for byte in (0x02, 0, *address.packed))
