# Reconfigure push jobs. That restarts a service whose configuration is new, so that the restart of the runbook would be
# one too many: the new process is noted for it.
#
# From 2.0.1 on every server works on the database, several at once: where two change the same rights at the same time,
# PostgreSQL refuses one of them, which may try again (docs/chef.md, Database on every server).
. library/service.sh
reconfigure() {
  rm -f "$restarted"
  before=$(running)
  tries=1
  until reconfigure_once; do
    if [ "$tries" = 5 ] || ! grep -q 'tuple concurrently updated' "$said"; then
      rm -f "$said"
      return 1
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
  # From 2.0 on, what 1.x was started with is not read any more, and has an old password.
  config=/var/opt/opscode-push-jobs-server/opscode-pushy-server
  if [ -e "$config/sys.config" ]; then rm -f "$config/etc/app.config"; fi
}

# What it says goes into the task's log as it comes, and into the file that `said` names.
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
