# Reconfigure push jobs. That restarts a service whose configuration is new, so that the restart of the runbook would be
# one too many: the new process is noted for it.
. library/service.sh
reconfigure() {
  rm -f "$restarted"
  before=$(running)
  opscode-push-jobs-server-ctl reconfigure
  after=$(running)
  if [ -n "$before" ] && [ -n "$after" ] && [ "$before" != "$after" ]; then
    echo "$after" > "$restarted"
  fi
}
