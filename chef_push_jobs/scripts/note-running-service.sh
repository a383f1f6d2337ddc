#!/bin/sh
# On a server that is taken over: record what the running push jobs service was started with, and print a digest of its
# credentials. Fail on a backend if Chef server is configured there and the API does not answer at its name.
set -eu
. library/api.sh
. library/service.sh
. library/credentials.sh
umask 077
[ -e "$started_with" ] || [ -z "$(running)" ] || inputs > "$started_with"
if [ -e /opt/opscode/service/postgresql ] && [ -s /etc/opscode/chef-server-running.json ]; then
  wait_for_page /_status 30
fi
echo "credentials $(credentials_digest "$etc" "$stored")"
