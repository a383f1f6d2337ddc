set -eu
cd /etc/opscode-push-jobs-server
if [ -e pushy_pub.pem ] && [ ! -s pushy_priv.pem ]; then
  if [ -e /var/opt/opscode-push-jobs-server/bootstrapped ]; then
    echo "$PWD/pushy_priv.pem is lost: put it back from another server of the cluster, with its owner and mode" >&2
    exit 1
  fi
  rm -f pushy_pub.pem pushy_priv.pem
fi
restarted=/var/lib/chef-rollout/pushy-restarted
running() {
  pid=$(/opt/opscode/embedded/bin/sv status /opt/opscode/service/opscode-pushy-server 2> /dev/null |
    sed -n 's/^run: [^(]*(pid \([0-9]*\)).*/\1/p')
  if [ -n "$pid" ]; then echo "$pid $(cut -d ' ' -f 22 "/proc/$pid/stat")"; fi
}
rm -f "$restarted"
before=$(running)
opscode-push-jobs-server-ctl reconfigure
after=$(running)
if [ -n "$before" ] && [ -n "$after" ] && [ "$before" != "$after" ]; then
  echo "$after" > "$restarted"
fi
