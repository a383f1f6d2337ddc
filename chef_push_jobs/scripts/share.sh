#!/bin/sh
# On the primary: let each of the other servers run the one command that prints the shared files, from its own address.
#
#   user          the login user whose authorized_keys it goes to
#   readers       the other servers: a line each, ADDRESS and PUBLIC KEY
#   shared_files  the text of shared-files.sh
: "${user?}" "${readers?}" "${shared_files?}"
set -eu
. library/files.sh
write_file 0700 /var/lib/chef-rollout/shared-files "$shared_files"
home=$(getent passwd "$user" | cut -d: -f6)
keys=$home/.ssh/authorized_keys
install -d -m 0700 -o "$user" "$home/.ssh"
touch "$keys"
new="$keys.chef-rollout"
rm -f "$new"
# shellcheck disable=SC2016  # sshd expands it
options='restrict,command="sudo -n /var/lib/chef-rollout/shared-files \"$SSH_ORIGINAL_COMMAND\""'
{
  # Lines that are wholly of the form of ours go, others stay, whatever their comment is. awk ends each line, also a last
  # one that its writer did not: ours must not become a part of it.
  begins="$options,from=\"" awk '
    index($0, ENVIRON["begins"]) == 1 &&
      substr($0, length(ENVIRON["begins"]) + 1) ~ /^[0-9.]+" [a-z0-9-]+ [A-Za-z0-9+\/=]+ chef-rollout$/ { next }
    { print }' "$keys"
  printf '%s\n' "$readers" | while read -r address key; do
    printf '%s,from="%s" %s chef-rollout\n' "$options" "$address" "$key"
  done
} > "$new"
chown "$user" "$new"
chmod 0600 "$new"
mv "$new" "$keys"
