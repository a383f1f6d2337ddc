"""High availability of two backends: who is master, the failover script, `ha-status`.

The bootstrap backend becomes master at its first reconfigure. With the provider aws a daemon (`heartbeat.py`) moves the
role from then on, address and volume with it. Otherwise the stand-in has no VRRP and no shared storage: the real
commands `chef-server-ctl master-recover` and `backup-recover` move the role by hand.
"""

from __future__ import annotations

import os
from pathlib import Path
from string import Template
from typing import Any

from . import services, vip
from .files import StandinError, directory, write

DIRECTORY = "/var/opt/opscode/keepalived"
CURRENT = f"{DIRECTORY}/current_cluster_status"
REQUESTED = f"{DIRECTORY}/requested_cluster_status"
SCRIPT = f"{DIRECTORY}/bin/cluster.sh"
LOG = f"{services.LOGS}/keepalived/cluster.log"
DAEMON = "#!/bin/sh\nexec /opt/opscode/embedded/sbin/keepalived\n"

CLUSTER_SH = Template("""#!/bin/bash
# Stand-in. Makes this backend $$1 (master or backup) and moves the services that were known to keepalived when
# `chef-server-ctl reconfigure` wrote this script.
set -u

log_me() {
  echo "$$1"
  echo "$$(date -R): $$1" >>$log
}

error_exit() {
  log_me "$$1"
  exit 1
}

transition_to_master() {
  /opt/opscode/embedded/bin/ha-backend-ip attach || error_exit "HA BACKEND IP attach failed"
$start
}

transition_to_backup() {
$stop
  /opt/opscode/embedded/bin/ha-backend-ip detach || error_exit "HA BACKEND IP detach failed"
}

case "$${1:-}" in
  master | backup) ;;
  *) error_exit "usage: cluster.sh master|backup" ;;
esac
exec 9>$directory/cluster-transition.lock
echo "$$1" >$requested
flock --nonblock 9 || error_exit "Requested transition to $$1, but state transition already running."
log_me "Transitioning to $$1"
"transition_to_$$1" 9>&-
echo "$$1" >$current
log_me "Transitioned to $$1"
""")


def cluster_script(names: list[str]) -> str:
    """cluster.sh for these services: started in order on the new master, stopped in reverse on the new backup."""
    line = '  log_me "{0} service {1}"\n  /opt/opscode/bin/private-chef-ctl {2} {1} || error_exit "Cannot {2} {1}"'
    return CLUSTER_SH.substitute(
        log=LOG,
        directory=DIRECTORY,
        requested=REQUESTED,
        current=CURRENT,
        start="\n".join(line.format("Starting", name, "start") for name in names),
        stop="\n".join(line.format("Stopping", name, "graceful-kill") for name in reversed(names)),
    )


def is_on_aws(chef: dict[str, Any]) -> bool:
    return bool(chef.get("ha", {}).get("provider") == "aws")


def start() -> None:
    """The daemon, once this backend has its first role; it runs on, whoever is master."""
    services.define("keepalived", DAEMON, ha=False)
    if not services.control("up", "keepalived"):
        raise StandinError(f"keepalived did not start: see {services.LOGS}/keepalived/current")


def configure() -> None:
    """Write the scripts anew, for the services that carry the keepalive_me sentinel now."""
    for path in (DIRECTORY, f"{DIRECTORY}/bin", f"{DIRECTORY}/etc"):
        directory(path, 0o755)
    directory(f"{services.LOGS}/keepalived", 0o750, "opscode", "opscode")
    names = services.keepalive_services()
    write(f"{DIRECTORY}/etc/keepalived.conf", _configuration(), 0o644)
    write(SCRIPT, cluster_script(names), 0o755)


def _configuration() -> str:
    return (
        "! Stand-in: there is no keepalived here. See chef-server-ctl master-recover and backup-recover.\n"
        f'vrrp_sync_group PC_GROUP {{\n  group {{\n    PC_VI\n  }}\n  notify_master "{SCRIPT} master"\n'
        f'  notify_backup "{SCRIPT} backup"\n  notify_fault "{SCRIPT} backup"\n}}\n'
    )


def status() -> str | None:
    """master, backup, or None before the first election."""
    return Path(CURRENT).read_text(encoding="utf-8").strip() if os.path.exists(CURRENT) else None


def is_data_master(chef: dict[str, Any]) -> bool:
    """Whether services that need the data run here: `is_data_master?` of the real cookbooks."""
    if chef["topology"] != "ha":
        return bool(chef["role"] != "frontend")
    return bool(chef["role"] == "backend") and status() == "master"


def ha_status(running: dict[str, Any] | None) -> int:
    """`chef-server-ctl ha-status`: every check as a line; 0, or the status of the last check that failed."""
    if running is None:
        print("[ERROR] cannot check HA status if you haven't completed a reconfigure")
        return 1
    chef = running["private_chef"]
    if not chef["keepalived"]["enable"]:
        print("[ERROR] keepalived HA services not enabled, please configure keepalived according to documentation.")
        return 1
    print("[OK] keepalived HA services enabled.")
    current = status()
    if current is None:
        raise StandinError(f"{CURRENT} is missing")
    failed = [
        number for number in (_check_state(current), _check_vip(chef, current), *_check_services(current)) if number
    ]
    print("\n[ERROR] ERRORS WERE DETECTED.\n" if failed else "\n[OK] all checks passed.\n")
    return failed[-1] if failed else 0


def _check_state(current: str) -> int:
    requested = Path(REQUESTED).read_text(encoding="utf-8").strip()
    if requested != current:
        print(f"[WARN] inconsistent cluster status, requested: {requested}, current: {current}, failover running?")
        return 2
    print(f"[OK] cluster status = {current}")
    return 0


def _check_vip(chef: dict[str, Any], current: str) -> int:
    device, address = chef["keepalived"]["vrrp_instance_ipaddress_dev"], chef["backend_vips"]["ipaddress"]
    if not vip.has_device(device):
        print(f"[ERROR] VRRP communications interface {device} not found.")
        return 8
    print(f"[OK] found VRRP communications interface {device}")
    found, master = vip.is_here(address), current == "master"
    words = "found VIP IP address" if found else "did not find VIP IP address"
    print(f"[{'OK' if found == master else 'ERROR'}] {words} and I am {'master' if master else 'not master'}")
    return 0 if found == master else 3


def _check_services(current: str) -> list[int]:
    """A failover service must run on the master and only there; any other enabled service must run."""
    moving, failed = services.keepalive_services(), []
    for name in filter(services.enabled, services.all_services()):
        runs, master = bool(services.state(name)["pid"]), current == "master"
        right = runs == (master or name not in moving)
        what = "is running" if runs else "is not running"
        who = "" if name not in moving else f", and I am {'master' if master else 'not master'}"
        print(f"[{'OK' if right else 'ERROR'}] {name} {what}{who}.")
        failed.append(0 if right else 7)
    return failed
