#!/bin/sh
# Reconfigure Chef server itself.
#
# A backend that was just rebooted, or that is just giving up its place, still calls itself master. As such, Chef server
# would take the volume from the other backend, or write data to where the volume will be mounted.
#
# From 12.14 on, no settings file contains a secret, so reconfigure does not notice other secrets and restarts nothing.
#
#   license  `yes` if the stack accepts the licence of Chef server 13 and later
#   include  a file of the operator's that Chef server's settings read, or empty
: "${license?}" "${include?}"
set -u
. library/changed-secrets.sh
. library/cluster.sh
if [ -n "$include" ] && [ ! -s "$include" ]; then
  echo "$include is missing on this server"
  echo "Rule: Chef server's settings read that file (chefServer.include) on every server."
  echo "Do:   put it here, readable only by root; a file in the primary's /etc/opscode is copied to the others"
  exit 1
fi
decided_status > /dev/null || exit
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
[ "$status" = 0 ] || exit "$status"
if [ -e "$changed_secrets" ]; then
  # On backends that fail over, services start when one becomes master.
  if [ ! -e "$keepalived" ]; then
    echo "Chef server's secrets have been replaced: its services are restarted, to read them"
    chef-server-ctl restart || exit
  fi
  rm -f "$changed_secrets"
fi
