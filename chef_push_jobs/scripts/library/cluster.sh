# Print keepalived's state for this backend: master, backup, … Except in ha there is none, and the one backend is master.
cluster_status() {
  if [ -e /var/opt/opscode/keepalived/current_cluster_status ]; then
    cat /var/opt/opscode/keepalived/current_cluster_status
  else
    echo master
  fi
}
