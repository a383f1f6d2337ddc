"""The copy from the primary: who is let in for what, and how the files are fetched, checked and put in place."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from chef_push_jobs.scripts.shell import HOME, MARK, SHARER, executable

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
for left in {HOME}/share.*; do
  # Another reader's folder may go while this looks at it.
  if [ -n "$(find "$left" -maxdepth 0 -mmin +60 2> /dev/null)" ]; then rm -rf "$left"; fi
done
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


def share(user: str, readers: Sequence[tuple[str, str]]) -> str:
    """Lets each of `readers` (address, public key), as `user`, run the one command that gives the shared files."""
    options = f'restrict,command="sudo -n {SHARER} \\"$SSH_ORIGINAL_COMMAND\\""'
    lines = [f'{options},from="{address}" {key} {MARK}' for address, key in readers]
    return "\n".join(
        [
            "set -eu",
            *executable(SHARER, SHARER_SCRIPT),
            f"home=$(getent passwd {quote(user)} | cut -d: -f6)",
            "keys=$home/.ssh/authorized_keys",
            f'install -d -m 0700 -o {quote(user)} "$home/.ssh"',
            'touch "$keys"',
            'new="$keys.chef-rollout"',
            'rm -f "$new"',
            # awk ends each line, also a last one that its writer did not: ours must not become a part of it.
            f"{{ awk '!/ {MARK}$/' \"$keys\"; cat; }} > \"$new\" <<'END-OF-FILE'",
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
