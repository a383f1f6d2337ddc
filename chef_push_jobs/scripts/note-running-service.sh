#!/bin/sh
# On a server that is taken over: record what the running push jobs service was started with, and print a digest of its
# credentials. Fail on a backend if Chef server is configured there and the API does not answer at its name, or the database
# that push jobs will use does not.
#
#   reaches_database  `yes` if the reconfigure of push jobs here works on the master's database
: "${reaches_database?}"
set -eu
. library/api.sh
. library/service.sh
. library/credentials.sh
umask 077
[ -e "$started_with" ] || [ -z "$(running)" ] || inputs > "$started_with"
if [ -e /opt/opscode/service/postgresql ] && [ -s /etc/opscode/chef-server-running.json ]; then
  wait_for_page /_status 30
  if [ "$reaches_database" = yes ]; then wait_for_database 30; fi
fi
echo "credentials $(credentials_digest "$etc" "$stored")"
