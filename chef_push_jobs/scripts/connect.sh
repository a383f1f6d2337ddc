#!/bin/sh
# Prepare a server for tasks: install the task runner, and let it run the preparation as the first task.
#
#   timeout      seconds that the preparation may take
#   owner        who owns the server: project, stack and server, as uninstall.sh checks it
#   fqdn         the name by which Chef server finds this server's role, in lower case; empty if it is not compared
#   runner       the text of task.sh
#   preparation  the script of the first task; its last lines are the digest of the server's credentials, if it is taken
#                over, and the key with which it copies
: "${timeout?}" "${owner?}" "${fqdn?}" "${runner?}" "${preparation?}"
set -eu
. library/files.sh
. library/names.sh
failed() {
  status=$?
  echo "connect failed on $(hostname -f 2> /dev/null || hostname): exit status $status"
  echo "what next: fix what is named above, then run pulumi up again: it continues from here"
}
trap 'failed >&2' EXIT
if [ -n "$fqdn" ] && named=$(own_name 20) && [ -n "$named" ] && [ "$named" != "$fqdn" ]; then
  echo "this server calls itself $named, and the stack calls it $fqdn"
  echo "Rule: in a tier or an ha cluster, Chef server finds a server's role by the server's own name (hostname -f)."
  echo "Do:   give each of servers the address and the fqdn of one machine, or correct that machine's name"
  exit 1
fi >&2
umask 077
install -d -m 0755 /var/lib/chef-rollout
exec 8> /var/lib/chef-rollout/connect.lock
flock 8
write_file 0755 /var/lib/chef-rollout/task "$runner"
write_file 0644 /var/lib/chef-rollout/owner "$owner"
exec sh /var/lib/chef-rollout/task connect "$timeout" 2 8>&- << END-OF-TASK
$preparation
END-OF-TASK
