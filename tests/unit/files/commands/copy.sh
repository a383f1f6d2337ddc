set -eu
umask 077
rm -rf /etc/.chef-rollout.*
work=$(mktemp -d /etc/.chef-rollout.XXXXXX)
trap 'rm -rf "$work"' EXIT
echo 'primary ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI' > "$work/known_hosts"
tries=0
until ssh -F /dev/null -i /var/lib/chef-rollout/id_ed25519 -p 22 \
  -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes \
  -o UserKnownHostsFile="$work/known_hosts" -o GlobalKnownHostsFile=/dev/null -o HostKeyAlias=primary \
  -o ConnectTimeout=15 -o ServerAliveInterval=15 \
  ubuntu@10.0.0.4 push-jobs > "$work/shared.tar"; do
  status=$? tries=$((tries + 1))
  if [ "$status" != 255 ] || [ "$tries" = 10 ]; then exit "$status"; fi
  sleep 3
done
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
