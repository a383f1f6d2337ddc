#!/bin/sh
# Fail if a new primary would be set up next to a working highly available cluster.
#
# Its first reconfigure would create its own secrets and take the data volume from the live master. Then its database does
# not accept these secrets, and keepalived on the other backend has a different password, so both become master.
#
#   api_fqdn  the name at which clients call the API
: "${api_fqdn?}"
set -eu
[ ! -s /etc/opscode/private-chef-secrets.json ] || exit 0
curl=$(command -v curl || echo /opt/opscode/embedded/bin/curl)
[ -x "$curl" ] || exit 0
# Chef server's own answer, healthy or not; a load balancer alone gives a different one, or none.
case $("$curl" --silent --insecure --max-time 10 "https://$api_fqdn/_status" || :) in
  *'"upstreams"'*) ;;
  *) exit 0 ;;
esac
echo "this primary is new, and https://$api_fqdn is a cluster that is already in use"
echo "Rule: a new primary would create new secrets, which do not match the data on the other backend."
echo "Do:   copy the cluster's secrets here first: see Replace in docs/operations.md"
exit 1
