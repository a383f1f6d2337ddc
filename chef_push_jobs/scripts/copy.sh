#!/bin/sh
# Copy the shared files from the primary, whole and checked, or not at all.
#
#   what      which of them: chef or push-jobs
#   user      the login user on the primary
#   address   the primary's
#   port      the primary's SSH port
#   host_key  the primary's, as an OpenSSH line
: "${what?}" "${user?}" "${address?}" "${port?}" "${host_key?}"
set -eu
umask 077
rm -rf /etc/.chef-rollout.*
work=$(mktemp -d /etc/.chef-rollout.XXXXXX)
trap 'rm -rf "$work"' EXIT
printf 'primary %s\n' "$host_key" > "$work/known_hosts"
# sshd turns connections away when many come at once (MaxStartups).
tries=0
until ssh -F /dev/null -i /var/lib/chef-rollout/id_ed25519 -p "$port" \
  -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes \
  -o UserKnownHostsFile="$work/known_hosts" -o GlobalKnownHostsFile=/dev/null -o HostKeyAlias=primary \
  -o ConnectTimeout=15 -o ServerAliveInterval=15 \
  "$user@$address" "$what" > "$work/shared.tar"; do
  status=$? tries=$((tries + 1))
  if [ "$status" != 255 ] || [ "$tries" = 10 ]; then exit "$status"; fi
  sleep 3
done

# An owner that this server does not know (reconfigure makes it) is root until then, as in a copy by hand.
owners() {
  while read -r owner path; do
    if getent passwd "${owner%:*}" > /dev/null && getent group "${owner#*:}" > /dev/null; then
      [ "$(stat -c %U:%G "$path")" = "$owner" ] || chown -h "$owner" "$path"
    fi
  done < "$work/new/OWNERS"
}
mkdir "$work/new"
tar -x -p --no-same-owner -C "$work/new" -f "$work/shared.tar"
cd "$work/new"
xargs sh /var/lib/chef-rollout/manifest < SHARED > "$work/found"
cmp MANIFEST "$work/found"
owners
if (cd / && xargs sh /var/lib/chef-rollout/manifest < "$work/new/SHARED") 2> /dev/null | cmp -s - MANIFEST; then
  cd / && owners
  echo "the same files are here already"
  exit 0
fi

# A folder changes places with its predecessor in one system call where the kernel can, else by two renames.
exchange() {
  case $(uname -m) in x86_64) call=316 ;; aarch64) call=276 ;; *) return 1 ;; esac
  perl -e 'exit(syscall($ARGV[0] + 0, -100, $ARGV[1], -100, $ARGV[2], 2) != 0)' "$call" "$1" "$2" 2> /dev/null
}
while read -r path; do
  if [ ! -d "/$path" ]; then
    mv -T "$path" "/$path"
  elif ! exchange "$work/new/$path" "/$path"; then
    mv -T "/$path" "$work/old"
    mv -T "$path" "/$path"
    rm -rf "$work/old"
  fi
done < SHARED
echo "copied: $(tr '\n' ' ' < SHARED)"
