#!/bin/sh
# Write a settings file completely or not at all; do not touch one that is already the same. A link stays, and its target
# is written.
#
#   path     the file
#   content  its text
: "${path?}" "${content?}"
set -eu
mkdir -p "${path%/*}"
link=$path
path=$(readlink -f "$link") || {
  echo "$link is a link into a directory that does not exist"
  echo "Rule: the settings are written to where the link leads."
  echo "Do:   make that directory, or remove the link"
  exit 1
}
printf %s "$content" > "$path.new"
chmod 0644 "$path.new"
if cmp -s "$path.new" "$path"; then rm "$path.new"; else mv "$path.new" "$path"; fi
