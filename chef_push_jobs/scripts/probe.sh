#!/bin/sh
# What doctor asks a server. Read-only; answers in lines of tab-separated words. Answers contain no secret: for a file, they
# contain a digest that is keyed with a number of this run.
#
#   nonce     that number, in hexadecimal
#   packages  the packages, a line each: PACKAGE and the version that the stack wants, or nothing
#   files     the files, a line each
#   ports     the ports, separated by spaces
#   user      the login user, whose authorized_keys lets the other servers copy
#   uploads   the names of the files that the stack uploads to that user's home, separated by spaces
: "${nonce?}" "${packages?}" "${files?}" "${ports?}" "${user?}" "${uploads?}"
set -u
. library/logins.sh
. library/names.sh
. library/ports.sh
. library/secrets.sh
export LC_ALL=C
answer() {
  printf '%s' "$1"
  shift
  printf '\t%s' "$@"
  echo
}
keyed() { { printf %s "$nonce"; cat; } | sha256sum | cut -d ' ' -f 1; }
home=/var/lib/chef-rollout
prepared=yes
for file in task manifest id_ed25519 id_ed25519.pub; do
  if [ ! -s "$home/$file" ]; then prepared=no; fi
done
answer prepared $prepared
named=$(own_name 5)
if [ -n "$named" ]; then answer named "$named"; fi
if [ -s $home/owner ]; then answer owner "$(printf %s "$(cat $home/owner)" | keyed)"; fi
printf '%s\n' "$packages" | while read -r package wanted; do
  newer=no
  if command -v dpkg-query > /dev/null; then
    is=$(dpkg-query -W -f '${Status} ${Version}' "$package" 2> /dev/null | sed -n 's/^[a-z]* ok installed //p')
    if [ -n "$wanted" ] && dpkg --compare-versions "$is" gt "$wanted"; then newer=yes; fi
  else
    is=$(rpm -q --queryformat '%{VERSION}-%{RELEASE}' "$package" 2> /dev/null) || is=
    if [ -n "$wanted" ] && ! printf '%s\n' "$is" "$wanted" | sort -V -C; then newer=yes; fi
  fi
  answer package "$package" "${is:-none}" "$newer"
done
printf '%s\n' "$files" | while read -r file; do
  if [ -f "$file" ]; then
    case $file in
      */private-chef-secrets.json) digest=$(push_jobs_secrets "$file" 2> /dev/null | keyed) ;;
      *) digest=$(keyed < "$file") ;;
    esac
    answer file "$file" "$(stat -L -c %U "$file")" "$(stat -L -c %a "$file")" "$digest"
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
  timeout 15 chef-server-ctl ha-status > /dev/null 2>&1 < /dev/null
  answer ha-status $?
  if grep -rq opscode-pushy-server $keepalived/bin; then answer keepalived yes; else answer keepalived no; fi
fi
if [ -s $home/id_ed25519.pub ]; then answer copy-key "$(awk '{ printf "%s", $2 }' $home/id_ed25519.pub | keyed)"; fi
keys=$(authorized_keys_of "$user")
if [ -f "$keys" ] && [ -s $home/shared-files ]; then
  awk '/ chef-rollout$/ { print $(NF - 1) }' "$keys" | while read -r key; do
    answer reader "$(printf %s "$key" | keyed)"
  done
fi
package_of() {
  case $1 in
    *.rpm) rpm -q --queryformat '%{NAME}' -p "$1" ;;
    *) dpkg-deb -f "$1" Package ;;
  esac 2> /dev/null
}
ours=$(printf '%s\n' "$packages" | sed -n 's/^\([^ ]*\) ..*/\1/p')
old=0
for file in "$(getent passwd "$user" | cut -d: -f6)"/chef-rollout-????????????-*; do
  case " $uploads " in
    *" ${file##*/} "*) ;;
    *) if [ -f "$file" ] && echo "$ours" | grep -Fqx -e "$(package_of "$file" || echo none)"; then old=$((old + 1)); fi ;;
  esac
done
answer uploads $old
df -P / /var/opt /var/lib /var/log /etc /tmp 2> /dev/null | awk 'NR > 1 { print $6, $5 + 0 }' | sort -u |
  while read -r place used; do answer used "$place" "$used"; done
answer time "$(date +%s)"
for certificate in /var/opt/opscode/nginx/ca/*.crt; do
  if [ -f "$certificate" ]; then
    ends=$(PATH=$PATH:/opt/opscode/embedded/bin openssl x509 -noout -enddate -in "$certificate" 2> /dev/null)
    answer certificate "$(date -d "${ends#notAfter=}" +%s 2> /dev/null || echo 0)"
  fi
done
for port in $ports; do
  if listens "$port"; then answer listens "$port"; fi
done
answer end of-answers
