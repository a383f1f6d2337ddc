#!/bin/sh
# Copy the shared files from the primary, completely and checked, or not at all.
#
# The archive is not trusted: only the files on this server's own list are unpacked, and get the owners on that list.
#
#   what      which files: chef or push-jobs
#   user      the login user on the primary
#   address   the primary's address
#   port      the primary's SSH port
#   host_key  the primary's host key, as an OpenSSH line
: "${what?}" "${user?}" "${address?}" "${port?}" "${host_key?}"
set -eu
. library/changed-secrets.sh
. library/secrets.sh
. library/credentials-before.sh
. library/shared.sh
umask 077
tab=$(printf '\t')
# put_back WORK: if a replacement by two renames was interrupted between them, restore what was there before.
put_back() {
  if [ ! -e "$1/ready" ]; then return; fi
  while IFS=$tab read -r new target; do
    if [ -e "$new.old" ] && [ ! -e "$target" ]; then mv -T "$new.old" "$target"; fi
  done < "$1/ready"
}
for left in /etc/.chef-rollout.*; do put_back "$left"; done
rm -rf /etc/.chef-rollout.*
cd /
paths=$(shared_paths "$what")
for path in $paths; do
  target=$(readlink -f "$path") || continue
  rm -rf "${target%/*}"/.chef-rollout.*
done
work=$(mktemp -d /etc/.chef-rollout.XXXXXX)
clean() {
  put_back "$work"
  if [ -e "$work/beside" ]; then while read -r beside; do rm -rf "$beside"; done < "$work/beside"; fi
  rm -rf "$work"
}
trap clean EXIT
printf 'primary %s\n' "$host_key" > "$work/known_hosts"
# sshd refuses connections if many come at once (MaxStartups).
tries=0
until ssh -F /dev/null -i /var/lib/chef-rollout/id_ed25519 -p "$port" \
  -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes \
  -o UserKnownHostsFile="$work/known_hosts" -o GlobalKnownHostsFile=/dev/null -o HostKeyAlias=primary \
  -o ConnectTimeout=15 -o ServerAliveInterval=15 \
  -l "$user" "$address" "$what" > "$work/shared.tar" 2> "$work/said"; do
  status=$? tries=$((tries + 1))
  cat "$work/said" >&2
  if grep -q 'Permission denied (' "$work/said"; then
    echo "the primary's sshd refuses this server's login as $user"
    echo "Rule: each server copies with its own key, which the primary accepts only from this server's address."
    echo "Do:   look at sshd's log on the primary; likely AllowUsers, AllowGroups, DenyUsers or a Match block excludes this"
    echo "      server, or it connects from a different address than its own (servers[].address): from $(ip -4 -o route get "$address" |
      sed -n 's/.* src \([0-9.]*\).*/\1/p')"
    exit 1
  fi
  if [ "$status" != 255 ] || [ "$tries" = 10 ]; then exit "$status"; fi
  sleep 3
done

# refuse WHAT NAMES: fail if there are such names.
refuse() {
  if [ -n "$2" ]; then
    echo "what the primary sent was refused, and nothing was changed here: $1:"
    printf '%s\n' "$2" | head -n 5
    exit 1
  fi
}
# shellcheck disable=SC2086  # a word each
set -- $paths
if [ "$(head -c 6 "$work/shared.tar" | tr -d '\000')" != SHARED ]; then
  echo "what the primary sent does not begin with the shared files, and nothing was changed here. It begins:"
  head -c 200 "$work/shared.tar" | head -n 1 | tr -cd '[:print:]\n'
  echo
  echo "Rule: the login shell of $user there must not print anything without a terminal."
  echo "Do:   correct its start-up files on the primary"
  exit 1
fi
mkdir "$work/new"
cd "$work/new"
LC_ALL=C tar -tv -f "$work/shared.tar" MANIFEST OWNERS "$@" > "$work/listed"
refuse "it is neither a file nor a directory" "$(grep -v '^[-d]' "$work/listed" || :)"
tar -x -p --no-same-owner -f "$work/shared.tar" MANIFEST OWNERS "$@"
refuse "it is neither a file nor a directory" "$(sed -n 's/^[0-7]\{1,4\} [^df] //p' MANIFEST)"
sh /var/lib/chef-rollout/manifest "$@" > "$work/found"
cmp MANIFEST "$work/found"
refuse "it is not a directory" "$(find "$1" -maxdepth 0 ! -type d)"
refuse "it is not a file" "$(find "$@" -maxdepth 0 -name '*.json' ! -type f)"
refuse "it is empty" "$(find "$@" -type f \( -name '*.pem' -o -name '*.json' \) -size 0; find "$1" -maxdepth 0 -empty)"
refuse "its owner cannot read it" "$(find "$@" ! -perm -400 -o -type d ! -perm -500)"

# From Chef server's secrets, only push jobs' group is copied; other groups on this server stay.
here=$(cd / && readlink -f "$secrets") || here=
if [ "$what" = chef ]; then
  if encrypted "$secrets" && encrypted "$here"; then keep_own_secrets "$work/new/$secrets" "$here"; fi
elif [ "$(cat "$secrets")" = '{}' ]; then
  if [ ! -e "$1/pushy_priv.pem" ]; then
    refuse "it is half of a key pair, the primary has lost pushy_priv.pem" "$(find "$1/pushy_pub.pem" 2> /dev/null)"
  fi
  set -- etc/opscode-push-jobs-server
elif encrypted "$here"; then
  mode=$(stat -c %a "$secrets")
  mv "$secrets" "$work/given"
  cp "$here" "$secrets"
  take_push_jobs_secrets "$work/given" "$work/new/$secrets"
  chmod "$mode" "$secrets"
else
  echo "the primary keeps push jobs' credentials in Chef server's secrets, which this server lacks: nothing was changed here"
  echo "Rule: push jobs 2.2 and later needs a configured Chef server 12.14 or later on all servers."
  echo "Do:   configure Chef server on this server (sudo chef-server-ctl reconfigure), then run pulumi up again"
  exit 1
fi
sh /var/lib/chef-rollout/manifest "$@" > MANIFEST

# The owner of each path. If this server does not know an owner yet, because reconfigure creates it, root owns the file
# until then, as in a copy by hand.
find "$@" -print0 | line_each > "$work/paths"
LC_ALL=C awk 'NR == FNR { asked[$0]; next }
  { path = substr($0, length($1) + 2) }
  path in asked && $1 ~ /^[A-Za-z_][A-Za-z0-9_.@-]*:[A-Za-z_][A-Za-z0-9_.@-]*$/ { print $1 "\t" path }' \
  "$work/paths" OWNERS > "$work/owners"
owners() {
  while IFS=$tab read -r owner path; do
    path=$(printf '%b.' "$path")
    path=${path%.}
    if getent passwd "${owner%:*}" > /dev/null && getent group "${owner#*:}" > /dev/null; then
      [ "$(stat -L -c %U:%G "$path")" = "$owner" ] || chown "$owner" "$path"
    fi
  done < "$work/owners"
}
owners
if (cd / && sh /var/lib/chef-rollout/manifest "$@") 2> /dev/null | cmp -s - MANIFEST; then
  cd /
  owners
  if [ "$what" = push-jobs ]; then note_credentials; fi
  echo "the same files are already here"
  exit 0
fi

folder_to_be=$etc
if [ "$what" = push-jobs ]; then folder_to_be=$work/new/etc/opscode-push-jobs-server; fi
(cd / && keep_credentials "$(credentials_digest "$folder_to_be" "$work/new/$secrets")")

# What only this server has goes with the old folder, as the set is replaced as a whole: a copy stays, only for root. The
# sets of credentials are kept above.
only_here=/var/lib/chef-rollout/only-here
names() { find -H "$@" ! -type d -print0 2> /dev/null | line_each | LC_ALL=C sort; }
names "$@" > "$work/to-be"
(cd / && names "$@") | LC_ALL=C comm -23 - "$work/to-be" > "$work/own"
while IFS= read -r path; do
  case ${path##*/} in pushy_priv.pem | pushy_pub.pem | opscode-push-jobs-server*.json) continue ;; esac
  path=$(printf '%b.' "$path")
  path=${path%.}
  mkdir -p "$only_here"
  (cd / && cp -a --parents "$path" "$only_here")
  printf 'only this server has /%s, and the folder is replaced: a copy is in %s\n' "$path" "$only_here"
done < "$work/own"

others=no
if [ "$what" = chef ] && encrypted "$work/new/$secrets" && encrypted "$here"; then
  same_chef_secrets "$work/new/$secrets" "$here" || others=yes
fi

# If the kernel can do it, the new directory is exchanged with the old one in one system call, otherwise by two renames.
# Ruby is Chef server's own, because a server may not have Perl.
exchange() {
  case $(uname -m) in x86_64) call=316 ;; aarch64) call=276 ;; *) return 1 ;; esac
  /opt/opscode/embedded/bin/ruby -e 'exit(syscall(ARGV[0].to_i, -100, ARGV[1].dup, -100, ARGV[2].dup, 2) == 0)' \
    "$call" "$1" "$2" 2> /dev/null
}
# A link on this server stays, and its target is replaced. If the target is on another disk than /etc, everything is copied
# there before anything is replaced.
cd /
number=0
for path in "$@"; do
  number=$((number + 1))
  target=$(readlink -f "$path") || { echo "/$path is a broken link: nothing was changed here"; exit 1; }
  if cut -d ' ' -f 5 /proc/self/mountinfo | grep -Fxq -e "$target"; then
    echo "something is mounted at $target, so it cannot be replaced as a whole: nothing was changed here"
    echo "Rule: the set is replaced in one step, which the root of a volume does not allow."
    echo "Do:   keep the files in a folder on that volume, let /$path be a link to it, then run pulumi up again"
    exit 1
  fi
  beside=$work
  if [ "$(stat -c %d "${target%/*}")" != "$(stat -c %d "$work")" ]; then
    beside=$(mktemp -d "${target%/*}/.chef-rollout.XXXXXX")
    printf '%s\n' "$beside" >> "$work/beside"
  fi
  mv -T "$work/new/$path" "$beside/new-$number"
  printf '%s\t%s\n' "$beside/new-$number" "$target" >> "$work/ready"
done
if [ $others = yes ]; then touch "$changed_secrets"; fi
while IFS=$tab read -r new target; do
  if [ ! -d "$target" ]; then
    mv -T "$new" "$target"
  elif ! exchange "$new" "$target"; then
    mv -T "$target" "$new.old"
    mv -T "$new" "$target"
    rm -rf "$new.old"
  fi
done < "$work/ready"
if [ "$what" = push-jobs ]; then note_credentials; fi
echo "copied: $*"
