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
find /var/lib/chef-rollout -ignore_readdir_race -maxdepth 1 -name 'share.*' -mmin +60 -exec rm -rf {} +
work=$(mktemp -d /var/lib/chef-rollout/share.XXXXXX)
trap 'rm -rf "$work"' EXIT
cp -a --parents "$@" "$work"
cd "$work"
printf '%s\n' "$@" > SHARED
sh /var/lib/chef-rollout/manifest "$@" > MANIFEST
find "$@" -printf '%u:%g %p\n' > OWNERS
timeout 900 tar -c SHARED MANIFEST OWNERS "$@"
