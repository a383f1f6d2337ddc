#!/bin/sh
# Fail where a new primary would be set up beside a highly available cluster that is at work.
#
# Its first reconfigure would make secrets of its own and take the volume with the data from the live master: its database
# does not know these secrets, and keepalived on the other backend another password. Both backends would then be master.
#
#   api_fqdn  the name that clients call the API by
: "${api_fqdn?}"
set -eu
[ ! -s /etc/opscode/private-chef-secrets.json ] || exit 0
curl=$(command -v curl || echo /opt/opscode/embedded/bin/curl)
[ -x "$curl" ] || exit 0
# What Chef server says of itself, well or not; a load balancer alone says something else, or nothing.
case $("$curl" --silent --insecure --max-time 10 "https://$api_fqdn/_status" || :) in
  *'"upstreams"'*) ;;
  *) exit 0 ;;
esac
echo "this primary is new, and https://$api_fqdn is a cluster that is already in use"
echo "Rule: a new primary would create new secrets, which do not match the data on the other backend."
echo "Do:   copy the cluster's secrets here first: see Replace in docs/operations.md"
exit 1
