#!/bin/sh
# Take push jobs off a server, whole; Chef server stays, and forgets the service.
#
# The package takes only its own files away: the service would run on, and stay in keepalived's scripts, where the next
# failover ends when it cannot be started. Each part can be ended anywhere and run again, as the whole can.
#
# The key that the server copied with opens nothing any more. It stays, because `connect` has printed it: where another
# server cannot be left, the stack goes on with what `connect` printed.
#
# A name in a stack file is no server: where this one was renamed, or is another stack's by now, nothing is taken off.
#
#   owner  whose it was: project, stack and server, as connect.sh noted it
: "${owner?}"
set -eu
note=/var/lib/chef-rollout/owner
if [ -e "$note" ] && [ "$(cat "$note")" != "$owner" ]; then
  echo "this server is $(cat "$note") now, and no longer $owner: push jobs stays"
  exit 0
fi

. library/cluster.sh
. library/database.sh
name=opscode-pushy-server
bin=/opt/opscode/embedded/bin sv=/opt/opscode/sv/$name enabled=/opt/opscode/service/$name

# keepalived's scripts first, while the service is still whole: a failover goes well at any time.
rm -f "$sv/keepalive_me"
if grep -qs "$name" /var/opt/opscode/keepalived/bin/cluster.sh; then chef-server-ctl reconfigure; fi

# The supervisor starts again what ends while the link is there; without it, it would take some seconds to look.
if [ -L "$enabled" ]; then
  chef-server-ctl graceful-kill "$name"
  rm "$enabled"
fi
if [ -p "$sv/supervise/ok" ]; then "$bin/sv" -w 60 force-shutdown "$sv"; fi
rm -rf "$sv" "/opt/opscode/init/$name"

# The users of its database, of whom 1.x would keep the passwords when it comes back. Its data stays.
if [ -e /opt/opscode/service/postgresql ] && [ "$(cluster_status)" = master ]; then
  for user in opscode_pushy opscode_pushy_ro; do
    if [ "$(psql postgres "SELECT 1 FROM pg_roles WHERE rolname = '$user'")" = 1 ]; then
      psql opscode_pushy "REASSIGN OWNED BY $user TO \"opscode-pgsql\"; DROP OWNED BY $user; DROP ROLE $user"
    fi
  done
fi

if dpkg-query -W opscode-push-jobs-server > /dev/null 2>&1; then
  dpkg --purge opscode-push-jobs-server
elif rpm -q opscode-push-jobs-server > /dev/null 2>&1; then
  rpm -e opscode-push-jobs-server
fi
rm -f /var/opt/opscode/nginx/etc/addon.d/10-push_jobs_*.conf
if chef-server-ctl status nginx | grep -q '^run: nginx:'; then chef-server-ctl hup nginx; fi
rm -rf /etc/opscode-push-jobs-server /var/opt/opscode-push-jobs-server
cd /var/lib/chef-rollout
rm -rf credentials-before
rm -f owner shared-files suite-passed rotated credentials pushy-restarted pushy-started-with
