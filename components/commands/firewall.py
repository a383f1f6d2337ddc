"""The firewall of servers that exist already: checked, not made."""

from __future__ import annotations

from collections.abc import Iterable


def check_firewall(ports: Iterable[int]) -> str:
    """Fails where the server's own packet filter drops what comes in and names a port nowhere.

    For servers whose firewall is not made here. It sees the server's own filter only, not what stands before it.
    """
    return f"""\
set -eu
filter=$(nft list ruleset 2> /dev/null || :; iptables-save 2> /dev/null || :)
if ! echo "$filter" | grep -Eq 'hook input .*policy drop|^:INPUT DROP'; then
  echo "no packet filter of this server drops what comes in"
  exit 0
fi
named() {{
  echo "$filter" | awk -v port="$1" '/dport/ {{
    sub(/.*dports?/, "")
    while (match($0, /[0-9]+([-:][0-9]+)?/)) {{
      split(substr($0, RSTART, RLENGTH), range, /[-:]/)
      $0 = substr($0, RSTART + RLENGTH)
      if (range[1] + 0 <= port && port <= (range[2] ? range[2] : range[1]) + 0) found = 1
    }}
  }} END {{ exit !found }}'
}}
closed=
for port in {" ".join(str(port) for port in ports)}; do
  named "$port" || closed="$closed $port"
done
if [ -n "$closed" ]; then
  echo "the packet filter of this server drops what comes in, and has no rule for TCP$closed:"
  echo "let the push jobs clients in on the heartbeat and command port, the frontends on the API port"
  exit 1
fi
echo "the packet filter of this server has rules for every port"
"""
