set -eu
cat > /var/lib/chef-rollout/shared-files.new <<'END-OF-FILE'
#!/bin/sh
# shared-files WHAT: what the other servers copy from this one: a tar archive with its digests and modes.
set -eu
cd /
case ${1-} in
  chef) set -- etc/opscode ;;
  push-jobs)
    # The second file holds the credentials from 2.2 on, encrypted, so that nobody can see whether it does (F5).
    set -- etc/opscode-push-jobs-server etc/opscode/private-chef-secrets.json ;;
  *) echo "shared-files: chef or push-jobs is shared, and nothing else" >&2; exit 64 ;;
esac
umask 077
for left in /var/lib/chef-rollout/share.*; do
  # Another reader's folder may go while this looks at it.
  if [ -n "$(find "$left" -maxdepth 0 -mmin +60 2> /dev/null)" ]; then rm -rf "$left"; fi
done
work=$(mktemp -d /var/lib/chef-rollout/share.XXXXXX)
trap 'rm -rf "$work"' EXIT
cp -a --parents "$@" "$work"
cd "$work"
printf '%s\n' "$@" > SHARED
sh /var/lib/chef-rollout/manifest "$@" > MANIFEST
find "$@" -printf '%u:%g %p\n' > OWNERS
timeout 900 tar -c SHARED MANIFEST OWNERS "$@"
END-OF-FILE
chmod 0700 /var/lib/chef-rollout/shared-files.new
mv /var/lib/chef-rollout/shared-files.new /var/lib/chef-rollout/shared-files
home=$(getent passwd ubuntu | cut -d: -f6)
keys=$home/.ssh/authorized_keys
install -d -m 0700 -o ubuntu "$home/.ssh"
touch "$keys"
new="$keys.chef-rollout"
rm -f "$new"
{ awk '!/ chef-rollout$/' "$keys"; cat; } > "$new" <<'END-OF-FILE'
restrict,command="sudo -n /var/lib/chef-rollout/shared-files \"$SSH_ORIGINAL_COMMAND\"",from="10.0.0.5" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI chef-rollout
restrict,command="sudo -n /var/lib/chef-rollout/shared-files \"$SSH_ORIGINAL_COMMAND\"",from="10.0.16.4" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI chef-rollout
END-OF-FILE
chown ubuntu "$new"
chmod 0600 "$new"
mv "$new" "$keys"
