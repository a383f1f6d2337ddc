# Which backend is master, by the files in which keepalived's script notes it.
keepalived=/var/opt/opscode/keepalived

# Print keepalived's state for this backend: master, backup, … Only ha has keepalived; without it the one backend is master.
# Fail if the state is there and cannot be read.
cluster_status() {
  if [ -e "$keepalived/current_cluster_status" ]; then
    cat "$keepalived/current_cluster_status"
  elif [ -e "$keepalived" ]; then
    echo 'without a state of keepalived'
  else
    echo master
  fi
}

# undecided STATUS: a backend that was just rebooted, or that is just giving up its place, still calls itself master.
undecided() {
  [ "$1" = master ] && [ -e "$keepalived/current_cluster_status" ] || return 1
  [ "$(cat "$keepalived/requested_cluster_status" 2> /dev/null)" = master ] || return 0
  address=$(sed -n '/virtual_ipaddress/,/}/s|^ *\([0-9a-f.:]*[0-9a-f]\)[/ ].*|\1|p' "$keepalived/etc/keepalived.conf")
  [ -n "$address" ] && ! ip -o address show | grep -qF " $address/"
}

# Print `cluster_status` once keepalived has decided, for which it gets a minute.
decided_status() {
  waited=0
  status=$(cluster_status) || return
  while undecided "$status"; do
    if [ "$waited" = 60 ]; then
      echo "this backend calls itself master, and does not have the address of the backends, or is giving it up"
      echo "Rule: nothing is done as master until keepalived has decided which backend that is."
      echo "Do:   if keepalived does not run, start it: sudo chef-server-ctl start keepalived; otherwise fix what"
      echo "      sudo chef-server-ctl ha-status names; then run pulumi up again"
      return 1
    fi >&2
    waited=$((waited + 1))
    sleep 1
    status=$(cluster_status) || return
  done
  echo "$status"
}
