set -eu
status=/var/opt/opscode/keepalived/current_cluster_status
if [ -e "$status" ] && [ "$(cat "$status")" != master ]; then
  echo "this backend is $(cat "$status"), not master: the service stays down here, nothing was restarted"
  exit 0
fi
chef-server-ctl restart opscode-pushy-server
for port in 10000 10003 10002; do
  until ss -Hltn "sport = :$port" | grep -q .; do
    echo "waiting for port $port"
    sleep 1
  done
done
