# Whether push jobs works, in seconds and without a trace: the service, its ports, and a client's way to it.
. library/api.sh
. library/ports.sh
. library/service.sh

not_well() {
  echo "$1"
  echo "Rule: push jobs must run on this backend, listen on its ports, and respond under the API's name."
  echo "Do:   $2"
  return 1
}

# holds COMMAND…: true within a minute; a service that keepalived has just started takes a moment.
holds() {
  deadline=$(($(now) + 60))
  until "$@"; do
    [ "$(now)" -lt "$deadline" ] || return 1
    sleep 1
  done
}
runs() { [ -n "$(running)" ]; }

# check_status PORT …: print in one line what works, or what does not.
check_status() {
  holds runs ||
    not_well "opscode-pushy-server does not run" "see /var/log/opscode/opscode-pushy-server/current" || return 1
  for port in "$@"; do
    holds listens "$port" ||
      not_well "nothing listens on port $port" "see /var/log/opscode/opscode-pushy-server/current" || return 1
  done
  wait_for_page /pushy/_status || return 1
  online=$(printf %s "$page" | sed -n 's/.*"node_fsm_count": *\([0-9][0-9]*\).*/\1/p')
  [ -n "$online" ] ||
    not_well "https://$name/pushy/_status does not answer as push jobs: $page" "see whose name $name is" || return 1
  echo "status: the service runs, ports $* listen, https://$name/pushy/_status answers, $online clients online; 0 failures"
}
