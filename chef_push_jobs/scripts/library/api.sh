. library/clock.sh

# wait_for_page PATH [SECONDS]: wait until the entry answers PATH at the name that push jobs and its test use, and set
# `page` to the answer. A load balancer on the way needs some checks to notice that a frontend works.
wait_for_page() {
  seconds=${2-300}
  name=$(tr -d '\n' < /etc/opscode/chef-server-running.json | sed -n 's/.*"lb": *{[^}]*"api_fqdn": *"\([^"]*\)".*/\1/p')
  [ -n "$name" ] || name=$(hostname -f)
  curl=$(command -v curl || echo /opt/opscode/embedded/bin/curl)
  answers=0 deadline=$(($(now) + seconds))
  while [ "$answers" -lt 3 ]; do
    # The certificate may be self-signed; the question is only whether somebody answers.
    if page=$("$curl" --silent --show-error --insecure --fail --max-time 10 "https://$name$1" 2>&1); then
      answers=$((answers + 1))
      continue
    fi
    answers=0
    if [ "$(now)" -ge "$deadline" ]; then
      echo "https://$name$1 does not respond to this backend within $seconds s: $page"
      echo "Rule: push jobs and its test call the API by that name from the backends."
      echo "Do:   check the name's address here (getent hosts $name), the load balancer and the frontends"
      return 1
    fi
    sleep 1
  done
}

# wait_for_database SECONDS: wait until the database of Chef server answers where push jobs looks for it: on a backend that is
# not master, at the address that moves with the master.
wait_for_database() {
  timeout $(($1 + 30)) /opt/opscode/embedded/bin/ruby -r json -r socket - "$1" << 'END-OF-RUBY'
chef = JSON.parse(File.read("/etc/opscode/chef-server-running.json"))["private_chef"]
port = chef["postgresql"]["port"]
host = chef["postgresql"]["vip"]
host = chef["backend_vips"]["ipaddress"] if host == "127.0.0.1"
now = -> { Process.clock_gettime(Process::CLOCK_MONOTONIC) }
deadline = now.call + ARGV[0].to_i
begin
  Socket.tcp(host, port, connect_timeout: 5, &:close)
rescue SystemCallError, SocketError => error
  if now.call < deadline
    sleep 1
    retry
  end
  puts "the database at #{host}:#{port} does not respond to this backend within #{ARGV[0]} s: #{error.message}"
  puts "Rule: push jobs from 2.0.1 on sets up its database from every server, and a standby has none of its own."
  puts "Do:   let the backends reach each other on TCP #{port}; if that is so, see sudo chef-server-ctl ha-status"
  exit 1
end
END-OF-RUBY
}
