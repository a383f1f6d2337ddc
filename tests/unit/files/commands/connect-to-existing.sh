set -eu
failed() {
  status=$?
  echo "connect failed on $(hostname -f): exit status $status"
  echo "what next: mend what is named above, then run pulumi up again: it goes on from here"
}
trap 'failed >&2' EXIT
umask 077
install -d -m 0755 /var/lib/chef-rollout
exec 8> /var/lib/chef-rollout/connect.lock
flock 8
cat > /var/lib/chef-rollout/task.new <<'END-OF-FILE'
#!/bin/sh
# task NAME LIMIT SHOWS < SCRIPT: runs SCRIPT as root for LIMIT seconds at most; prints its log's last SHOWS lines.
# A failure is one block: what, where, why, and what to do next.
set -u
name=$1 limit=$2 shows=$3
script=/var/lib/chef-rollout/$name.sh log=/var/log/chef-rollout/$name.log lock=/var/lib/chef-rollout/lock running=/var/lib/chef-rollout/running
wanted=$script.wanted new=$script.$$

now() { date +%s; }
told() { echo "$(date -u +%FT%TZ) $name $*" 2> /dev/null >> /var/log/chef-rollout/history; }
started=$(now)

# give_up STATUS WHY NEXT HEADING LINES
give_up() {
  exec >&2
  echo "$name failed on $(hostname -f): $2, after $(($(now) - started)) s (limit $limit s)"
  echo "$4:"
  printf '%s\n' "${5:-(nothing)}" | tail -n 20 | cut -c 1-500 | sed 's/^/  | /'
  df -P /var/lib/chef-rollout /var/log/chef-rollout /etc /tmp 2> /dev/null | awk 'NR > 1 && $5 + 0 >= 99 { print $6 }' | sort -u |
    sed 's/^/no room is left there on /'
  echo "what next: $3, then run pulumi up again: it goes on from here"
  exit "$1"
}

if [ "$(id -u)" != 0 ]; then
  sudo -n "$0" "$@"
  status=$?
  if [ "$status" = 0 ] || said=$(sudo -n true 2>&1); then exit "$status"; fi
  give_up "$status" "sudo refused it, nothing was run" "let $(id -un) use sudo there without a password" \
    "what sudo says" "$said"
fi

umask 077
# Where no log could be kept, nothing is run.
if ! said=$({
  mkdir -p /var/log/chef-rollout && cat > "$new" && head -c 16384 /dev/zero > "$log.new" && rm "$log.new" &&
    echo $$ > "$wanted" && : >> "$lock"
} 2>&1); then
  cat > /dev/null
  rm -f "$new" "$log.new"
  give_up 74 "its script and log cannot be written, nothing was run" "make room there" "what that server says" "$said"
fi

# What holds the lock is ended by its own limit, so this waiting ends too.
exec 9>> "$lock"
waits=0
until flock --wait "$waits" 9; do
  holder=another until='' session=0
  if [ -s "$running" ]; then read -r holder until session < "$running"; fi
  if [ "$waits" = 0 ]; then told "waits for $holder"; waits=5; fi
  if [ "$(now)" -gt "${until:-$((started + limit))}" ]; then
    rm -f "$new"
    give_up 75 "$holder still runs there, longer than its own limit" "end it there (sudo pkill -KILL -s $session)" \
      "what of it runs there" "$(pgrep -a -s "$session")"
  fi
done
if [ "$(cat "$wanted")" != $$ ]; then
  rm -f "$new"
  told "is left to a later run"
  exit 75
fi

if ! said=$(mv -f "$new" "$script" 2>&1); then
  give_up 74 "its script cannot be written, nothing was run" "make room there" "what that server says" "$said"
fi
if [ -e "$log" ]; then mv -f "$log" "$log.1"; fi
told begins
begun=$(now)
umask 022
# In a session of its own, by which all that it leaves behind is known; services leave it, and live on.
setsid timeout --kill-after=10 "$limit" sh -c 'exec sh "$1" 9>&-' "$name" "$script" > "$log" 2>&1 < /dev/null &
session=$!
exec 9>&-
echo "$name $((begun + limit + 30)) $session" > "$running"
wait "$session"
status=$?
took=$(($(now) - begun))
if [ "$status" != 0 ]; then
  tries=0
  while pkill -KILL -s "$session" && [ "$tries" -lt 50 ]; do
    tries=$((tries + 1))
    sleep 0.1
  done
fi
rm -f "$running"
told "ends with exit status $status after $took s"
if [ "$status" = 0 ]; then
  if [ "$shows" -gt 0 ]; then tail -n "$shows" "$log"; fi
  exit 0
fi
why="exit status $status" next="mend what the log names"
case $status in
  124 | 137)
    if [ "$took" -ge "$limit" ]; then
      why="it took longer than its limit and was ended"
      next="mend what it waited for, or raise timeLimits in the stack's settings"
    fi ;;
esac
give_up "$status" "$why" "$next" "the last lines of its log, $log on that server" "$(tail -n 20 "$log")"
END-OF-FILE
chmod 0755 /var/lib/chef-rollout/task.new
mv /var/lib/chef-rollout/task.new /var/lib/chef-rollout/task
exec /var/lib/chef-rollout/task connect 600 2 8>&- <<'END-OF-TASK'
set -eu
umask 077
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
running() {
  pid=$(/opt/opscode/embedded/bin/sv status /opt/opscode/service/opscode-pushy-server 2> /dev/null |
    sed -n 's/^run: [^(]*(pid \([0-9]*\)).*/\1/p')
  if [ -n "$pid" ]; then echo "$pid $(cut -d ' ' -f 22 "/proc/$pid/stat")"; fi
}
started_with=/var/lib/chef-rollout/pushy-started-with
inputs() {
  {
    dpkg-query -W opscode-push-jobs-server || rpm -q opscode-push-jobs-server
    cd /etc/opscode-push-jobs-server && sha256sum -- *.rb *-secrets.json *.pem ../opscode/private-chef-secrets.json
  } 2> /dev/null | sha256sum
}
[ -e "$started_with" ] || [ -z "$(running)" ] || inputs > "$started_with"
cat /etc/ssh/ssh_host_ed25519_key.pub
cat "$key.pub"
END-OF-TASK
