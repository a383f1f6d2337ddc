"""The services: reconfigured, with new credentials, restarted where the service is to run, tested."""

from __future__ import annotations

from collections.abc import Iterable
from shlex import quote

from chef_push_jobs.scripts.shell import HOME

# A first reconfigure that dies between the halves of the key pair leaves a public key, beside which the next one makes
# an empty private key, for good. Nobody has that half yet: it is shared only after a reconfigure that went through.
_WHOLE_KEY_PAIR = """\
set -eu
cd /etc/opscode-push-jobs-server
if [ -e pushy_pub.pem ] && [ ! -s pushy_priv.pem ]; then
  if [ -e /var/opt/opscode-push-jobs-server/bootstrapped ]; then
    echo "$PWD/pushy_priv.pem is lost: put it back from another server of the cluster, with its owner and mode" >&2
    exit 1
  fi
  rm -f pushy_pub.pem pushy_priv.pem
fi
"""

# Which process the service is: its id and start, together unique; nothing where it is down.
_RESTARTED = f"restarted={HOME}/pushy-restarted\n"
RUNNING = """\
running() {
  pid=$(/opt/opscode/embedded/bin/sv status /opt/opscode/service/opscode-pushy-server 2> /dev/null |
    sed -n 's/^run: [^(]*(pid \\([0-9]*\\)).*/\\1/p')
  if [ -n "$pid" ]; then echo "$pid $(cut -d ' ' -f 22 "/proc/$pid/stat")"; fi
}
"""

# Reconfigure restarts a service whose configuration is new, so that the restart of the runbook would be one too many:
# a note of the new process is left for it.
_RECONFIGURE = f"""\
{_RESTARTED}{RUNNING}\
rm -f "$restarted"
before=$(running)
opscode-push-jobs-server-ctl reconfigure
after=$(running)
if [ -n "$before" ] && [ -n "$after" ] && [ "$before" != "$after" ]; then
  echo "$after" > "$restarted"
fi
"""


def push_jobs_reconfigure() -> str:
    return f"{_WHOLE_KEY_PAIR}{_RECONFIGURE}"


def rotate(nonce: str) -> str:
    """Makes new credentials where `nonce` is another than the noted one; a server without a note notes it only.

    The old ones are removed and the next reconfigure makes new ones, so that it can be ended anywhere and run again.
    """
    return f"""\
set -eu
wanted={quote(nonce)} noted={HOME}/rotated
note() {{
  printf '%s\\n' "$wanted" > "$noted.new"
  mv "$noted.new" "$noted"
}}
if [ ! -e "$noted" ]; then
  note
  echo "noted: the credentials that are here are those of '$wanted'"
  exit 0
fi
is=$(cat "$noted")
if [ "$is" = "$wanted" ]; then
  echo "the credentials were made for '$wanted' already"
  exit 0
fi
# Until it is done, no setting is the one that the credentials are for.
echo "(under way)" > "$noted"
cd /etc/opscode-push-jobs-server
rm -f pushy_pub.pem pushy_priv.pem opscode-push-jobs-server-secrets.json
version=$(sed -n '1s/.* //p' /opt/opscode-push-jobs-server/version-manifest.txt)
case $version in
  1.* | 2.0.* | 2.1.*) ;;
  *)
    found=0
    for secret in pushy_pub_key pushy_priv_key sql_password sql_ro_password; do
      if chef-server-ctl show-secret push-jobs-server "$secret" > /dev/null 2>&1; then
        chef-server-ctl remove-secret push-jobs-server "$secret" --yes
        found=1
      fi
    done
    if [ "$found" = 0 ] && [ "$is" != "(under way)" ]; then
      printf '%s\\n' "$is" > "$noted"
      echo "nothing was rotated: Chef server shows no credentials of push jobs. It says:"
      {{ chef-server-ctl show-secret push-jobs-server pushy_priv_key > /dev/null; }} 2>&1
      exit 1
    fi ;;
esac
{_RECONFIGURE}\
note
echo "new credentials are made for '$wanted'"
"""


def chef_reconfigure() -> str:
    return "chef-server-ctl reconfigure\n"


# What the service reads when it starts: its package, settings and credentials; and a note of those it was started with.
INPUTS = f"""\
started_with={HOME}/pushy-started-with
inputs() {{
  {{
    dpkg-query -W opscode-push-jobs-server || rpm -q opscode-push-jobs-server
    cd /etc/opscode-push-jobs-server && sha256sum -- *.rb *-secrets.json *.pem ../opscode/private-chef-secrets.json
  }} 2> /dev/null | sha256sum
}}
"""
_FRESH = '[ -n "$(running)" ] && [ -e "$started_with" ] && [ "$(inputs)" = "$(cat "$started_with")" ] && all_listen'
_KEEP = '  echo "the service runs already with all that is here: not restarted"\n'


# What keepalived says decides (F32); outside of ha nobody says anything, and the one backend is master.
_UNLESS_MASTER = """\
status=/var/opt/opscode/keepalived/current_cluster_status
is=master
if [ -e "$status" ]; then is=$(cat "$status"); fi
if [ "$is" != master ]; then
"""


def _all_listen(ports: str) -> str:
    return f"""\
all_listen() {{
  for port in {ports}; do listens "$port" || return 1; done
}}
"""


def restart_pushy(ports: Iterable[int], *, unless_fresh: bool = False) -> str:
    """Restarts the service and waits until it listens; but not on a standby, where it must stay down (F32).

    Nor once more where reconfigure has restarted it already, with all that is new: clients would be cut off twice.
    `unless_fresh`: nor where it listens, with this package, these settings and these credentials, already.
    """
    fresh = f"elif {_FRESH}; then\n{_KEEP}" if unless_fresh else ""
    note = 'inputs > "$started_with"\n' if unless_fresh else ""
    listed = " ".join(str(port) for port in ports)
    return f"""\
set -eu
{_RESTARTED}{RUNNING}\
listens() {{ ss -Hltn "sport = :$1" | grep -q .; }}
{_all_listen(listed) if unless_fresh else ""}\
{INPUTS if unless_fresh else ""}\
{_UNLESS_MASTER}\
  echo "this backend is $is, not master: the service stays down here, nothing was restarted"
  if chef-server-ctl status opscode-pushy-server | grep -q '^run: opscode-pushy-server:'; then
    chef-server-ctl stop opscode-pushy-server
  fi
  exit 0
fi
if [ -s "$restarted" ] && [ "$(cat "$restarted")" = "$(running)" ]; then
  echo "reconfigure has restarted the service with its new configuration: not restarted once more"
  rm "$restarted"
{fresh}else
  rm -f "$restarted"
  chef-server-ctl restart opscode-pushy-server
fi
for port in {listed}; do
  until listens "$port"; do
    echo "waiting for port $port"
    sleep 1
  done
done
{note}"""


# How the test's log ends on a backend that is not master.
STANDBY = "not master: nothing was tested here"


def test() -> str:
    """Tests the service where it runs: a standby, where it is down (F32), says so and does nothing."""
    return f"""\
set -eu
{_UNLESS_MASTER}\
  echo "this backend is $is, {STANDBY}"
  exit 0
fi
opscode-push-jobs-server-ctl test
"""
