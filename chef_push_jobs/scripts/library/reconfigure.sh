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
  # From 2.0 on, what 1.x was started with is not read any more, and has an old password.
  config=/var/opt/opscode-push-jobs-server/opscode-pushy-server
  if [ -e "$config/sys.config" ]; then rm -f "$config/etc/app.config"; fi
}
