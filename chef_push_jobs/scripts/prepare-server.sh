#!/bin/sh
# Make the key pair that the server copies with, if it has none, and print its public key.
#
#   manifest  the text of manifest.sh
: "${manifest?}"
set -eu
. library/files.sh
umask 077
write_file 0700 /var/lib/chef-rollout/manifest "$manifest"
key=/var/lib/chef-rollout/id_ed25519
[ -s "$key.pub" ] || { rm -f "$key"; ssh-keygen -q -t ed25519 -N "" -C chef-rollout -f "$key"; }
cut -d " " -f 1,2 "$key.pub"
