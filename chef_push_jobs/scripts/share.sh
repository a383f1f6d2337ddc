#!/bin/sh
# On the primary: let each other server run the one command that prints the shared files, from its own address.
#
#   user          the login user whose authorized_keys gets the keys
#   readers       the other servers, a line each: ADDRESS and PUBLIC KEY
#   shared_files  the text of shared-files.sh
: "${user?}" "${readers?}" "${shared_files?}"
set -eu
. library/files.sh
. library/logins.sh
. library/secrets.sh
. library/credentials.sh
write_file 0700 /var/lib/chef-rollout/shared-files "$shared_files"
keys=$(authorized_keys_of "$user")
if [ -z "$keys" ]; then
  echo "sshd looks for the keys of $user in no file (AuthorizedKeysFile none): the other servers cannot copy from here"
  echo "Rule: each of them copies with its own key, which may run one command on this server."
  echo "Do:   set AuthorizedKeysFile for $user, for example in a Match block, and reload sshd"
  exit 1
fi
# A link stays, and what it leads to gets the keys: whoever takes a key out there would not take it out here.
keys=$(readlink -f "$keys" || printf '%s\n' "$keys")
folder=${keys%/*}
[ -d "$folder" ] || install -d -m 0700 -o "$user" "$folder"
if [ ! -e "$keys" ]; then
  # A directory with the keys of all users belongs to root, and so does its content: sshd reads that as the user.
  owner=$(stat -c %U "$folder") mode=0600
  if [ "$owner" = root ]; then mode=0644; fi
  install -m "$mode" -o "$owner" /dev/null "$keys"
fi
new="$keys.chef-rollout"
rm -f "$new"
as='sudo -n '
if [ "$(id -u "$user")" = 0 ]; then as=; fi
# shellcheck disable=SC2016  # sshd expands it
asked='/var/lib/chef-rollout/shared-files \"$SSH_ORIGINAL_COMMAND\""'
options="restrict,command=\"${as}sh $asked"
{
  # Remove lines that have exactly the form of ours; others stay, whatever their comment is. awk ends each line, also a last
  # one without a line end, so that ours does not become a part of it.
  # The first version named the file by its path alone.
  begins="$options,from=\"" before="restrict,command=\"sudo -n $asked,from=\"" awk '
    function ours(begins) {
      return index($0, begins) == 1 &&
        substr($0, length(begins) + 1) ~ /^[0-9.]+" [a-z0-9-]+ [A-Za-z0-9+\/=]+ chef-rollout$/
    }
    ours(ENVIRON["begins"]) || ours(ENVIRON["before"]) { next }
    { print }' "$keys"
  printf '%s\n' "$readers" | while read -r address key; do
    printf '%s,from="%s" %s chef-rollout\n' "$options" "$address" "$key"
  done
} > "$new"
chown --reference="$keys" "$new"
chmod --reference="$keys" "$new"
mv "$new" "$keys"
# Another server may become the first one.
note_credentials
