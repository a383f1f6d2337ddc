#!/bin/sh
# Fail if the server's own packet filter blocks incoming connections and has no rule that allows a port.
#
# For servers whose firewall the stack does not manage. Checks only the server's own filter, not what is in front of it.
# A filter blocks by its policy, or by a last rule without a condition (firewalld; iptables as in RHEL).
#
#   ports  the TCP ports that must be open, separated by spaces
: "${ports?}"
set -eu
filter=$(nft list ruleset 2> /dev/null || :; iptables-save 2> /dev/null || :)
keeps_out() {
  echo "$filter" | awk '
    /^[[:space:]]*chain / { input = 0 }
    /hook input/ { input = 1; if (/policy drop/) found = 1 }
    input && /^[[:space:]]*(counter packets [0-9]+ bytes [0-9]+ )?(drop|reject)( |$)/ { found = 1 }
    /^:INPUT DROP/ || /^-A INPUT -j (DROP|REJECT)/ { found = 1 }
    END { exit !found }'
}
if ! keeps_out; then
  echo "no packet filter on this server blocks incoming connections"
  exit 0
fi
let_in() {
  echo "$filter" | awk -v port="$1" '/dport/ && !/udp/ && tolower($0) !~ /drop|reject/ {
    sub(/.*dports?/, "")
    while (match($0, /[0-9]+([-:][0-9]+)?/)) {
      split(substr($0, RSTART, RLENGTH), range, /[-:]/)
      $0 = substr($0, RSTART + RLENGTH)
      if (range[1] + 0 <= port && port <= (range[2] ? range[2] : range[1]) + 0) found = 1
    }
  } END { exit !found }'
}
closed=
for port in $ports; do
  let_in "$port" || closed="$closed $port"
done
if [ -n "$closed" ]; then
  echo "the packet filter on this server blocks incoming connections, and has no rule that allows TCP$closed:"
  echo "allow the push jobs clients on the heartbeat and command ports, and the frontends on the API port"
  exit 1
fi
echo "the packet filter on this server has a rule for each port"
