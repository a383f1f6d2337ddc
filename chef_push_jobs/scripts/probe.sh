#!/bin/sh
# What doctor asks a server: read-only, answered in lines of words with tabs between them. Nothing secret is answered: of
# a file, a digest that is keyed with a number of this run only.
#
#   nonce     that number, in hexadecimal
#   packages  which versions are asked for: a line each, PACKAGE and the version that the stack wants, or nothing
#   files     the files, a line each
#   ports     the ports, with spaces between them
: "${nonce?}" "${packages?}" "${files?}" "${ports?}"
set -u
. library/ports.sh
export LC_ALL=C
answer() {
  printf '%s' "$1"
  shift
  printf '\t%s' "$@"
  echo
}
home=/var/lib/chef-rollout
if [ -x $home/task ] && [ -s $home/id_ed25519.pub ]; then answer prepared yes; else answer prepared no; fi
printf '%s\n' "$packages" | while read -r package wanted; do
  newer=no
  if command -v dpkg-query > /dev/null; then
    is=$(dpkg-query -W -f '${Status} ${Version}' "$package" 2> /dev/null | sed -n 's/^install ok installed //p')
    if [ -n "$wanted" ] && dpkg --compare-versions "$is" gt "$wanted"; then newer=yes; fi
  else
    is=$(rpm -q --queryformat '%{VERSION}-%{RELEASE}' "$package" 2> /dev/null) || is=
    if [ -n "$wanted" ] && ! printf '%s\n' "$is" "$wanted" | sort -V -C; then newer=yes; fi
  fi
  answer package "$package" "${is:-none}" "$newer"
done
printf '%s\n' "$files" | while read -r file; do
  if [ -f "$file" ]; then
    digest=$({ printf %s "$nonce"; cat "$file"; } | sha256sum | cut -d ' ' -f 1)
    answer file "$file" "$(stat -c %U "$file")" "$(stat -c %a "$file")" "$digest"
  fi
done
service=
if command -v chef-server-ctl > /dev/null; then
  service=$(timeout 15 chef-server-ctl status opscode-pushy-server 2> /dev/null < /dev/null |
    sed -n 's/^\([a-z]*\): opscode-pushy-server:.*/\1/p')
fi
answer service "${service:-none}"
keepalived=/var/opt/opscode/keepalived
if [ -f $keepalived/current_cluster_status ]; then answer cluster "$(cat $keepalived/current_cluster_status)"; fi
if [ -d $keepalived/bin ]; then
  if grep -rq opscode-pushy-server $keepalived/bin; then answer keepalived yes; else answer keepalived no; fi
fi
for port in $ports; do
  if listens "$port"; then answer listens "$port"; fi
done
answer end of-answers
