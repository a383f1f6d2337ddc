#!/bin/sh
# Write a settings file completely or not at all; do not touch one that is already the same.
#
#   path     the file
#   content  its text
: "${path?}" "${content?}"
set -eu
mkdir -p "${path%/*}"
printf %s "$content" > "$path.new"
chmod 0644 "$path.new"
if cmp -s "$path.new" "$path"; then rm "$path.new"; else mv "$path.new" "$path"; fi
