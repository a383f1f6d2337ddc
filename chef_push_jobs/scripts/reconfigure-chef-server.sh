#!/bin/sh
# Reconfigure Chef server itself.
#
# A backend that was just rebooted, or that is just giving up its place, still calls itself master. As such, Chef server
# would take the volume from the other backend, or write data to where the volume will be mounted.
#
#   license  `yes` if the stack accepts the licence of Chef server 13 and later
#   include  a file of the operator's that Chef server's settings read, or empty
: "${license?}" "${include?}"
set -u
if [ -n "$include" ] && [ ! -s "$include" ]; then
  echo "$include is missing on this server"
  echo "Rule: Chef server's settings read that file (chefServer.include) on every server."
  echo "Do:   put it here, readable only by root; a file in the primary's /etc/opscode is copied to the others"
  exit 1
fi
keepalived=/var/opt/opscode/keepalived
undecided() {
  [ "$(cat "$keepalived/current_cluster_status" 2> /dev/null)" = master ] || return 1
  [ "$(cat "$keepalived/requested_cluster_status" 2> /dev/null)" = master ] || return 0
  address=$(sed -n '/virtual_ipaddress/,/}/s|^ *\([0-9a-f.:]*[0-9a-f]\)[/ ].*|\1|p' "$keepalived/etc/keepalived.conf")
  [ -n "$address" ] && ! ip -o address show | grep -qF " $address/"
}
waited=0
while undecided; do
  if [ "$waited" = 60 ]; then
    echo "this backend calls itself master, and does not have the address of the backends, or is giving it up"
    echo "Rule: Chef server is only reconfigured once keepalived has decided which backend is master."
    echo "Do:   if keepalived does not run, start it: sudo chef-server-ctl start keepalived; otherwise fix what"
    echo "      sudo chef-server-ctl ha-status names; then run pulumi up again"
    exit 1
  fi
  waited=$((waited + 1))
  sleep 1
done
if [ "$license" = yes ]; then
  CHEF_LICENSE=accept
  export CHEF_LICENSE
fi
chef-server-ctl reconfigure
status=$?
if [ "$status" = 172 ]; then
  echo "Chef server asks for its licence, which nobody has accepted on this server"
  echo "Rule: Chef server 13 and later cannot be configured before that."
  echo "Do:   read the licence, then set chefServer.acceptLicense to true"
fi
exit "$status"
