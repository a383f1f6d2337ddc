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
# `timeout` holds the lock, so neither a lost connection nor a killed runner lets a second task in beside the first.
RUNNER_SCRIPT = f"""\
#!/bin/sh
# task NAME LIMIT SHOWS < SCRIPT: runs SCRIPT as root for LIMIT seconds at most; prints its log's last SHOWS lines.
# A failure is one block: what, where, why, and what to do next.
set -u
name=$1 limit=$2 shows=$3
script={HOME}/$name.sh log={LOGS}/$name.log lock={HOME}/lock running={HOME}/running
wanted=$script.wanted new=$script.$$

now() {{ date +%s; }}
told() {{ echo "$(date -u +%FT%TZ) $name $*" 2> /dev/null >> {LOGS}/history; }}
started=$(now)

# give_up STATUS WHY NEXT HEADING LINES
give_up() {{
  exec >&2
  echo "$name failed on $(hostname -f): $2, after $(($(now) - started)) s (limit $limit s)"
  echo "$4:"
  printf '%s\\n' "${{5:-(nothing)}}" | tail -n 20 | cut -c 1-500 | sed 's/^/  | /'
  df -P {HOME} {LOGS} /etc /tmp 2> /dev/null | awk 'NR > 1 && $5 + 0 >= 99 {{ print $6 }}' | sort -u |
    sed 's/^/no room is left there on /'
  echo "what next: $3, then run pulumi up again: it goes on from here"
  exit "$1"
}}

if [ "$(id -u)" != 0 ]; then
  sudo -n "$0" "$@"
  status=$?
  if [ "$status" = 0 ] || said=$(sudo -n true 2>&1); then exit "$status"; fi
  give_up "$status" "sudo refused it, nothing was run" "let $(id -un) use sudo there without a password" \\
    "what sudo says" "$said"
fi

umask 077
# Where no log could be kept, nothing is run.
if ! said=$({{
  mkdir -p {LOGS} && cat > "$new" && head -c 16384 /dev/zero > "$log.new" && rm "$log.new" &&
    echo $$ > "$wanted" && : >> "$lock"
}} 2>&1); then
  cat > /dev/null
  rm -f "$new" "$log.new"
  give_up 74 "its script and log cannot be written, nothing was run" "make room there" "what that server says" "$said"
fi

# What holds the lock is ended by its own limit, so this waiting ends too.
exec 9>> "$lock"
waits=0
until flock --wait "$waits" 9; do
  holder=another until='' session=0
  if [ -s "$running" ]; then read -r holder until session < "$running"; fi
  if [ "$waits" = 0 ]; then told "waits for $holder"; waits=5; fi
  if [ "$(now)" -gt "${{until:-$((started + limit))}}" ]; then
    rm -f "$new"
    give_up 75 "$holder still runs there, longer than its own limit" "end it there (sudo pkill -KILL -s $session)" \\
      "what of it runs there" "$(pgrep -a -s "$session")"
  fi
done
if [ "$(cat "$wanted")" != $$ ]; then
  rm -f "$new"
  told "is left to a later run"
  exit 75
fi

if ! said=$(mv -f "$new" "$script" 2>&1); then
  give_up 74 "its script cannot be written, nothing was run" "make room there" "what that server says" "$said"
fi
if [ -e "$log" ]; then mv -f "$log" "$log.1"; fi
told begins
begun=$(now)
umask 022
# In a session of its own, by which all that it leaves behind is known; services leave it, and live on.
setsid timeout --kill-after=10 "$limit" sh -c 'exec sh "$1" 9>&-' "$name" "$script" > "$log" 2>&1 < /dev/null &
session=$!
exec 9>&-
echo "$name $((begun + limit + 30)) $session" > "$running"
wait "$session"
status=$?
took=$(($(now) - begun))
if [ "$status" != 0 ]; then
  tries=0
  while pkill -KILL -s "$session" && [ "$tries" -lt 50 ]; do
    tries=$((tries + 1))
    sleep 0.1
  done
fi
rm -f "$running"
told "ends with exit status $status after $took s"
if [ "$status" = 0 ]; then
  if [ "$shows" -gt 0 ]; then tail -n "$shows" "$log"; fi
  exit 0
fi
why="exit status $status" next="mend what the log names"
case $status in
  124 | 137)
    if [ "$took" -ge "$limit" ]; then
      why="it took longer than its limit and was ended"
      next="mend what it waited for, or raise timeLimits in the stack's settings"
    fi ;;
esac
give_up "$status" "$why" "$next" "the last lines of its log, $log on that server" "$(tail -n 20 "$log")"
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
find {HOME} -ignore_readdir_race -maxdepth 1 -name 'share.*' -mmin +60 -exec rm -rf {{}} +
work=$(mktemp -d {HOME}/share.XXXXXX)
trap 'rm -rf "$work"' EXIT
cp -a --parents "$@" "$work"
cd "$work"
printf '%s\\n' "$@" > SHARED
sh {HOME}/manifest "$@" > MANIFEST
find "$@" -printf '%u:%g %p\\n' > OWNERS
timeout 900 tar -c SHARED MANIFEST OWNERS "$@"
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
    """The command that runs a task's script (given on its standard input) as root. `limit` is in seconds.

    It is short, because every error repeats it. A server that lost its disk has no runner: the login shell says so.
    """
    return f"{RUNNER} {quote(name)} {limit} {shows}"


# Takes the place of a task whose inputs changed for no reason to act. It reads what it is given, or the plugin
# might see a broken pipe.
NOTHING = "cat > /dev/null"


# What tells the key by which a server is known.
HOST_KEY = "cat /etc/ssh/ssh_host_ed25519_key.pub"

# What connect's script is given to; it needs no runner, it brings it.
CONNECT = (
    "sudo -n sh -s || { s=$?; "
    'sudo -n true || echo "what next: let $(id -un) use sudo there without a password" >&2; exit $s; }'
)


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
            *_file(RUNNER, RUNNER_SCRIPT, "0755"),
            f"exec {RUNNER} connect {limit} 2 8>&- <<'END-OF-TASK'",
            "set -eu",
            "umask 077",
            "if command -v cloud-init > /dev/null; then cloud-init status --wait > /dev/null; fi",
            *_executable(f"{HOME}/manifest", MANIFEST_SCRIPT),
            f"key={HOME}/id_ed25519",
            f'[ -s "$key.pub" ] || {{ rm -f "$key"; ssh-keygen -q -t ed25519 -N "" -C {MARK} -f "$key"; }}',
            *([_RUNNING + _INPUTS + note] if adopts else []),
            "cat /etc/ssh/ssh_host_ed25519_key.pub",
            'cat "$key.pub"',
            "END-OF-TASK",
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
            *_REFUSE_DOWNGRADE,
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
    "case $is in",
    '  none | *" not-installed "* | *" config-files "*) ;;',
    "  *)",
    '    if dpkg --compare-versions "$version" lt "${is##* }"; then',
    '      refuse_downgrade "$name" "${is##* }" "$version"',
    "    fi ;;",
    "esac",
    "export DEBIAN_FRONTEND=noninteractive",
    f"out={HOME}/dpkg.out",
    'until LC_ALL=C dpkg -i "$file" > "$out" 2>&1; do',
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
    "name=$(rpm -qp --queryformat '%{NAME}' \"$file\")",
    "version=$(rpm -qp --queryformat '%{VERSION}-%{RELEASE}' \"$file\")",
    "if is=$(rpm -q --queryformat '%{VERSION}-%{RELEASE}' \"$name\"); then",
    '  if [ "$is" = "$version" ]; then',
    '    echo "$name $version is installed already"',
    "    exit 0",
    "  fi",
    '  if ! printf \'%s\\n\' "$is" "$version" | sort -V -C; then',
    '    refuse_downgrade "$name" "$is" "$version"',
    "  fi",
    "fi",
    'rpm -U "$file"',
]

# Before the package manager is touched: what a newer version did to the credentials, an older one does not undo (F5).
_REFUSE_DOWNGRADE = [
    "refuse_downgrade() {",
    '  echo "$1 $2 is installed here, but the stack asks for $3: a downgrade is not supported."',
    '  echo "Rule: the newer version has moved the credentials to where the older one does not look for them."',
    '  echo "Do:   set the package in the stack\'s settings to $2 or newer. Nothing was changed here."',
    "  exit 1",
    "}",
]


def in_turn(*scripts: str) -> str:
    """One script of several: each may end itself, and the next one comes only if it went well."""
    if len(scripts) == 1:
        return scripts[0]
    return "\n".join(["set -eu", *(f"(\n{script})" for script in scripts), ""])


def require_chef_server() -> str:
    """In place of an installation, where the image holds Chef server already."""
    message = "this image holds no Chef server: set chefServer.package, or choose an image that has it"
    return f"command -v chef-server-ctl || {{ echo {quote(message)} >&2; exit 1; }}\n"


def configure(path: str, content: str) -> str:
    """Writes a settings file, whole or not at all."""
    folder = path.rsplit("/", 1)[0]
    *write, move = _file(path, content, "0644")
    same = f"if cmp -s {path}.new {path}; then rm {path}.new; else {move}; fi"
    return "\n".join(["set -eu", f"mkdir -p {folder}", *write, same, ""])


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
    *,
    vip: str | None = None,
    ha: Mapping[str, str] | None = None,
) -> str:
    """The text of chef-server.rb (F9). `servers` are (FQDN, role, address), the primary first.

    `vip` is the address of the backends that moves, if not the primary's own; `ha` are the settings of who moves it.
    """
    lines = ["# Written by chef-rollout: change the stack's settings, not this file.", f'topology "{kind}"']
    lines.append(f'api_fqdn "{api_fqdn}"')
    if kind != "standalone":
        for number, (fqdn, role, address) in enumerate(servers):
            first = [":bootstrap => true"] if number == 0 else []
            cluster = [f':cluster_ipaddress => "{address}"'] if kind == "ha" and role == "backend" else []
            parts = [f':ipaddress => "{address}"', f':role => "{role}"', *first, *cluster]
            lines.append(f'server "{fqdn}", {", ".join(parts)}')
        moving = [f':ipaddress => "{vip or servers[0][2]}"', ':device => "eth0"']
        moving += [':heartbeat_device => "eth0"'] if vip else []
        lines.append(f'backend_vip "{servers[0][0]}", {", ".join(moving)}')
        lines += [f"ha['{key}'] = {_ruby(value)}" for key, value in (ha or {}).items()]
    lines += [f"{key} {_ruby(value)}" for key, value in options.items()]
    return "\n".join([*lines, ""])


# A first reconfigure that dies between the halves of the key pair leaves a public key, beside which the next one makes
# an empty private key, for good. Nobody has that half yet: it is shared only after a reconfigure that went through.
_WHOLE_KEY_PAIR = """\
set -eu
cd /etc/opscode-push-jobs-server
if [ -e pushy_pub.pem ] && [ ! -s pushy_priv.pem ]; then
  if [ -e /var/opt/opscode-push-jobs-server/bootstrapped ]; then
    echo "$PWD/pushy_priv.pem is lost: put it back from another server of the cluster, with its owner and mode" >&2
    exit 1
  fi
  rm -f pushy_pub.pem pushy_priv.pem
fi
"""


# Which process the service is: its id and start, together unique; nothing where it is down.
_RESTARTED = f"restarted={HOME}/pushy-restarted\n"
_RUNNING = """\
running() {
  pid=$(/opt/opscode/embedded/bin/sv status /opt/opscode/service/opscode-pushy-server 2> /dev/null |
    sed -n 's/^run: [^(]*(pid \\([0-9]*\\)).*/\\1/p')
  if [ -n "$pid" ]; then echo "$pid $(cut -d ' ' -f 22 "/proc/$pid/stat")"; fi
}
"""

# Reconfigure restarts a service whose configuration is new, so that the restart of the runbook would be one too many:
# a note of the new process is left for it.
_RECONFIGURE = f"""\
{_RESTARTED}{_RUNNING}\
rm -f "$restarted"
before=$(running)
opscode-push-jobs-server-ctl reconfigure
after=$(running)
if [ -n "$before" ] && [ -n "$after" ] && [ "$before" != "$after" ]; then
  echo "$after" > "$restarted"
fi
"""


def push_jobs_reconfigure() -> str:
    return f"{_WHOLE_KEY_PAIR}{_RECONFIGURE}"


def rotate(nonce: str) -> str:
    """Makes new credentials where `nonce` is another than the noted one; a server without a note notes it only.

    The old ones are removed and the next reconfigure makes new ones, so that it can be ended anywhere and run again.
    """
    return f"""\
set -eu
wanted={quote(nonce)} noted={HOME}/rotated
note() {{
  printf '%s\\n' "$wanted" > "$noted.new"
  mv "$noted.new" "$noted"
}}
if [ ! -e "$noted" ]; then
  note
  echo "noted: the credentials that are here are those of '$wanted'"
  exit 0
fi
is=$(cat "$noted")
if [ "$is" = "$wanted" ]; then
  echo "the credentials were made for '$wanted' already"
  exit 0
fi
# Until it is done, no setting is the one that the credentials are for.
echo "(under way)" > "$noted"
cd /etc/opscode-push-jobs-server
rm -f pushy_pub.pem pushy_priv.pem opscode-push-jobs-server-secrets.json
version=$(sed -n '1s/.* //p' /opt/opscode-push-jobs-server/version-manifest.txt)
case $version in
  1.* | 2.0.* | 2.1.*) ;;
  *)
    for secret in pushy_pub_key pushy_priv_key sql_password sql_ro_password; do
      if chef-server-ctl show-secret push-jobs-server "$secret" > /dev/null 2>&1; then
        chef-server-ctl remove-secret push-jobs-server "$secret" --yes
      fi
    done ;;
esac
{_RECONFIGURE}\
note
echo "new credentials are made for '$wanted'"
"""


def chef_reconfigure() -> str:
    return "chef-server-ctl reconfigure\n"


# What the service reads when it starts: its package, settings and credentials; and a note of those it was started with.
_INPUTS = f"""\
started_with={HOME}/pushy-started-with
inputs() {{
  {{
    dpkg-query -W opscode-push-jobs-server || rpm -q opscode-push-jobs-server
    cd /etc/opscode-push-jobs-server && sha256sum -- *.rb *-secrets.json *.pem ../opscode/private-chef-secrets.json
  }} 2> /dev/null | sha256sum
}}
"""
_FRESH = '[ -n "$(running)" ] && [ -e "$started_with" ] && [ "$(inputs)" = "$(cat "$started_with")" ]'
_KEEP = '  echo "the service runs already with all that is here: not restarted"\n'


def restart_pushy(ports: Iterable[int], *, unless_fresh: bool = False) -> str:
    """Restarts the service and waits until it listens; but not on a standby, where it must stay down (F32).

    Nor once more where reconfigure has restarted it already, with all that is new: clients would be cut off twice.
    `unless_fresh`: nor where it runs with this package, these settings and these credentials already.
    """
    fresh = f"elif {_FRESH}; then\n{_KEEP}" if unless_fresh else ""
    note = 'inputs > "$started_with"\n' if unless_fresh else ""
    return f"""\
set -eu
{_RESTARTED}{_RUNNING}\
{_INPUTS if unless_fresh else ""}\
status=/var/opt/opscode/keepalived/current_cluster_status
is=master
if [ -e "$status" ]; then is=$(cat "$status"); fi
if [ "$is" != master ]; then
  echo "this backend is $is, not master: the service stays down here, nothing was restarted"
  if chef-server-ctl status opscode-pushy-server | grep -q '^run: opscode-pushy-server:'; then
    chef-server-ctl stop opscode-pushy-server
  fi
  exit 0
fi
if [ -s "$restarted" ] && [ "$(cat "$restarted")" = "$(running)" ]; then
  echo "reconfigure has restarted the service with its new configuration: not restarted once more"
  rm "$restarted"
{fresh}else
  rm -f "$restarted"
  chef-server-ctl restart opscode-pushy-server
fi
for port in {" ".join(str(port) for port in ports)}; do
  until ss -Hltn "sport = :$port" | grep -q .; do
    echo "waiting for port $port"
    sleep 1
  done
done
{note}"""


# How the test's log ends on a backend that is not master.
STANDBY = "not master: nothing was tested here"


def test() -> str:
    """Tests the service where it runs: a standby, where it is down (F32), says so and does nothing."""
    return f"""\
set -eu
status=/var/opt/opscode/keepalived/current_cluster_status
is=master
if [ -e "$status" ]; then is=$(cat "$status"); fi
if [ "$is" != master ]; then
  echo "this backend is $is, {STANDBY}"
  exit 0
fi
opscode-push-jobs-server-ctl test
"""


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
            'new="$keys.chef-rollout"',
            'rm -f "$new"',
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
      [ "$(stat -c %U:%G "$path")" = "$owner" ] || chown -h "$owner" "$path"
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


def check_firewall(ports: Iterable[int]) -> str:
    """Fails where the server's own packet filter drops what comes in and names a port nowhere.

    For servers whose firewall is not made here. It sees the server's own filter only, not what stands before it.
    """
    return f"""\
set -eu
filter=$(nft list ruleset 2> /dev/null || :; iptables-save 2> /dev/null || :)
if ! echo "$filter" | grep -Eq 'hook input .*policy drop|^:INPUT DROP'; then
  echo "no packet filter of this server drops what comes in"
  exit 0
fi
named() {{
  echo "$filter" | awk -v port="$1" '/dport/ {{
    sub(/.*dports?/, "")
    while (match($0, /[0-9]+([-:][0-9]+)?/)) {{
      split(substr($0, RSTART, RLENGTH), range, /[-:]/)
      $0 = substr($0, RSTART + RLENGTH)
      if (range[1] + 0 <= port && port <= (range[2] ? range[2] : range[1]) + 0) found = 1
    }}
  }} END {{ exit !found }}'
}}
closed=
for port in {" ".join(str(port) for port in ports)}; do
  named "$port" || closed="$closed $port"
done
if [ -n "$closed" ]; then
  echo "the packet filter of this server drops what comes in, and has no rule for TCP$closed:"
  echo "let the push jobs clients in on the heartbeat and command port, the frontends on the API port"
  exit 1
fi
echo "the packet filter of this server has rules for every port"
"""


def uninstall() -> str:
    """Takes push jobs off a server, whole; Chef server stays, and forgets the service."""
    return f"""\
set -eu
if dpkg-query -W opscode-push-jobs-server > /dev/null 2>&1; then
  dpkg --purge opscode-push-jobs-server
elif rpm -q opscode-push-jobs-server > /dev/null 2>&1; then
  rpm -e opscode-push-jobs-server
fi
rm -rf /etc/opscode-push-jobs-server /var/opt/opscode-push-jobs-server
rm -f /var/opt/opscode/nginx/etc/addon.d/10-push_jobs_*.conf
if [ -d /var/opt/opscode/keepalived ]; then chef-server-ctl reconfigure; fi
rm -rf {HOME}/id_ed25519 {HOME}/id_ed25519.pub {SHARER}
"""
