"""Every shell script that a server is ever sent, one function a step. Pure; who runs them, and when, is not said here.

Scripts are POSIX shell, run as root by the task runner that `connect` leaves on each server, and safe to run twice.
"""

from chef_push_jobs.scripts.configuration import chef_settings, configure, failover_settings, push_jobs_settings
from chef_push_jobs.scripts.connecting import CONNECT, HOST_KEY, connect
from chef_push_jobs.scripts.copying import MANIFEST_SCRIPT, SHARER_SCRIPT, copy, share
from chef_push_jobs.scripts.installation import install, require_chef_server, uninstall, uploaded
from chef_push_jobs.scripts.packet_filter import check_firewall
from chef_push_jobs.scripts.runner import NOTHING, RUNNER_SCRIPT, runner
from chef_push_jobs.scripts.services import (
    STANDBY,
    chef_reconfigure,
    push_jobs_reconfigure,
    restart_pushy,
    rotate,
    test,
)
from chef_push_jobs.scripts.shell import HOME, LOGS, MARK, RUNNER, SHARER, in_turn

__all__ = [
    "CONNECT",
    "HOME",
    "HOST_KEY",
    "LOGS",
    "MANIFEST_SCRIPT",
    "MARK",
    "NOTHING",
    "RUNNER",
    "RUNNER_SCRIPT",
    "SHARER",
    "SHARER_SCRIPT",
    "STANDBY",
    "check_firewall",
    "chef_reconfigure",
    "chef_settings",
    "configure",
    "connect",
    "copy",
    "failover_settings",
    "in_turn",
    "install",
    "push_jobs_reconfigure",
    "push_jobs_settings",
    "require_chef_server",
    "restart_pushy",
    "rotate",
    "runner",
    "share",
    "test",
    "uninstall",
    "uploaded",
]
