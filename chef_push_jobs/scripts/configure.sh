#!/bin/sh
# Write a settings file, whole or not at all; one that is the same already is not touched.
#
#   path     where it goes
#   content  its text
: "${path?}" "${content?}"
set -eu
mkdir -p "${path%/*}"
printf %s "$content" > "$path.new"
chmod 0644 "$path.new"
if cmp -s "$path.new" "$path"; then rm "$path.new"; else mv "$path.new" "$path"; fi
