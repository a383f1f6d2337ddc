# A copy leaves it where it has replaced Chef server's own secrets, which running services read only when they start.
# shellcheck disable=SC2034  # read by the scripts that include this
changed_secrets=/var/lib/chef-rollout/chef-secrets-changed
