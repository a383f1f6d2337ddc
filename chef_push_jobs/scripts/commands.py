"""What is typed on a server: the commands that a script is piped to, and the places that they know there."""

from __future__ import annotations

from shlex import quote

HOME = "/var/lib/chef-rollout"
LOGS = "/var/log/chef-rollout"
RUNNER = f"{HOME}/task"
# By this, what the stack puts into files of others is known again.
MARK = "chef-rollout"

# Every login shell there is takes `sh -c` and a text in quotes; hardly anything else means the same to all of them.
_AS_ROOT = 'if [ "$(id -u)" = 0 ]; then as=; else as="sudo -n"; fi; '

# What tells the keys by which a server can be known: those that it shows at the address and port where it was met, or,
# where it cannot look at itself, those in its files. It is asked of a server that nothing is known of: it changes
# nothing, and nothing is sent.
_HOST_KEYS = (
    "set -- $SSH_CONNECTION; "
    'ssh-keyscan -T 5 -t ed25519,ecdsa,rsa -p "$4" "$3" 2> /dev/null | cut -d " " -f 2,3 | grep . || '
    "cat /etc/ssh/ssh_host_ed25519_key.pub /etc/ssh/ssh_host_ecdsa_key.pub /etc/ssh/ssh_host_rsa_key.pub 2> /dev/null"
)
HOST_KEY = f"sh -c {quote(_HOST_KEYS)}"

# Takes the place of a task whose inputs changed for no reason to act. It reads what it is given, or the plugin
# might see a broken pipe.
NOTHING = f"sh -c {quote('cat > /dev/null')}"


def does_nothing(command: str) -> bool:
    """Also where a record of an older version has it, in which the login shell was to redirect."""
    return command.startswith((NOTHING, "cat > /dev/null"))


def as_root(command: str, first: str = "") -> str:
    """A command line that runs `command`, words without quotes, as root, after `first` as the login user."""
    return f"sh -c {quote(f'{first}{_AS_ROOT}exec $as {command}')}"


def runner(name: str, timeout: int, tail_lines: int, script: str) -> str:
    """The command that runs `script` (given on its standard input) as root. `timeout` is in seconds.

    It says how many bytes must come, or a connection that breaks would leave half a script to be run. It is short,
    because every error repeats it. A server that lost its disk has no runner: its shell says so. The runner is read by
    `sh`, because /var may be mounted noexec, and a restricted login shell runs nothing that is named by its path.
    """
    return f"sh {RUNNER} {quote(name)} {timeout} {tail_lines} {len(script.encode())}"


_WITH_ROOT = (
    f'{_AS_ROOT}$as sh -c "$1" || {{ s=$?; [ -z "$as" ] || $as true || '
    'echo "what next: let $(id -un) use sudo there without a password and without a terminal" >&2; exit $s; }'
)


def connecting(script: str) -> str:
    """The command that connect's script is piped to; it needs no runner, the script brings it.

    It too runs the script whole or not at all; the shell takes the last newline off.
    """
    size = len(script.rstrip("\n").encode())
    came = 's=$(cat); n=$(printf %s "$s" | wc -c)'
    refused = f'echo "connect: $n of {size} bytes came, nothing was run: run pulumi up again" >&2; exit 74'
    whole = f'{came}; [ "$n" -eq {size} ] || {{ {refused}; }}; eval "$s"'
    return f"sh -c {quote(_WITH_ROOT)} connect {quote(whole)}"
