#!/bin/sh
# task NAME TIMEOUT TAIL_LINES BYTES < SCRIPT: the task runner, which `connect` installs on each server.
#
# It runs SCRIPT as root for at most TIMEOUT seconds, one task at a time on a server, with a log of its own, and prints
# the last TAIL_LINES lines of that log. A failure is one block of text: what, where, why, and what to do next.
#
# SCRIPT has BYTES bytes: if a broken connection cut it off, nothing runs. A stack from an older version does not say how
# many there are.
#
# `timeout` holds the lock, so neither a lost connection nor a killed runner lets a second task start. If both are killed,
# the record of the running task is checked.
set -u
. library/clock.sh
name=$1 timeout=$2 tail_lines=$3 bytes=${4-}
script=/var/lib/chef-rollout/$name.sh log=/var/log/chef-rollout/$name.log
lock=/var/lib/chef-rollout/lock running=/var/lib/chef-rollout/running
wanted=$script.wanted new=$script.$$

here() { hostname -f 2> /dev/null || hostname; }
record() { echo "$(date -u +%FT%TZ) $name $*" 2> /dev/null >> /var/log/chef-rollout/history; }
started=$(now)

# Makes text of others safe for a terminal: no control characters, and no marks that change the direction of text.
harmless() {
  LC_ALL=C tr '\000-\010\013-\037\177' '?' |
    LC_ALL=C sed 's/\xc2[\x80-\x9f]/?/g; s/\xe2\x80[\x8b-\x8f\xa8-\xae]/?/g; s/\xe2\x81[\xa0-\xaf]/?/g'
}

# give_up STATUS WHY NEXT HEADING LINES
give_up() {
  exec >&2
  echo "$name failed on $(here): $2, after $(($(now) - started)) s (limit $timeout s)"
  echo "$4:"
  printf '%s\n' "${5:-(nothing)}" | tail -n 20 | harmless | cut -c 1-500 | sed 's/^/  | /'
  df -P /var/lib/chef-rollout /var/log/chef-rollout /etc /tmp 2> /dev/null |
    awk 'NR > 1 && $5 + 0 >= 99 { print $6 }' | sort -u | sed 's/^/no room is left there on /'
  echo "what next: $3, then run pulumi up again: it continues from here"
  exit "$1"
}

if [ "$(id -u)" != 0 ]; then
  sudo -n sh "$0" "$@"
  status=$?
  if [ "$status" = 0 ] || said=$(sudo -n true 2>&1); then exit "$status"; fi
  give_up "$status" "sudo refused it, nothing was run" "let $(id -un) use sudo there without a password and without a terminal" \
    "what sudo says" "$said"
fi

umask 077
# If no log can be written, run nothing.
if ! said=$({
  mkdir -p /var/log/chef-rollout && cat > "$new" && head -c 16384 /dev/zero > "$log.new" && rm "$log.new" &&
    : >> "$lock"
} 2>&1); then
  cat > /dev/null
  rm -f "$new" "$log.new"
  give_up 74 "its script and log cannot be written, nothing was run" "make room there" "what that server says" "$said"
fi
came=$(wc -c < "$new")
if [ "$came" != "${bytes:-$came}" ]; then
  rm -f "$new"
  give_up 74 "its script did not come whole, nothing was run" "look at the network between here and there" \
    "what came" "$came of $bytes bytes"
fi
if ! said=$({ echo $$ > "$wanted"; } 2>&1); then
  rm -f "$new"
  give_up 74 "its script and log cannot be written, nothing was run" "make room there" "what that server says" "$said"
fi

# The holder's own timeout ends it, so this wait ends too.
exec 9>> "$lock"
waits=0
until flock --wait "$waits" 9; do
  holder=another until='' session=0
  if [ -s "$running" ]; then read -r holder until session < "$running"; fi
  if [ "$waits" = 0 ]; then record "waits for $holder"; waits=5; fi
  if [ "$(now)" -gt "${until:-$((started + timeout))}" ]; then
    rm -f "$new"
    give_up 75 "$holder still runs there, longer than its own limit" "end it there (sudo pkill -KILL -s $session)" \
      "what of it runs there" "$(pgrep -a -s "$session")"
  fi
done
if [ "$(cat "$wanted")" != $$ ]; then
  rm -f "$new"
  record "is left to a later run"
  echo "$name is left to a later run that also waits there: that run reports how it ends" >&2
  exit 75
fi

# If the runner and `timeout` were both killed, their task is still running without the lock: it gets the rest of its time.
unwatched=
while [ -s "$running" ] && read -r holder until session < "$running" &&
  pgrep -s "$session" -f "^sh ${script%/*}/$holder.sh\$" > /dev/null 2>&1; do
  if [ -z "$unwatched" ]; then record "waits for $holder, which nobody watches" && unwatched=$holder; fi
  if [ "$(now)" -gt "$until" ]; then pkill -KILL -s "$session"; fi
  sleep 1
done

rm -f "$running"
if ! said=$(mv -f "$new" "$script" 2>&1); then
  give_up 74 "its script cannot be written, nothing was run" "make room there" "what that server says" "$said"
fi
if [ -e "$log" ]; then mv -f "$log" "$log.1"; fi
record begins
begun=$(now)
umask 022
# In its own session, which identifies everything that it leaves behind; services leave the session, and live on.
# shellcheck disable=SC2016  # the inner shell expands it
setsid timeout --kill-after=10 "$timeout" sh -c 'exec sh "$1" 9>&-' "$name" "$script" > "$log" 2>&1 < /dev/null &
session=$!
exec 9>&-
echo "$name $((begun + timeout + 30)) $session" > "$running"
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
record "ends with exit status $status after $took s"
if [ "$status" = 0 ]; then
  if [ "$tail_lines" -gt 0 ]; then tail -n "$tail_lines" "$log" | harmless; fi
  exit 0
fi
why="exit status $status" next="fix what the log names"
case $status in
  124 | 137)
    if [ "$took" -ge "$timeout" ]; then
      why="it took longer than its limit and was ended"
      next="mend what it waited for, or raise timeLimits in the stack's settings"
    fi ;;
esac
give_up "$status" "$why" "$next" "the last lines of its log, $log on that server" "$(tail -n 20 "$log")"
