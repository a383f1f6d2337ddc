#!/bin/sh
# Run the packages' own test of push jobs where the service runs: a standby, where it is down, says so and does nothing.
#
# The test is a suite of examples. One of them expects the packaged ports, whatever the settings are (docs/chef.md, The
# test): with other ports it fails, and that one failure, for the ports alone, is none.
#
#   heartbeat_port  that of the settings
#   command_port    that of the settings
: "${heartbeat_port?}" "${command_port?}"
set -eu
. library/cluster.sh
. library/api.sh
is=$(cluster_status)
if [ "$is" != master ]; then
  echo "this backend is $is, not master: nothing was tested here"
  exit 0
fi
wait_for_api
out=$(mktemp)
trap 'rm -f "$out" "$out.status"' EXIT
{
  status=0
  opscode-push-jobs-server-ctl test 2>&1 || status=$?
  echo "$status" > "$out.status"
} | tee "$out"
status=$(cat "$out.status")
if [ "$status" = 0 ] || [ "$heartbeat_port $command_port" = "10000 10002" ]; then exit "$status"; fi
example='# pushy config GET /organization/<name>/pushy/config/<nodename> returns 200 and server config'
failed=$(grep '^rspec ' "$out" || :)
examples=$(sed -n 's/^\([0-9]*\) examples, 1 failure.*/\1/p' "$out")
told() { grep -q "\"$1\" *=> *\"tcp://[^\"]*:$2\"" "$out"; }
case $failed in
  *"$example")
    if [ "$(echo "$failed" | wc -l)" = 1 ] && [ -n "$examples" ] &&
      told out_addr "$heartbeat_port" && told command_addr "$command_port"; then
      echo "$examples examples: $((examples - 1)) passed, 1 expects the packaged ports 10000 and 10002," \
        "where this stack has $heartbeat_port and $command_port; 0 failures"
      exit 0
    fi ;;
esac
exit "$status"
