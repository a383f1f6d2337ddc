"""All shell scripts that are sent to servers, one file each (`*.sh`).

Pure. Who runs them, and when, is defined elsewhere.

They are POSIX shell, run as root by the task runner (`task.sh`) that `connect` installs on each server, and safe to run
twice. To change one, edit its file. `rendering.py` turns a file into the text that is sent, `tasks.py` defines the
values of each script, `settings_files.py` the texts of settings files (also values), `commands.py` the commands that
scripts are piped to. A changed script only runs again on existing clusters if its step's `revision` changes
(`runbook/steps.py`).
"""

from chef_push_jobs.scripts.commands import (
    HOME,
    HOST_KEY,
    LOGS,
    NOTHING,
    RUNNER,
    as_root,
    connecting,
    does_nothing,
    runner,
)
from chef_push_jobs.scripts.rendering import InTurn, Script, in_turn
from chef_push_jobs.scripts.settings_files import chef_settings, failover_settings, push_jobs_settings
from chef_push_jobs.scripts.tasks import (
    STANDBY,
    check_firewall,
    compare_credentials,
    configure,
    connect,
    connect_existing,
    copy,
    give_way,
    install,
    name_device,
    prepare_volume,
    probe,
    reconfigure_chef_server,
    reconfigure_push_jobs,
    require_chef_server,
    require_lvm,
    require_no_cluster,
    restart_pushy,
    rotate,
    serves,
    share,
    test,
    uninstall,
    uploaded,
)

__all__ = [
    "HOME",
    "HOST_KEY",
    "LOGS",
    "NOTHING",
    "RUNNER",
    "STANDBY",
    "InTurn",
    "Script",
    "as_root",
    "check_firewall",
    "chef_settings",
    "compare_credentials",
    "configure",
    "connect",
    "connect_existing",
    "connecting",
    "copy",
    "does_nothing",
    "failover_settings",
    "give_way",
    "in_turn",
    "install",
    "name_device",
    "prepare_volume",
    "probe",
    "push_jobs_settings",
    "reconfigure_chef_server",
    "reconfigure_push_jobs",
    "require_chef_server",
    "require_lvm",
    "require_no_cluster",
    "restart_pushy",
    "rotate",
    "runner",
    "serves",
    "share",
    "test",
    "uninstall",
    "uploaded",
]
