set -eu
restarted=/var/lib/chef-rollout/pushy-restarted
running() {
  pid=$(/opt/opscode/embedded/bin/sv status /opt/opscode/service/opscode-pushy-server 2> /dev/null |
    sed -n 's/^run: [^(]*(pid \([0-9]*\)).*/\1/p')
  if [ -n "$pid" ]; then echo "$pid $(cut -d ' ' -f 22 "/proc/$pid/stat")"; fi
}
listens() { ss -Hltn "sport = :$1" | grep -q .; }
all_listen() {
  for port in 10000 10003 10002; do listens "$port" || return 1; done
}
started_with=/var/lib/chef-rollout/pushy-started-with
inputs() {
  {
    dpkg-query -W opscode-push-jobs-server || rpm -q opscode-push-jobs-server
    cd /etc/opscode-push-jobs-server && sha256sum -- *.rb *-secrets.json *.pem ../opscode/private-chef-secrets.json
  } 2> /dev/null | sha256sum
}
status=/var/opt/opscode/keepalived/current_cluster_status
is=master
if [ -e "$status" ]; then is=$(cat "$status"); fi
if [ "$is" != master ]; then
  echo "this backend is $is, not master: the service stays down here, nothing was restarted"
  if chef-server-ctl status opscode-pushy-server | grep -q '^run: opscode-pushy-server:'; then
    chef-server-ctl stop opscode-pushy-server
  fi
  exit 0
fi
if [ -s "$restarted" ] && [ "$(cat "$restarted")" = "$(running)" ]; then
  echo "reconfigure has restarted the service with its new configuration: not restarted once more"
  rm "$restarted"
elif [ -n "$(running)" ] && [ -e "$started_with" ] && [ "$(inputs)" = "$(cat "$started_with")" ] && all_listen; then
  echo "the service runs already with all that is here: not restarted"
else
  rm -f "$restarted"
  chef-server-ctl restart opscode-pushy-server
fi
for port in 10000 10003 10002; do
  until listens "$port"; do
    echo "waiting for port $port"
    sleep 1
  done
done
inputs > "$started_with"
