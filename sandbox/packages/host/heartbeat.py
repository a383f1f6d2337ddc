"""The keepalived daemon of a backend on AWS: a heartbeat to the other one by protocol 112, and cluster.sh when it
stops.

The master sends, the standby listens. Silence makes the standby master, so does a master that says it stops. Of two
masters the one with the lower address gives way. Left out: VRRP's own packets, priorities, authentication.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any, NoReturn

from . import keepalived, vip
from .chef_server import fqdn, running_config
from .files import StandinError

INTERVAL = 0.5
SILENCE = 3.0  # seconds without the master until the standby takes over
AGAIN = 5.0  # seconds until it tries again, when it could not
VRRP = 112  # the protocol that the firewall between the backends lets through
ALIVE, LEAVES = b"chef-ha stand-in: master", b"chef-ha stand-in: leaves"


def _payload(packet: bytes) -> bytes:
    """What stands after the IP header."""
    return packet[(packet[0] & 0x0F) * 4 :]


@dataclass
class Daemon:
    own: str
    peer: str
    link: socket.socket
    master: bool = False
    moving: subprocess.Popen[bytes] | None = None
    heard: float = field(default_factory=time.monotonic)

    def tell(self, payload: bytes) -> None:
        try:
            self.link.sendto(payload, (self.peer, 0))
        except OSError as error:  # no route for a moment: the next one may get through
            print(f"heartbeat to {self.peer}: {error}", flush=True)

    def become(self, master: bool) -> None:
        state = "master" if master else "backup"
        print(f"becomes {state}", flush=True)
        self.master = master
        self.moving = subprocess.Popen([keepalived.SCRIPT, state], stdin=subprocess.DEVNULL)

    def listen(self, until: float) -> None:
        while (left := until - time.monotonic()) > 0:
            self.link.settimeout(left)
            try:
                packet, (sender, _) = self.link.recvfrom(2048)
            except TimeoutError:
                return
            payload = _payload(packet)
            if sender != self.peer or payload not in (ALIVE, LEAVES):
                continue
            self.heard = time.monotonic() if payload == ALIVE else float("-inf")
            if self.master and payload == ALIVE and not self.moving and IPv4Address(self.own) < IPv4Address(self.peer):
                self.become(master=False)

    def turn(self) -> None:
        """One interval: say that the master is alive, listen, and act on silence."""
        if self.master:
            self.tell(ALIVE)
        self.listen(time.monotonic() + INTERVAL)
        if self.moving and self.moving.poll() is not None:
            failed, self.moving = self.moving.returncode != 0, None
            if failed and self.master:
                self.become(master=False)
                self.heard = time.monotonic() + AGAIN
        elif not self.moving and not self.master and time.monotonic() - self.heard > SILENCE:
            self.become(master=True)

    def leave(self) -> None:
        """Give up everything before the other one is told."""
        if self.moving:
            self.moving.wait()
        if self.master:
            subprocess.run([keepalived.SCRIPT, "backup"], check=False, stdin=subprocess.DEVNULL)
            self.tell(LEAVES)


def settled(chef: dict[str, Any], daemon: Daemon) -> None:
    """Take up the role that was left: after a boot the master's only if nobody has it by now."""
    address, device = chef["backend_vips"]["ipaddress"], chef["keepalived"]["vrrp_instance_ipaddress_dev"]
    was = keepalived.status() == "master"
    if was and vip.is_here(address):
        daemon.master = True
    elif was:
        daemon.become(master=not vip.held_elsewhere(address, device))


def _stop(*_: object) -> NoReturn:
    raise SystemExit(0)


def main() -> int:
    running = running_config()
    if running is None:
        raise StandinError("keepalived needs a configured Chef server")
    chef, own = running["private_chef"], fqdn()
    backends = {name: server for name, server in chef["servers"].items() if server["role"] == "backend"}
    addresses = {name: server.get("cluster_ipaddress") or server["ipaddress"] for name, server in backends.items()}
    (peer,) = (address for name, address in addresses.items() if name != own)
    daemon = Daemon(addresses[own], peer, socket.socket(socket.AF_INET, socket.SOCK_RAW, VRRP))
    signal.signal(signal.SIGTERM, _stop)
    try:
        settled(chef, daemon)
        while True:
            daemon.turn()
    finally:
        daemon.leave()
