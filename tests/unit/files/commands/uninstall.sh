set -eu
if dpkg-query -W opscode-push-jobs-server > /dev/null 2>&1; then
  dpkg --purge opscode-push-jobs-server
elif rpm -q opscode-push-jobs-server > /dev/null 2>&1; then
  rpm -e opscode-push-jobs-server
fi
rm -rf /etc/opscode-push-jobs-server /var/opt/opscode-push-jobs-server
rm -f /var/opt/opscode/nginx/etc/addon.d/10-push_jobs_*.conf
if [ -d /var/opt/opscode/keepalived ]; then chef-server-ctl reconfigure; fi
rm -f /var/lib/chef-rollout/shared-files
