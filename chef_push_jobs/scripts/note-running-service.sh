#!/bin/sh
# On a server that is taken over: note what the push jobs service that already runs there was started with, and tell which
# credentials it has, by a digest. A backend calls the API: where Chef server is configured and does not answer it by its
# name, nothing is begun.
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
