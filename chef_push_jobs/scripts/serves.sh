#!/bin/sh
# Wait until this server works, and print its role. Asked after a machine was stopped, whether it is back; and before,
# whether the others can do without it.
#
#   part     `frontend`; `backend`; or `master`, a backend that must be the one at work
#   seconds  how long to wait
: "${part?}" "${seconds?}"
set -eu
. library/cluster.sh
page() {
  curl=$(command -v curl || echo /opt/opscode/embedded/bin/curl)
  said=$("$curl" --silent --show-error --insecure --fail --max-time 10 https://localhost/_status 2>&1) && return
  why="its https://localhost/_status does not answer: $said"
  return 1
}
decided() {
  [ -d "$keepalived/bin" ] || return 0
  why="keepalived has not made it master or standby, or chef-server-ctl ha-status is not well"
  [ "$is" = "$(cat "$keepalived/requested_cluster_status" 2> /dev/null)" ] &&
    timeout 15 chef-server-ctl ha-status > /dev/null 2>&1 < /dev/null
}
# Running for some seconds, which a service that crashes and restarts never is. The test of push jobs checks its ports.
at_work() {
  why="opscode-pushy-server does not run, or has only just been started"
  up=$(/opt/opscode/embedded/bin/sv status /opt/opscode/service/opscode-pushy-server 2> /dev/null |
    sed -n 's/^run: [^(]*(pid [0-9]*) \([0-9]*\)s.*/\1/p')
  [ "${up:-0}" -ge 5 ]
}
serves() {
  is=$part
  if [ "$part" = frontend ]; then
    page
    return
  fi
  is=$(cluster_status)
  decided || return 1
  case $part/$is in
    */master) at_work ;;
    backend/backup) ;;
    *)
      why="it is $is, not master"
      return 1
      ;;
  esac
}
waited=0
until serves; do
  if [ "$waited" -ge "$seconds" ]; then
    echo "$why"
    exit 1
  fi
  waited=$((waited + 1))
  sleep 1
done
echo "it is $is"
