"""What a rollout leaves on a server, as text to compare: files, packages, services, ports, and who may log in.

Left out is what belongs to one run: process ids and times, logs, data, the files of a task that is under way.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.sandbox.conftest import Lab

SCRIPT = r"""
set -eu
cd /
found=
for path in etc/opscode etc/opscode-push-jobs-server var/opt/opscode var/opt/opscode-push-jobs-server \
  home/ubuntu/.ssh; do
  [ ! -e "$path" ] || found="$found $path"
done
# Data, what nginx holds for a moment, each server's own certificate, and where a master of any time has the volume.
kept() {
  find $found \( -path '*/postgresql/*/data' -o -path '*/nginx/tmp' -o -path '*/nginx/ca' -o -path '*/drbd' \) \
    -prune -o "$@"
}
kept -printf '%y %m %u:%g %p %l\n' | sort
kept -type f ! -name opscode-push-jobs-server-running.json -exec sha256sum {} + | sort -k 2
# It says whether this is the first reconfigure.
running=etc/opscode-push-jobs-server/opscode-push-jobs-server-running.json
[ ! -e $running ] || echo "$(sed '/"bootstrap": {/,/}/d' $running | sha256sum) $running"
find etc -maxdepth 1 -name '.chef-rollout*' -printf 'left over: %p\n'
find var/lib/chef-rollout -maxdepth 1 ! -name '*.wanted' ! -name lock ! -name suite-passed ! -name only-here \
  -printf '%y %m %u:%g %p\n' | sort
find home/ubuntu -maxdepth 1 -name 'chef-rollout-*' -type f -exec sha256sum {} + | sort
dpkg-query -W -f 'package ${Package} ${Version} ${Status}\n' chef-server-core opscode-push-jobs-server
chef-server-ctl status | sed 's/(pid [0-9]*) [0-9]*s/(pid)/g; s/: [0-9]*s/:/g' | sort
ss -Hltn | awk '{ print "listens", $4 }' | sort
status=var/opt/opscode/keepalived/current_cluster_status
[ ! -e $status ] || sed 's/^/cluster status: /' $status
for script in $(pgrep -f '[/]var/lib/chef-rollout/'); do
  echo "still runs: $(tr '\0' ' ' < /proc/$script/cmdline)"
done
"""
CREDENTIALS = r"""
cd /etc/opscode-push-jobs-server
for file in pushy_priv.pem pushy_pub.pem opscode-push-jobs-server-secrets.json; do
  [ ! -s $file ] || sha256sum $file
done
"""


def take(lab: Lab, servers: Sequence[str]) -> dict[str, list[str]]:
    """By server."""
    with ThreadPoolExecutor() as pool:
        texts = pool.map(lambda server: lab.output(server, SCRIPT), servers)
        return {server: text.splitlines() for server, text in zip(servers, texts, strict=True)}


def credentials(lab: Lab, server: str) -> dict[str, str]:
    """Digests by file, of those that are there and not empty."""
    done = lab.shell(server, CREDENTIALS)
    return {path: digest for digest, path in (line.split() for line in done.stdout.splitlines())}


def differences(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    """A line each, with its server."""
    found = []
    for server, lines in before.items():
        found += [f"{server}: no more: {line}" for line in lines if line not in after[server]]
        found += [f"{server}: new: {line}" for line in after[server] if line not in lines]
    return found
