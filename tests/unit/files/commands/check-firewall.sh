set -eu
filter=$(nft list ruleset 2> /dev/null || :; iptables-save 2> /dev/null || :)
if ! echo "$filter" | grep -Eq 'hook input .*policy drop|^:INPUT DROP'; then
  echo "no packet filter of this server drops what comes in"
  exit 0
fi
named() {
  echo "$filter" | awk -v port="$1" '/dport/ {
    sub(/.*dports?/, "")
    while (match($0, /[0-9]+([-:][0-9]+)?/)) {
      split(substr($0, RSTART, RLENGTH), range, /[-:]/)
      $0 = substr($0, RSTART + RLENGTH)
      if (range[1] + 0 <= port && port <= (range[2] ? range[2] : range[1]) + 0) found = 1
    }
  } END { exit !found }'
}
closed=
for port in 10000 10003 10002; do
  named "$port" || closed="$closed $port"
done
if [ -n "$closed" ]; then
  echo "the packet filter of this server drops what comes in, and has no rule for TCP$closed:"
  echo "let the push jobs clients in on the heartbeat and command port, the frontends on the API port"
  exit 1
fi
echo "the packet filter of this server has rules for every port"
