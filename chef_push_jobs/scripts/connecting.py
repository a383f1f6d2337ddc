"""The first script of a server: it brings the task runner, makes the key that it copies with, and tells its keys."""

from __future__ import annotations

from chef_push_jobs.scripts.copying import MANIFEST_SCRIPT
from chef_push_jobs.scripts.runner import RUNNER_SCRIPT
from chef_push_jobs.scripts.services import INPUTS, RUNNING
from chef_push_jobs.scripts.shell import HOME, MARK, RUNNER, executable, file

# What tells the key by which a server is known.
HOST_KEY = "cat /etc/ssh/ssh_host_ed25519_key.pub"

# What connect's script is given to; it needs no runner, it brings it.
CONNECT = (
    "sudo -n sh -s || { s=$?; "
    'sudo -n true || echo "what next: let $(id -un) use sudo there without a password" >&2; exit $s; }'
)


# Waits for the first boot, which gives the server its name. Status 2 is: done, with warnings.
_FIRST_BOOT = """\
if command -v cloud-init > /dev/null; then
  booted=0
  cloud-init status --wait > /dev/null || booted=$?
  if [ "$booted" != 0 ] && [ "$booted" != 2 ]; then
    tail -n 10 /var/log/cloud-init-output.log
    echo "the first boot did not end well (cloud-init; its log is above):"
    cloud-init status --long
    exit "$booted"
  fi
fi"""


def connect(limit: int, *, adopts: bool = False) -> str:
    """Prepares a server; prints its SSH host key and the public key that it copies with, a line each.

    It brings the runner, and leaves the rest to it, as a task like any other.
    `adopts`: it also notes what a service that runs there already was started with.
    """
    note = '[ -e "$started_with" ] || [ -z "$(running)" ] || inputs > "$started_with"'
    return "\n".join(
        [
            "set -eu",
            "failed() {",
            "  status=$?",
            '  echo "connect failed on $(hostname -f): exit status $status"',
            '  echo "what next: mend what is named above, then run pulumi up again: it goes on from here"',
            "}",
            "trap 'failed >&2' EXIT",
            "umask 077",
            f"install -d -m 0755 {HOME}",
            f"exec 8> {HOME}/connect.lock",
            "flock 8",
            *file(RUNNER, RUNNER_SCRIPT, "0755"),
            f"exec {RUNNER} connect {limit} 2 8>&- <<'END-OF-TASK'",
            "set -eu",
            "umask 077",
            *([] if adopts else [_FIRST_BOOT]),
            *executable(f"{HOME}/manifest", MANIFEST_SCRIPT),
            f"key={HOME}/id_ed25519",
            f'[ -s "$key.pub" ] || {{ rm -f "$key"; ssh-keygen -q -t ed25519 -N "" -C {MARK} -f "$key"; }}',
            *([RUNNING + INPUTS + note] if adopts else []),
            "cat /etc/ssh/ssh_host_ed25519_key.pub",
            'cat "$key.pub"',
            "END-OF-TASK",
            "",
        ]
    )
