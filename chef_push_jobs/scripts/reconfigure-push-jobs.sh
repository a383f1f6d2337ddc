#!/bin/sh
# Reconfigure push jobs, with a complete key pair, and without starting it on a standby.
#
# If the first reconfigure dies between the two halves of the key pair, it leaves a public key, and the next one writes an
# empty private key that stays. Nobody else has that half yet, because keys are only shared after a successful reconfigure.
#
# A master that was cut off from the other backend comes back without its volume, and so without its database. Ask the
# database itself: the supervisor starts one without data again and again, and says that it runs. A backend that was
# rebooted calls itself master until keepalived says otherwise.
#
# The first reconfigure also starts the service on a standby, which marks the jobs that run on the master as crashed.
set -eu
. library/cluster.sh
. library/database.sh
. library/reconfigure.sh
cd /etc/opscode-push-jobs-server
if [ -e pushy_pub.pem ] && [ ! -s pushy_priv.pem ]; then
  if [ -e /var/opt/opscode-push-jobs-server/bootstrapped ]; then
    echo "$PWD/pushy_priv.pem is lost: restore it from another server of the cluster, with its owner and mode" >&2
    exit 1
  fi
  rm -f pushy_pub.pem pushy_priv.pem
fi
waited=0
while [ -e "$keepalived/current_cluster_status" ] && [ "$(cluster_status)" = master ] &&
  ! psql postgres 'SELECT 1' > /dev/null 2>&1; do
  case $waited in
    0) echo "this backend is master, and its database does not run: waiting for it, or for another master" ;;
    60)
      echo "this backend is master, and its database does not run: chef-server-ctl ha-status shows what is wrong"
      echo "Rule: push jobs can only be set up on the backend that has the data."
      echo "Do:   if it lost contact with the other backend, which took the volume, and no other backend is master, run"
      echo "      sudo chef-server-ctl master-recover here; then run pulumi up again"
      exit 1
      ;;
  esac
  waited=$((waited + 1))
  sleep 1
done
service=/opt/opscode/sv/opscode-pushy-server var=/var/opt/opscode-push-jobs-server
if [ "$(cluster_status)" != master ] && [ ! -e "$var/bootstrapped" ]; then
  mkdir -p "$service" "$var"
  touch "$service/down" "$var/bootstrapped"
fi
reconfigure
