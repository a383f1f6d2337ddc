#!/usr/bin/env bash
# What Terraform's own provisioners cannot do, run on the operator's machine by local-exec.
#
# terraform.sh tell SERVER ID      the task's command over SSH; its output goes to told/SERVER
# terraform.sh fill ID SERVER…     filled/ID from scripts/ID, with the keys of these servers
set -eu

# shellcheck source=/dev/null
. ./fill.sh

case $1 in
  tell) ssh -F ssh_config "$2" "$(<"commands/$3")" <"stdin/$3" >"told/$2" ;;
  fill) fill "scripts/$2" "${@:3}" >"filled/$2" ;;
esac
