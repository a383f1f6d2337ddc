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
