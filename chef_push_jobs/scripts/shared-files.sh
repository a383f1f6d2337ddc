#!/bin/sh
# shared-files WHAT: print what the other servers copy from this one, as a tar archive with its digests and modes.
# `share` lets each of them run this command, and nothing else.
set -eu
cd /
case ${1-} in
  chef) set -- etc/opscode ;;
  push-jobs)
    # From push jobs 2.2 on the second file holds the credentials, encrypted, so that nobody can see whether it does.
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
