#!/bin/sh
# shared-files WHAT: print what the other servers copy from this one, as a tar archive with digests and modes.
# `share` lets each of them run only this command. Links are followed, as by scp -r.
set -eu
. library/secrets.sh
. library/shared.sh
cd /
paths=$(shared_paths "${1-}")
# shellcheck disable=SC2086  # a word each
set -- $paths
umask 077
# A killed reader leaves its directory, which is named after its process. Other readers may be running.
for left in /var/lib/chef-rollout/share.*; do
  reader=${left##*/share.}
  if [ ! -e "/proc/${reader%.*}" ]; then rm -rf "$left"; fi
done
work=$(mktemp -d "/var/lib/chef-rollout/share.$$.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp -RL --preserve=mode,ownership,timestamps --parents "$@" "$work"
if [ "$1" != etc/opscode ]; then push_jobs_secrets "$secrets" > "$work/$secrets"; fi
cd "$work"
printf '%s\n' "$@" > SHARED
sh /var/lib/chef-rollout/manifest "$@" > MANIFEST
find "$@" -printf '%u:%g %p\0' | line_each > OWNERS
timeout 900 tar -c SHARED MANIFEST OWNERS "$@"
