# Print what keepalived made of this backend: master, backup, … Outside of ha nobody says, and the one backend is master.
cluster_status() {
  if [ -e /var/opt/opscode/keepalived/current_cluster_status ]; then
    cat /var/opt/opscode/keepalived/current_cluster_status
  else
    echo master
  fi
}
