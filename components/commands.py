"""Every shell script that a server is ever sent, one function a step. Pure; who runs them, and when, is not said here.

Scripts are POSIX shell, run as root by the task runner that `connect` leaves on each server, and safe to run twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from shlex import quote

from components.packages import Package

HOME = "/var/lib/chef-rollout"
LOGS = "/var/log/chef-rollout"
RUNNER = f"{HOME}/task"
SHARER = f"{HOME}/shared-files"
MARK = "chef-rollout"

# Runs the script on its standard input: one at a time on a server, no longer than the limit, into a log of its own.
RUNNER_SCRIPT = f"""\
#!/bin/sh
# task NAME LIMIT SHOWS < SCRIPT: runs SCRIPT as root for LIMIT seconds at most; prints its log's last SHOWS lines.
set -u
name=$1 limit=$2 shows=$3
script={HOME}/$name.sh log={LOGS}/$name.log
umask 077
mkdir -p {LOGS}
cat > "$script.new.$$" && mv "$script.new.$$" "$script" || exit 74
started=$(date +%s)
exec 9> {HOME}/lock
if flock --wait "$limit" 9; then
  echo "$name" > {HOME}/running
  umask 022
  timeout --kill-after=10 "$limit" sh "$script" > "$log" 2>&1 < /dev/null 9>&-
  status=$?
  case $status in
    0) if [ "$shows" -gt 0 ]; then tail -n "$shows" "$log"; fi; exit 0 ;;
    124 | 137) why="it took longer than its limit and was ended" ;;
    *) why="exit status $status" ;;
  esac
else
  status=75
  why="$(cat {HOME}/running) still runs on this server, longer than this task's limit"
fi
exec >&2
echo "$name failed on $(hostname -f): $why, after $(($(date +%s) - started)) s (limit $limit s)"
echo "the last lines of its log, $log on that server:"
tail -n 20 "$log" 2> /dev/null | sed 's/^/  | /'
echo "what next: mend what the log names, then run pulumi up again: it goes on from here"
exit $status
"""

# Gives the others what the runbook copies, and nothing else.
SHARER_SCRIPT = f"""\
#!/bin/sh
# shared-files WHAT: what the other servers copy from this one: a tar archive with its digests and modes.
set -eu
cd /
case ${{1-}} in
  chef) set -- etc/opscode ;;
  push-jobs)
    # The second file holds the credentials from 2.2 on, encrypted, so that nobody can see whether it does (F5).
    set -- etc/opscode-push-jobs-server etc/opscode/private-chef-secrets.json ;;
  *) echo "shared-files: chef or push-jobs is shared, and nothing else" >&2; exit 64 ;;
esac
umask 077
work=$(mktemp -d {HOME}/share.XXXXXX)
trap 'rm -rf "$work"' EXIT
cp -a --parents "$@" "$work"
cd "$work"
printf '%s\\n' "$@" > SHARED
sh {HOME}/manifest "$@" > MANIFEST
find "$@" -printf '%u:%g %p\\n' > OWNERS
tar -c SHARED MANIFEST OWNERS "$@"
"""

# Digest and mode of all files and folders under the given paths, one a line, sorted.
MANIFEST_SCRIPT = """\
set -eu
export LC_ALL=C
{
  find "$@" -type f -exec sha256sum {} +
  find "$@" -printf '%m %y %p\\n'
} | sort
"""


def runner(name: str, limit: int, shows: int) -> str:
    """The command that runs a task's script (given on its standard input) as root. `limit` is in seconds."""
    return f"sudo -n {RUNNER} {quote(name)} {limit} {shows}"


# Takes the place of a task whose inputs changed for no reason to act. It reads what it is given, or the plugin
# might see a broken pipe.
NOTHING = "cat > /dev/null"

# What connect's script is given to; it needs no runner, it brings it.
CONNECT = "sudo -n sh -s"


def connect(limit: int) -> str:
    """Prepares a server; prints its SSH host key and the public key that it copies with, a line each."""
    return "\n".join(
        [
            "set -eu",
            f"if command -v cloud-init > /dev/null; then timeout {limit} cloud-init status --wait > /dev/null; fi",
            "umask 077",
            f"mkdir -p {HOME}",
            *_executable(RUNNER, RUNNER_SCRIPT),
            *_executable(f"{HOME}/manifest", MANIFEST_SCRIPT),
            f"key={HOME}/id_ed25519",
            f'[ -s "$key.pub" ] || {{ rm -f "$key"; ssh-keygen -q -t ed25519 -N "" -C {MARK} -f "$key"; }}',
            "cat /etc/ssh/ssh_host_ed25519_key.pub",
            'cat "$key.pub"',
            "",
        ]
    )


def _executable(path: str, content: str) -> list[str]:
    return _file(path, content, "0700")


def _file(path: str, content: str, mode: str) -> list[str]:
    """Lines that write `content` to `path` at once or not at all."""
    return [
        f"cat > {path}.new <<'END-OF-FILE'",
        content.rstrip("\n"),
        "END-OF-FILE",
        f"chmod {mode} {path}.new",
        f"mv {path}.new {path}",
    ]


def uploaded(package: Package) -> str:
    """Where a package file is uploaded to, relative to the login user's home."""
    return f"{MARK}-{package.sha256[:12]}-{package.name}"


def install(package: Package, user: str) -> str:
    """Installs the package, uploaded by `user` or fetched, if its digest is right and this version is not there."""
    return "\n".join(
        [
            "set -eu",
            *(
                _fetch(package)
                if package.url
                else [f"file=$(getent passwd {quote(user)} | cut -d: -f6)/{quote(uploaded(package))}"]
            ),
            f'echo "{package.sha256}  $file" | sha256sum --check --strict --quiet',
            *(_DPKG if package.format == "deb" else _RPM),
            "",
        ]
    )


def _fetch(package: Package) -> list[str]:
    return [
        f"file={HOME}/{quote(package.name)}",
        "trap 'rm -f \"$file\"' EXIT",
        f'curl -fsSL --retry 3 --max-time 600 --output "$file" {quote(str(package.url))}',
    ]


# Another user of dpkg (unattended upgrades after the first boot) is waited for; the task's limit ends the wait.
_DPKG = [
    'name=$(dpkg-deb --field "$file" Package)',
    'version=$(dpkg-deb --field "$file" Version)',
    "is=$(dpkg-query -W -f '${Status} ${Version}' \"$name\" 2> /dev/null) || is=none",
    'if [ "$is" = "install ok installed $version" ]; then',
    '  echo "$name $version is installed already"',
    "  exit 0",
    "fi",
    "export DEBIAN_FRONTEND=noninteractive",
    f"out=$(mktemp {HOME}/dpkg.XXXXXX)",
    'until dpkg -i "$file" > "$out" 2>&1; do',
    '  cat "$out"',
    "  if ! grep -q 'lock.* by another process\\|lock.*Resource temporarily unavailable' \"$out\"; then",
    '    rm "$out"',
    "    exit 1",
    "  fi",
    "  sleep 2",
    "done",
    'cat "$out"',
    'rm "$out"',
]

_RPM = [
    "name=$(rpm -qp --queryformat '%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}' \"$file\")",
    'if rpm -q "$name" > /dev/null; then',
    '  echo "$name is installed already"',
    "  exit 0",
    "fi",
    'rpm -U "$file"',
]


def require_chef_server() -> str:
    """In place of an installation, where the image holds Chef server already."""
    message = "this image holds no Chef server: set chefServer.package, or choose an image that has it"
    return f"command -v chef-server-ctl || {{ echo {quote(message)} >&2; exit 1; }}\n"


def configure(path: str, content: str) -> str:
    """Writes a settings file, whole or not at all."""
    folder = path.rsplit("/", 1)[0]
    return "\n".join(["set -eu", f"mkdir -p {folder}", *_file(path, content, "0644"), ""])


def push_jobs_settings(ports: Mapping[str, str], options: Mapping[str, object]) -> str:
    """The text of opscode-push-jobs-server.rb (F2). `ports` has server_heartbeat_port, command_port and api_port."""
    lines = [f"opscode_pushy_server['{key}'] = {_ruby(value)}" for key, value in {**ports, **options}.items()]
    return "\n".join(["# Written by chef-rollout: change the stack's settings, not this file.", *lines, ""])


def _ruby(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else "'" + str(value) + "'"


def chef_settings(
    kind: str,
    api_fqdn: str,
    servers: Sequence[tuple[str, str, str]],
    options: Mapping[str, object],
) -> str:
    """The text of chef-server.rb (F9). `servers` are (FQDN, role, address), the primary first."""
    lines = ["# Written by chef-rollout: change the stack's settings, not this file.", f'topology "{kind}"']
    lines.append(f'api_fqdn "{api_fqdn}"')
    if kind != "standalone":
        for number, (fqdn, role, address) in enumerate(servers):
            first = [":bootstrap => true"] if number == 0 else []
            cluster = [f':cluster_ipaddress => "{address}"'] if kind == "ha" and role == "backend" else []
            parts = [f':ipaddress => "{address}"', f':role => "{role}"', *first, *cluster]
            lines.append(f'server "{fqdn}", {", ".join(parts)}')
        vip = [f':ipaddress => "{servers[0][2]}"', ':device => "eth0"']
        lines.append(f'backend_vip "{servers[0][0]}", {", ".join(vip)}')
    lines += [f"{key} {_ruby(value)}" for key, value in options.items()]
    return "\n".join([*lines, ""])


def push_jobs_reconfigure() -> str:
    return "opscode-push-jobs-server-ctl reconfigure\n"


def chef_reconfigure() -> str:
    return "chef-server-ctl reconfigure\n"


def restart_pushy(ports: Iterable[int]) -> str:
    """Restarts the service and waits until it listens; but not on a standby, where it must stay down (F32)."""
    return f"""\
set -eu
status=/var/opt/opscode/keepalived/current_cluster_status
if [ -e "$status" ] && [ "$(cat "$status")" != master ]; then
  echo "this backend is $(cat "$status"), not master: the service stays down here, nothing was restarted"
  exit 0
fi
chef-server-ctl restart opscode-pushy-server
for port in {" ".join(str(port) for port in ports)}; do
  until ss -Hltn "sport = :$port" | grep -q .; do
    echo "waiting for port $port"
    sleep 1
  done
done
"""


def test() -> str:
    return "opscode-push-jobs-server-ctl test\n"


def share(user: str, readers: Sequence[tuple[str, str]]) -> str:
    """Lets each of `readers` (address, public key), as `user`, run the one command that gives the shared files."""
    options = f'restrict,command="sudo -n {SHARER} \\"$SSH_ORIGINAL_COMMAND\\""'
    lines = [f'{options},from="{address}" {key} {MARK}' for address, key in readers]
    return "\n".join(
        [
            "set -eu",
            *_executable(SHARER, SHARER_SCRIPT),
            f"home=$(getent passwd {quote(user)} | cut -d: -f6)",
            "keys=$home/.ssh/authorized_keys",
            f'install -d -m 0700 -o {quote(user)} "$home/.ssh"',
            'touch "$keys"',
            'new=$(mktemp "$keys.XXXXXX")',
            f"{{ sed '/ {MARK}$/d' \"$keys\"; cat; }} > \"$new\" <<'END-OF-FILE'",
            *lines,
            "END-OF-FILE",
            f'chown {quote(user)} "$new"',
            'chmod 0600 "$new"',
            'mv "$new" "$keys"',
            "",
        ]
    )


def copy(what: str, user: str, port: int, address: str, host_key: str) -> str:
    """Copies the shared files `what` from the primary at `address`, whole and checked, or not at all.

    It tries again where no connection is made: sshd turns some away when many come at once (MaxStartups).
    """
    ssh = [
        f"ssh -F /dev/null -i {HOME}/id_ed25519 -p {port}",
        "-o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes",
        '-o UserKnownHostsFile="$work/known_hosts" -o GlobalKnownHostsFile=/dev/null -o HostKeyAlias=primary',
        "-o ConnectTimeout=15 -o ServerAliveInterval=15",
        f'{quote(f"{user}@{address}")} {what} > "$work/shared.tar"',
    ]
    return "\n".join(
        [
            "set -eu",
            "umask 077",
            "rm -rf /etc/.chef-rollout.*",
            "work=$(mktemp -d /etc/.chef-rollout.XXXXXX)",
            "trap 'rm -rf \"$work\"' EXIT",
            f'echo {quote(f"primary {host_key}")} > "$work/known_hosts"',
            "tries=0",
            "until " + " \\\n  ".join(ssh) + "; do",
            "  status=$? tries=$((tries + 1))",
            '  if [ "$status" != 255 ] || [ "$tries" = 10 ]; then exit "$status"; fi',
            "  sleep 3",
            "done",
            _UNPACK,
        ]
    )


# An owner that this server does not know (reconfigure makes it) is root until then, as in a copy by hand.
# A folder changes places with its predecessor in one system call where the kernel can, else by two renames.
_UNPACK = f"""\
owners() {{
  while read -r owner path; do
    if getent passwd "${{owner%:*}}" > /dev/null && getent group "${{owner#*:}}" > /dev/null; then
      chown -h "$owner" "$path"
    fi
  done < "$work/new/OWNERS"
}}
mkdir "$work/new"
tar -x -p --no-same-owner -C "$work/new" -f "$work/shared.tar"
cd "$work/new"
xargs sh {HOME}/manifest < SHARED > "$work/found"
cmp MANIFEST "$work/found"
owners
if (cd / && xargs sh {HOME}/manifest < "$work/new/SHARED") 2> /dev/null | cmp -s - MANIFEST; then
  cd / && owners
  echo "the same files are here already"
  exit 0
fi
exchange() {{
  case $(uname -m) in x86_64) call=316 ;; aarch64) call=276 ;; *) return 1 ;; esac
  perl -e 'exit(syscall($ARGV[0] + 0, -100, $ARGV[1], -100, $ARGV[2], 2) != 0)' "$call" "$1" "$2" 2> /dev/null
}}
while read -r path; do
  if [ ! -d "/$path" ]; then
    mv -T "$path" "/$path"
  elif ! exchange "$work/new/$path" "/$path"; then
    mv -T "/$path" "$work/old"
    mv -T "$path" "/$path"
    rm -rf "$work/old"
  fi
done < SHARED
echo "copied: $(tr '\\n' ' ' < SHARED)"
"""
