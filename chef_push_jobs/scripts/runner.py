"""The task runner that `connect` leaves on a server: one task at a time, a time limit, a log, one block on failure."""

from __future__ import annotations

from shlex import quote

from chef_push_jobs.scripts.shell import HOME, LOGS, RUNNER

# Runs the script on its standard input: one at a time on a server, no longer than the limit, into a log of its own.
# `timeout` holds the lock, so neither a lost connection nor a killed runner lets a second task in beside the first.
RUNNER_SCRIPT = f"""\
#!/bin/sh
# task NAME LIMIT SHOWS < SCRIPT: runs SCRIPT as root for LIMIT seconds at most; prints its log's last SHOWS lines.
# A failure is one block: what, where, why, and what to do next.
set -u
name=$1 limit=$2 shows=$3
script={HOME}/$name.sh log={LOGS}/$name.log lock={HOME}/lock running={HOME}/running
wanted=$script.wanted new=$script.$$

now() {{ date +%s; }}
told() {{ echo "$(date -u +%FT%TZ) $name $*" 2> /dev/null >> {LOGS}/history; }}
started=$(now)

# give_up STATUS WHY NEXT HEADING LINES
give_up() {{
  exec >&2
  echo "$name failed on $(hostname -f): $2, after $(($(now) - started)) s (limit $limit s)"
  echo "$4:"
  printf '%s\\n' "${{5:-(nothing)}}" | tail -n 20 | cut -c 1-500 | sed 's/^/  | /'
  df -P {HOME} {LOGS} /etc /tmp 2> /dev/null | awk 'NR > 1 && $5 + 0 >= 99 {{ print $6 }}' | sort -u |
    sed 's/^/no room is left there on /'
  echo "what next: $3, then run pulumi up again: it goes on from here"
  exit "$1"
}}

if [ "$(id -u)" != 0 ]; then
  sudo -n "$0" "$@"
  status=$?
  if [ "$status" = 0 ] || said=$(sudo -n true 2>&1); then exit "$status"; fi
  give_up "$status" "sudo refused it, nothing was run" "let $(id -un) use sudo there without a password" \\
    "what sudo says" "$said"
fi

umask 077
# Where no log could be kept, nothing is run.
if ! said=$({{
  mkdir -p {LOGS} && cat > "$new" && head -c 16384 /dev/zero > "$log.new" && rm "$log.new" &&
    echo $$ > "$wanted" && : >> "$lock"
}} 2>&1); then
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
  if [ "$(now)" -gt "${{until:-$((started + limit))}}" ]; then
    rm -f "$new"
    give_up 75 "$holder still runs there, longer than its own limit" "end it there (sudo pkill -KILL -s $session)" \\
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
"""


def runner(name: str, limit: int, shows: int) -> str:
    """The command that runs a task's script (given on its standard input) as root. `limit` is in seconds.

    It is short, because every error repeats it. A server that lost its disk has no runner: the login shell says so.
    """
    return f"{RUNNER} {quote(name)} {limit} {shows}"


# Takes the place of a task whose inputs changed for no reason to act. It reads what it is given, or the plugin
# might see a broken pipe.
NOTHING = "cat > /dev/null"
