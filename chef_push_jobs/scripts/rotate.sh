#!/bin/sh
# Create new credentials if the setting differs from the recorded one; a server without a record only records it.
#
# The old ones are removed, and the next reconfigure creates what is missing, so this can be interrupted anywhere and run
# again.
#
#   wanted  the setting rotateCredentials, any text; if it is empty, the current credentials stay
: "${wanted?}"
set -eu
. library/reconfigure.sh
. library/credentials-before.sh
noted=/var/lib/chef-rollout/rotated
note() {
  printf '%s\n' "$wanted" > "$noted.new"
  mv "$noted.new" "$noted"
}
if [ ! -e "$noted" ]; then
  note
  echo "noted: the credentials that are already here belong to '$wanted'"
  exit 0
fi
is=$(cat "$noted")
if [ -z "$wanted" ] && [ "$is" != "(under way)" ]; then
  echo "no new ones are requested: the credentials stay those of '$is'"
  exit 0
fi
if [ "$is" = "$wanted" ]; then
  echo "the credentials for '$wanted' exist already"
  exit 0
fi
# An incomplete set from an earlier run does not count.
[ "$is" = "(under way)" ] || keep_credentials none
# Until this is done, the credentials belong to no value of the setting.
echo "(under way)" > "$noted"
cd /etc/opscode-push-jobs-server
version=$(sed -n '1s/.* //p' /opt/opscode-push-jobs-server/version-manifest.txt)
rm -f pushy_pub.pem pushy_priv.pem
case $version in
  # Reconfigure creates the database users once and never changes their passwords, so keep these, with their file.
  1.* | 2.0.0*) ;;
  *) rm -f opscode-push-jobs-server-secrets.json ;;
esac
case $version in
  1.* | 2.0.* | 2.1.*) ;;
  *)
    found=0
    for secret in pushy_pub_key pushy_priv_key sql_password sql_ro_password; do
      if chef-server-ctl show-secret push-jobs-server "$secret" > /dev/null 2>&1; then
        chef-server-ctl remove-secret push-jobs-server "$secret" --yes
        found=1
      fi
    done
    if [ "$found" = 0 ] && [ "$is" != "(under way)" ]; then
      printf '%s\n' "$is" > "$noted"
      echo "nothing was rotated: Chef server does not show push jobs' credentials. Its output:"
      { chef-server-ctl show-secret push-jobs-server pushy_priv_key > /dev/null; } 2>&1
      exit 1
    fi
    # Reconfigure would create the same passwords again: they are derived from the store's own secret.
    for password in sql_password sql_ro_password; do
      od -An -tx1 -N25 /dev/urandom | tr -d ' \n' |
        /opt/opscode/embedded/bin/veil-ingest-secret "push-jobs-server.$password"
    done ;;
esac
reconfigure
note
echo "new credentials were created for '$wanted'"
