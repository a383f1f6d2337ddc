#!/bin/sh
# Restart the push jobs service and wait until it listens, but not on a standby, where it must stay down.
#
# If reconfigure has already restarted it with everything new, do not restart it again: clients would be cut off twice.
#
#   ports         the ports on which it must listen, separated by spaces
#   unless_fresh  `yes` to leave it alone if it already runs with this package, these settings and credentials
: "${ports?}" "${unless_fresh?}"
set -eu
. library/service.sh
. library/cluster.sh
. library/ports.sh
all_listen() {
  for port in $ports; do listens "$port" || return 1; done
}
fresh() {
  [ "$unless_fresh" = yes ] && [ -n "$(running)" ] && [ -e "$started_with" ] &&
    [ "$(inputs)" = "$(cat "$started_with")" ] && all_listen
}
is=$(decided_status)
if [ "$is" != master ]; then
  echo "this backend is $is, not master: the service stays stopped here, nothing was restarted"
  if chef-server-ctl status opscode-pushy-server | grep -q '^run: opscode-pushy-server:'; then
    chef-server-ctl stop opscode-pushy-server
  fi
  exit 0
fi
if [ -s "$restarted" ] && [ "$(cat "$restarted")" = "$(running)" ]; then
  echo "reconfigure has already restarted the service with its new configuration: not restarted again"
  rm "$restarted"
elif fresh; then
  echo "the service already runs with the current configuration: not restarted"
else
  rm -f "$restarted"
  chef-server-ctl restart opscode-pushy-server
fi
for port in $ports; do
  until listens "$port"; do
    echo "waiting for port $port"
    sleep 1
  done
done
if [ "$unless_fresh" = yes ]; then inputs > "$started_with"; fi
