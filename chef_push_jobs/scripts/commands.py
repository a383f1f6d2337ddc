"""What is typed on a server: the commands that a script is piped to, and the places that they know there."""

from __future__ import annotations

from shlex import quote

HOME = "/var/lib/chef-rollout"
LOGS = "/var/log/chef-rollout"
RUNNER = f"{HOME}/task"
# By this, what the stack puts into files of others is known again.
MARK = "chef-rollout"

# What tells the key by which a server is known.
HOST_KEY = "cat /etc/ssh/ssh_host_ed25519_key.pub"

# What connect's script is piped to; it needs no runner, it brings it.
CONNECT = (
    "sudo -n sh -s || { s=$?; "
    'sudo -n true || echo "what next: let $(id -un) use sudo there without a password" >&2; exit $s; }'
)

# Takes the place of a task whose inputs changed for no reason to act. It reads what it is given, or the plugin
# might see a broken pipe.
NOTHING = "cat > /dev/null"


def runner(name: str, timeout: int, tail_lines: int) -> str:
    """The command that runs a task's script (given on its standard input) as root. `timeout` is in seconds.

    It is short, because every error repeats it. A server that lost its disk has no runner: the login shell says so.
    """
    return f"{RUNNER} {quote(name)} {timeout} {tail_lines}"
