"""Commands on a server: those that a script is piped to, and the paths that they use there."""

from __future__ import annotations

from shlex import quote

HOME = "/var/lib/chef-rollout"
LOGS = "/var/log/chef-rollout"
RUNNER = f"{HOME}/task"
# Marks what the stack writes into other owners' files, so that it can find that again.
MARK = "chef-rollout"

# Every login shell accepts `sh -c` and a quoted text; hardly anything else means the same in all of them.
_AS_ROOT = 'if [ "$(id -u)" = 0 ]; then as=; else as="sudo -n"; fi; '

# Prints the keys that identify a server: those that it presents at the address and port of the connection or, if it
# cannot connect to itself, those in its files. It is sent to servers that nothing is known about, so it changes and
# sends nothing.
_HOST_KEYS = (
    "set -- $SSH_CONNECTION; "
    'ssh-keyscan -T 5 -t ed25519,ecdsa,rsa -p "$4" "$3" 2> /dev/null | cut -d " " -f 2,3 | grep . || '
    "cat /etc/ssh/ssh_host_ed25519_key.pub /etc/ssh/ssh_host_ecdsa_key.pub /etc/ssh/ssh_host_rsa_key.pub 2> /dev/null"
)
HOST_KEY = f"sh -c {quote(_HOST_KEYS)}"

# Runs instead of a task whose inputs changed for no reason to act. It reads its input, because the plugin might
# otherwise see a broken pipe.
NOTHING = f"sh -c {quote('cat > /dev/null')}"


def does_nothing(command: str) -> bool:
    """Also recognises the command of an older version, which redirected in the login shell."""
    return command.startswith((NOTHING, "cat > /dev/null"))


def as_root(command: str, first: str = "") -> str:
    """A command line that runs `command` (words without quotes) as root, after `first` as the login user."""
    return f"sh -c {quote(f'{first}{_AS_ROOT}exec $as {command}')}"


def runner(name: str, timeout: int, tail_lines: int, script: str) -> str:
    """The command that runs `script` (its standard input) as root. `timeout` is in seconds.

    It contains the number of bytes to expect; otherwise a broken connection would leave half a script to run. It is
    short, because every error repeats it. A server that lost its disk has no runner, and its shell says so. `sh` reads
    the runner, because /var may be mounted noexec, and a restricted login shell runs nothing by its path.
    """
    return f"sh {RUNNER} {quote(name)} {timeout} {tail_lines} {len(script.encode())}"


_WITH_ROOT = (
    f'{_AS_ROOT}$as sh -c "$1" || {{ s=$?; [ -z "$as" ] || $as true || '
    'echo "what next: let $(id -un) use sudo there without a password and without a terminal" >&2; exit $s; }'
)


def connecting(script: str) -> str:
    """The command that connect's script is piped to; it needs no runner, because the script installs it.

    It also runs the script completely or not at all; the shell removes the last newline.
    """
    size = len(script.rstrip("\n").encode())
    came = 's=$(cat); n=$(printf %s "$s" | wc -c)'
    refused = f'echo "connect: $n of {size} bytes came, nothing was run: run pulumi up again" >&2; exit 74'
    whole = f'{came}; [ "$n" -eq {size} ] || {{ {refused}; }}; eval "$s"'
    return f"sh -c {quote(_WITH_ROOT)} connect {quote(whole)}"
