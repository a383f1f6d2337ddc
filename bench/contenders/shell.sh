#!/usr/bin/env bash
# A rollout in plain shell: one master connection a server, phases in parallel, a barrier after each.
#
# In the folder: ssh_config, commands/ID, stdin/ID, and rollout.sh, which says what to run in which order:
#   open SERVER…              a connection to each
#   phase KIND LIST…          KIND is parallel or serial; LIST names the tasks of one server: "SERVER ID…"
# keys[ID] are the servers whose keys a task needs; a task with tells[ID] tells its own.
set -eu

# shellcheck source=/dev/null
. ./fill.sh

SOCKETS=$(mktemp -d)
export SOCKETS
declare -A keys tells
opened=()

close() {
  local server
  for server in "${opened[@]}"; do
    ssh -F ssh_config -O exit "$server" 2>/dev/null &
  done
  wait
  rm -rf "$SOCKETS"
}
trap close EXIT

# Waits for each of these processes; fails if any failed.
collect() {
  local process failed=0
  for process; do
    wait "$process" || failed=1
  done
  return "$failed"
}

open() {
  local server processes=()
  opened=("$@")
  for server; do
    ssh -F ssh_config -fNM "$server" &
    processes+=($!)
  done
  collect "${processes[@]}"
}

# The tasks of one server, in turn; the first that fails is the last.
tasks() {
  local server=$1 id command
  for id in "${@:2}"; do
    command=$(<"commands/$id")
    if [ -n "${keys[$id]:-}" ]; then
      # shellcheck disable=SC2086  # a list of names
      fill "stdin/$id" ${keys[$id]} >"filled/$id" || return 1
    else
      ln "stdin/$id" "filled/$id" || return 1
    fi
    if [ -n "${tells[$id]:-}" ]; then
      ssh -F ssh_config "$server" "$command" <"filled/$id" >"told/$server" || return 1
    else
      ssh -F ssh_config "$server" "$command" <"filled/$id" || return 1
    fi
  done
}

phase() {
  local list processes=()
  for list in "${@:2}"; do
    # shellcheck disable=SC2086  # a list of names
    tasks $list &
    processes+=($!)
    [ "$1" = parallel ] || collect "${processes[@]}"
    [ "$1" = parallel ] || processes=()
  done
  collect "${processes[@]}"
}

# shellcheck source=/dev/null
. ./rollout.sh
