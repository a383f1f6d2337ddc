#!/bin/sh
# Verify push jobs where it runs. On a standby, where it is down, say so and do nothing.
#
# The package's own test is a suite of examples, which takes tens of minutes and affects a cluster in use (docs/chef.md,
# The test). So it runs once for each package on a server, and when it is asked for; otherwise only the status is checked.
#
# One example expects the packaged ports, whatever the settings are. With other ports it fails, and that single failure
# does not count.
#
#   heartbeat_port  from the settings
#   command_port    from the settings
#   mode            `suite`, or `status` to check only the status
#   asked           any text; a different one runs the suite once more
: "${heartbeat_port?}" "${command_port?}" "${mode?}" "${asked?}"
set -eu
. library/cluster.sh
. library/status.sh
is=$(decided_status)
if [ "$is" != master ]; then
  echo "this backend is $is, not master: nothing was tested here"
  exit 0
fi
noted=/var/lib/chef-rollout/suite-passed
this=$(installed && printf %s "$asked")
if [ "$mode" = suite ] && [ -e "$noted" ] && [ "$(cat "$noted")" = "$this" ]; then
  echo "the suite has already passed here with this package: change reverify to run it again"
  mode=status
fi
if [ "$mode" = status ]; then
  wait_for_page /_status
  check_status "$heartbeat_port" "$command_port"
  exit 0
fi
note() {
  printf '%s\n' "$this" > "$noted.new"
  mv "$noted.new" "$noted"
}
wait_for_page /_status
out=$(mktemp)
trap 'rm -f "$out" "$out.status"' EXIT
{
  status=0
  opscode-push-jobs-server-ctl test 2>&1 || status=$?
  echo "$status" > "$out.status"
} | tee "$out"
status=$(cat "$out.status")
if [ "$status" = 0 ]; then
  note
  exit 0
fi
if [ "$heartbeat_port $command_port" = "10000 10002" ]; then exit "$status"; fi
example='# pushy config GET /organization/<name>/pushy/config/<nodename> returns 200 and server config'
failed=$(grep '^rspec ' "$out" || :)
examples=$(sed -n 's/^\([0-9]*\) examples, 1 failure.*/\1/p' "$out")
told() { grep -q "\"$1\" *=> *\"tcp://[^\"]*:$2\"" "$out"; }
case $failed in
  *"$example")
    if [ "$(echo "$failed" | wc -l)" = 1 ] && [ -n "$examples" ] &&
      told out_addr "$heartbeat_port" && told command_addr "$command_port"; then
      note
      echo "$examples examples: $((examples - 1)) passed, 1 expects the packaged ports 10000 and 10002," \
        "where this stack has $heartbeat_port and $command_port; 0 failures"
      exit 0
    fi ;;
esac
exit "$status"
