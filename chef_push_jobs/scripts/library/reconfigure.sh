# Reconfigure push jobs. That restarts the service if its configuration changed. The new process is recorded, so that the
# runbook's restart step does not restart it again.
#
# From 2.0.1 on, every server sets up the database. If two of them change the same permissions at the same time, PostgreSQL
# refuses one, which may try again (docs/chef.md, Database on every server).
. library/service.sh
reconfigure() {
  rm -f "$restarted"
  before=$(running)
  tries=1
  until reconfigure_once; do
    if [ "$tries" = 5 ] || ! grep -q 'tuple concurrently updated' "$said"; then
      rm -f "$said"
      return "${ended:-1}"
    fi
    echo "another server changed the database at the same time: trying again"
    sleep "$((tries * 5 + $$ % 5))"
    tries=$((tries + 1))
  done
  rm -f "$said"
  after=$(running)
  if [ -n "$before" ] && [ -n "$after" ] && [ "$before" != "$after" ]; then
    echo "$after" > "$restarted"
  fi
  # From 2.0 on, the file with which 1.x was started is not read any more, and contains an old password.
  config=/var/opt/opscode-push-jobs-server/opscode-pushy-server
  if [ -e "$config/sys.config" ]; then rm -f "$config/etc/app.config"; fi
}

# Its output goes into the task's log at once, and into the file named by `said`.
said=/var/lib/chef-rollout/reconfigured
reconfigure_once() {
  {
    opscode-push-jobs-server-ctl reconfigure 2>&1 && ended=0 || ended=$?
    echo "$ended" > "$said.status"
  } | tee "$said"
  ended=$(cat "$said.status")
  rm -f "$said.status"
  return "$ended"
}
