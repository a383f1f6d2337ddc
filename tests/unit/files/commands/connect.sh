set -eu
if command -v cloud-init > /dev/null; then timeout 600 cloud-init status --wait > /dev/null; fi
umask 077
mkdir -p /var/lib/chef-rollout
cat > /var/lib/chef-rollout/task.new <<'END-OF-FILE'
#!/bin/sh
# task NAME LIMIT SHOWS < SCRIPT: runs SCRIPT as root for LIMIT seconds at most; prints its log's last SHOWS lines.
set -u
name=$1 limit=$2 shows=$3
script=/var/lib/chef-rollout/$name.sh log=/var/log/chef-rollout/$name.log
umask 077
mkdir -p /var/log/chef-rollout
cat > "$script.new.$$" && mv "$script.new.$$" "$script" || exit 74
started=$(date +%s)
exec 9> /var/lib/chef-rollout/lock
if flock --wait "$limit" 9; then
  echo "$name" > /var/lib/chef-rollout/running
  umask 022
  timeout --kill-after=10 "$limit" sh "$script" > "$log" 2>&1 < /dev/null 9>&-
  status=$?
  case $status in
    0) if [ "$shows" -gt 0 ]; then tail -n "$shows" "$log"; fi; exit 0 ;;
    124 | 137) why="it took longer than its limit and was ended" ;;
    *) why="exit status $status" ;;
  esac
else
  status=75
  why="$(cat /var/lib/chef-rollout/running) still runs on this server, longer than this task's limit"
fi
exec >&2
echo "$name failed on $(hostname -f): $why, after $(($(date +%s) - started)) s (limit $limit s)"
echo "the last lines of its log, $log on that server:"
tail -n 20 "$log" 2> /dev/null | sed 's/^/  | /'
echo "what next: mend what the log names, then run pulumi up again: it goes on from here"
exit $status
END-OF-FILE
chmod 0700 /var/lib/chef-rollout/task.new
mv /var/lib/chef-rollout/task.new /var/lib/chef-rollout/task
cat > /var/lib/chef-rollout/manifest.new <<'END-OF-FILE'
set -eu
export LC_ALL=C
{
  find "$@" -type f -exec sha256sum {} +
  find "$@" -printf '%m %y %p\n'
} | sort
END-OF-FILE
chmod 0700 /var/lib/chef-rollout/manifest.new
mv /var/lib/chef-rollout/manifest.new /var/lib/chef-rollout/manifest
key=/var/lib/chef-rollout/id_ed25519
[ -s "$key.pub" ] || { rm -f "$key"; ssh-keygen -q -t ed25519 -N "" -C chef-rollout -f "$key"; }
cat /etc/ssh/ssh_host_ed25519_key.pub
cat "$key.pub"
