"""High availability of two backends: keepalived's configuration, its script, who is master, and `ha-status`.

keepalived itself is Debian's: VRRP by unicast, IP protocol 112. Sources: private-chef cookbook, recipes/keepalived.rb,
templates/default/keepalived.conf.erb and cluster.sh.erb; chef-server-ctl/plugins/ha.rb; enterprise-chef-common,
libraries/helpers.rb. Debian's keepalived is newer than Chef's: `unicast_src_ip` is what that one does not know.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from string import Template
from typing import Any

from . import services, vip
from .files import directory, write
from .services import Service

DIRECTORY = "/var/opt/opscode/keepalived"
CURRENT = f"{DIRECTORY}/current_cluster_status"
REQUESTED = f"{DIRECTORY}/requested_cluster_status"
SCRIPT = f"{DIRECTORY}/bin/cluster.sh"
LOG = f"{services.LOGS}/keepalived/cluster.log"
RUN = f"""#!/bin/sh
exec 2>&1
exec chpst -P /opt/opscode/embedded/sbin/keepalived --log-console --log-detail --dump-conf --dont-fork --vrrp \\
  --pid=/run/opscode-keepalived.pid --vrrp_pid=/run/opscode-keepalived-vrrp.pid \\
  --use-file={DIRECTORY}/etc/keepalived.conf
"""
# Chef's keepalived leaves its scripts alone when it stops; this one would end them.
DETACHED = "/usr/bin/setsid --fork"
CONFIGURATION = Template("""global_defs {
  script_user root
}
vrrp_sync_group PC_GROUP {
  group {
    PC_VI
  }
}
vrrp_instance PC_VI {
  state BACKUP
  nopreempt
  preempt_delay 30
  interface $interface
  virtual_router_id 1
  priority 100
  advert_int 1
$peers
  notify_backup "$detached $script backup"
  notify_master "$detached $script master"
  notify_fault "$detached $script fault"
  notify_stop "$detached $script backup"
  authentication {
    auth_type PASS
    auth_pass $password
  }
  virtual_ipaddress {
    $address dev $device
  }
}
""")
CLUSTER_SH = Template("""#!/bin/bash
# Stand-in. Makes this backend $$1 (master, backup or fault), and moves the services that were marked for it when
# `chef-server-ctl reconfigure` wrote this script.
export SVWAIT=30

log_me() {
  echo "$$1"
  echo "$$(date -R): $$1" >>$log
}

give_up() {
  log_me "$$1"
  exit 1
}

optional() { # NAME VERB FAILURE
  [ -x "$bin/$$1" ] || return 0
  "$bin/$$1" "$$2" >>$log 2>&1 || give_up "$$3 $$2 failed"
  log_me "$$3 $$2 success"
}

become() {
  log_me "Transitioning to $$1"
  case $$1 in
    master)
      optional ha_backend_storage attach "HA storage"
$start
      optional ha_backend_ip attach "HA BACKEND IP"
      ;;
    backup)
$stop
      log_me "Done stopping services."
      optional ha_backend_storage detach "HA storage"
      optional ha_backend_ip detach "HA BACKEND IP"
      ;;
  esac
  log_me "Transitioned to $$1"
}

busy() {
  [ -e $lock ] && read -r holder <$lock && [ -n "$$holder" ] && [ -d "/proc/$$holder" ]
}

echo "$$1" >$requested
if busy; then
  log_me "Requested transition to $$1"
  give_up "Requested transition to $$1, but state transition already running."
fi
trap 'rm -f $lock; exit' INT TERM EXIT
echo $$$$ >$lock
# Who asks while this is at work only says what is wanted: that is followed until nothing else is.
is=
while wanted=$$(cat $requested) && [ "$$wanted" != "$$is" ]; do
  become "$$wanted"
  is=$$wanted
done
rm -f $lock
trap - INT TERM EXIT
echo "$$is" >$current
""")
START = """\
      log_me "Starting service {0}"
      /opt/opscode/bin/private-chef-ctl start {0} >>{log} 2>&1
      log_me "Start exit code: $?"
      /opt/opscode/init/{0} status >>{log} 2>&1 || give_up "Cannot start {0}. Status exit code: $?\""""
STOP = """\
      log_me "Stopping service {0}"
      /opt/opscode/bin/private-chef-ctl graceful-kill {0} || give_up "Cannot kill {0}\""""


def cluster_script(names: list[str]) -> str:
    """cluster.sh for these services: started in order on the new master, stopped in reverse on the new backup."""
    return CLUSTER_SH.substitute(
        log=LOG,
        bin=f"{DIRECTORY}/bin",
        lock=f"{DIRECTORY}/cluster-transition.lock",
        requested=REQUESTED,
        current=CURRENT,
        start="\n".join(START.format(name, log=LOG) for name in names),
        stop="\n".join(STOP.format(name) for name in reversed(names)),
    )


def configure(keepalived: dict[str, Any], password: str) -> None:
    """Write the scripts anew, for the services that carry the sentinel now, and have keepalived run.

    A new configuration restarts it, which gives up the mastership; a new script does not.
    """
    for path in (DIRECTORY, f"{DIRECTORY}/bin", f"{DIRECTORY}/etc"):
        directory(path, 0o755)
    directory(f"{services.LOGS}/keepalived", 0o750, "opscode", "opscode")
    changed = write(f"{DIRECTORY}/etc/keepalived.conf", _configuration(keepalived, password), 0o644)
    write(SCRIPT, cluster_script(services.keepalive_services()), 0o755)
    was_up = services.pid_of("keepalived") != 0
    services.enable([Service("keepalived", RUN)])
    if was_up and changed:
        services.control("restart", "keepalived")


def _configuration(keepalived: dict[str, Any], password: str) -> str:
    own, peer = (keepalived[f"vrrp_instance_vrrp_unicast_{name}"] for name in ("bind", "peer"))
    return CONFIGURATION.substitute(
        interface=keepalived["vrrp_instance_interface"],
        peers=f"  unicast_src_ip {own}\n  unicast_peer {{\n    {peer}\n  }}" if peer else "",
        detached=DETACHED,
        script=SCRIPT,
        password=password[:8],
        address=keepalived["vrrp_instance_ipaddress"],
        device=keepalived["vrrp_instance_ipaddress_dev"],
    )


def status() -> str | None:
    """master, backup, or None before the first election."""
    return _read(CURRENT) if os.path.exists(CURRENT) else None


def _read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8").strip()


def is_data_master(chef: dict[str, Any], fqdn: str) -> bool:
    """Whether the data is here: `is_data_master?` of the real cookbooks. Without a status, on the bootstrap backend."""
    if chef["topology"] != "ha":
        return bool(chef["role"] != "frontend")
    if chef["role"] != "backend":
        return False
    current = status()
    return bool(chef["servers"][fqdn].get("bootstrap")) if current is None else current == "master"


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
    requested, current = _read(REQUESTED), _read(CURRENT)
    failed = [_check_state(requested, current), *_check_address(chef["keepalived"], current), *_check_services(current)]
    failed = [number for number in failed if number]
    print("\n[ERROR] ERRORS WERE DETECTED.\n" if failed else "\n[OK] all checks passed.\n")
    return failed[-1] if failed else 0


def _check_state(requested: str, current: str) -> int:
    if requested != current:
        print(f"[WARN] inconsistent cluster status, requested: {requested}, current: {current}, failover running?")
        return 2
    print(f"[OK] cluster status = {current}")
    return 0


def _check_address(keepalived: dict[str, Any], current: str) -> list[int]:
    address = keepalived["vrrp_instance_ipaddress"].partition("/")[0]
    found, master = vip.is_here(address), current == "master"
    words = "found VIP IP address" if found else "did not find VIP IP address"
    print(f"[{'OK' if found == master else 'ERROR'}] {words} and I am {'master' if master else 'not master'}")
    device = keepalived["vrrp_instance_interface"]
    there = subprocess.run(["ip", "address", "show", "dev", device], capture_output=True, check=False).returncode == 0
    there_words = f"found VRRP communications interface {device}"
    print(f"[OK] {there_words}" if there else f"[ERROR] VRRP communications interface {device} not found.")
    return [0 if found == master else 3, 0 if there else 8]


def _check_services(current: str) -> list[int]:
    """A failover service must run on the master and only there; any other enabled service must run."""
    moving, failed = services.keepalive_services(), []
    for name in filter(services.enabled, services.all_services()):
        runs, master = services.pid_of(name) != 0, current == "master"
        right = runs == (master or name not in moving)
        what = "is running" if runs else "is not running"
        who = "" if name not in moving else f", and I am {'master' if master else 'not master'}"
        print(f"[{'OK' if right else 'ERROR'}] {name} {what}{who}.")
        failed.append(0 if right else 7)
    return failed
