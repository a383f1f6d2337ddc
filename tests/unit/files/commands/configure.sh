set -eu
mkdir -p /etc/x
cat > /etc/x/x.rb.new <<'END-OF-FILE'
# Written by chef-rollout: change the stack's settings, not this file.
opscode_pushy_server['server_heartbeat_port'] = '10000'
opscode_pushy_server['command_port'] = '10003'
opscode_pushy_server['api_port'] = '10002'
opscode_pushy_server['heartbeat_interval'] = 1000
END-OF-FILE
chmod 0644 /etc/x/x.rb.new
if cmp -s /etc/x/x.rb.new /etc/x/x.rb; then rm /etc/x/x.rb.new; else mv /etc/x/x.rb.new /etc/x/x.rb; fi
