#!/bin/sh
# Remove push jobs from a server completely; Chef server stays, and forgets the service.
#
# The package only removes its own files: the service would continue to run and stay in keepalived's scripts, and the next
# failover would stop because it cannot start it. Each part can be interrupted anywhere and run again, and so can the whole.
#
# The key with which the server copied gives no access any more. It stays, because `connect` has printed it: if another
# server cannot be released, the stack continues with what `connect` printed.
#
# A name in a stack file is not a server: if this one was renamed or belongs to another stack now, remove nothing.
#
#   owner  who owned it: project, stack and server, as connect.sh recorded it
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

# First keepalived's scripts, while the service is still complete, so that a failover works at any time.
rm -f "$sv/keepalive_me"
if grep -qs "$name" /var/opt/opscode/keepalived/bin/cluster.sh; then chef-server-ctl reconfigure; fi

# While the link exists, the supervisor restarts the service when it ends; without it, it takes some seconds to notice.
if [ -L "$enabled" ]; then
  chef-server-ctl graceful-kill "$name"
  rm "$enabled"
fi
if [ -p "$sv/supervise/ok" ]; then "$bin/sv" -w 60 force-shutdown "$sv"; fi
rm -rf "$sv" "/opt/opscode/init/$name"

# The database users, because a new 1.x installation would keep their passwords. The data stays.
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
# Operators put credentials on another volume, and link to them. Behind a link, only push jobs' own files are removed.
for file in opscode-push-jobs-server.rb opscode-push-jobs-server-running.json opscode-push-jobs-server-secrets.json \
  pushy_priv.pem pushy_pub.pem; do
  if target=$(readlink -f "/etc/opscode-push-jobs-server/$file"); then rm -f "$target"; fi
done
rm -rf /etc/opscode-push-jobs-server /var/opt/opscode-push-jobs-server
cd /var/lib/chef-rollout
rm -rf credentials-before
rm -f owner shared-files suite-passed rotated credentials pushy-restarted pushy-started-with
