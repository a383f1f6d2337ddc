# The push jobs service as it runs now, and what it was started with.
# shellcheck disable=SC2034  # the scripts that include this use them
. library/secrets.sh

# Where reconfigure records the process that it restarted, and the inputs that the running process was started with.
restarted=/var/lib/chef-rollout/pushy-restarted
started_with=/var/lib/chef-rollout/pushy-started-with

# Print the service's process: its id and start time, which together are unique. Nothing if it is down.
running() {
  pid=$(/opt/opscode/embedded/bin/sv status /opt/opscode/service/opscode-pushy-server 2> /dev/null |
    sed -n 's/^run: [^(]*(pid \([0-9]*\)).*/\1/p')
  if [ -n "$pid" ]; then echo "$pid $(cut -d ' ' -f 22 "/proc/$pid/stat")"; fi
}

# Print which package is installed.
installed() { dpkg-query -W opscode-push-jobs-server || rpm -q opscode-push-jobs-server; }

# Print a digest of what the service reads when it starts: its package, settings and credentials.
inputs() {
  {
    installed
    cd /etc/opscode-push-jobs-server && sha256sum -- *.rb *-secrets.json *.pem
    push_jobs_secrets /etc/opscode/private-chef-secrets.json
  } 2> /dev/null | sha256sum
}
