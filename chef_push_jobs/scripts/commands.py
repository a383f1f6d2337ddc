"""What is typed on a server: the commands that a script is piped to, and the places that they know there."""

from __future__ import annotations

from shlex import quote

HOME = "/var/lib/chef-rollout"
LOGS = "/var/log/chef-rollout"
RUNNER = f"{HOME}/task"
# By this, what the stack puts into files of others is known again.
MARK = "chef-rollout"

# What tells the key by which a server is known. It is asked of a server that nothing is known of: it changes nothing,
# and nothing is sent.
HOST_KEY = "cat /etc/ssh/ssh_host_ed25519_key.pub"


# Takes the place of a task whose inputs changed for no reason to act. It reads what it is given, or the plugin
# might see a broken pipe.
NOTHING = "cat > /dev/null"


def runner(name: str, timeout: int, tail_lines: int, script: str) -> str:
    """The command that runs `script` (given on its standard input) as root. `timeout` is in seconds.

    It says how many bytes must come, or a connection that breaks would leave half a script to be run. It is short,
    because every error repeats it. A server that lost its disk has no runner: the login shell says so.
    """
    return f"{RUNNER} {quote(name)} {timeout} {tail_lines} {len(script.encode())}"


def connecting(script: str) -> str:
    """The command that connect's script is piped to; it needs no runner, the script brings it.

    It too runs the script whole or not at all; the shell takes the last newline off.
    """
    size = len(script.rstrip("\n").encode())
    came = 's=$(cat); n=$(printf %s "$s" | wc -c)'
    refused = f'echo "connect: $n of {size} bytes came, nothing was run: run pulumi up again" >&2; exit 74'
    return (
        f"sudo -n sh -c '{came}; [ $n = {size} ] || {{ {refused}; }}; eval \"$s\"' || {{ s=$?; "
        'sudo -n true || echo "what next: let $(id -un) use sudo there without a password" >&2; exit $s; }'
    )
