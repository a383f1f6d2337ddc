#!/bin/sh
# Wait until keepalived has decided which backend is master. Reconfigure starts keepalived and returns; the decision takes
# some seconds, and what keepalived then does (storage, services, address) takes more.
#
# Push jobs creates its database user only on the master, so its first reconfigure on a backend that is not master yet
# leaves a service that cannot log in. A backend without a master next to it takes over after four seconds.
#
#   seconds  how long this backend must have been a standby to count as one
: "${seconds?}"
set -eu
folder=/var/opt/opscode/keepalived
said() { cat "$folder/$1_cluster_status" 2> /dev/null || echo nothing; }
settled() {
  is=$(said current)
  if [ "$is" != "$(said requested)" ]; then
    since=
    return 1
  fi
  case $is in
    master) ;;
    # Counted here, because the clock that dates files may be set meanwhile.
    backup) since=${since:-$waited} && [ $((waited - since)) -ge "$seconds" ] ;;
    *) return 1 ;;
  esac
}
waited=0 since=
until settled; do
  if [ "$waited" = 300 ]; then
    echo "keepalived has not settled within 300 s: it requested $(said requested) for this backend, which is $(said current)"
    echo "Rule: push jobs can only be set up after keepalived has made each backend master or standby."
    echo "Do:   find what is wrong in the output of chef-server-ctl ha-status, and fix it:"
    chef-server-ctl ha-status || :
    exit 1
  fi
  waited=$((waited + 1))
  sleep 1
done
echo "keepalived made this backend $is"
