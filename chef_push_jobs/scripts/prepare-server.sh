#!/bin/sh
# Create the key pair with which the server copies, unless both halves exist, and print its public key.
#
#   manifest  the text of manifest.sh
: "${manifest?}"
set -eu
. library/files.sh
umask 077
write_file 0700 /var/lib/chef-rollout/manifest "$manifest"
key=/var/lib/chef-rollout/id_ed25519
if [ ! -s "$key" ] || [ ! -s "$key.pub" ]; then
  rm -f "$key" "$key.pub"
  ssh-keygen -q -t ed25519 -N "" -C chef-rollout -f "$key"
fi
cut -d " " -f 1,2 "$key.pub"
