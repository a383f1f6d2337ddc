#!/bin/sh
# Take push jobs off a server, whole; Chef server stays, and forgets the service.
#
# The key that the server copied with opens nothing any more. It stays, because `connect` has printed it: where another
# server cannot be left, the stack goes on with what `connect` printed.
set -eu
if dpkg-query -W opscode-push-jobs-server > /dev/null 2>&1; then
  dpkg --purge opscode-push-jobs-server
elif rpm -q opscode-push-jobs-server > /dev/null 2>&1; then
  rpm -e opscode-push-jobs-server
fi
rm -rf /etc/opscode-push-jobs-server /var/opt/opscode-push-jobs-server
rm -f /var/opt/opscode/nginx/etc/addon.d/10-push_jobs_*.conf
if [ -d /var/opt/opscode/keepalived ]; then chef-server-ctl reconfigure; fi
rm -f /var/lib/chef-rollout/shared-files
