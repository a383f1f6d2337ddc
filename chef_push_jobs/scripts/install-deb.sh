#!/bin/sh
# Install a .deb package if its digest is right and this version is not installed. Never replace a newer version.
#
#   url       where to fetch it from; empty if it was uploaded
#   file      the name of its file
#   user      the login user to whose home it was uploaded; empty if it is fetched
#   sha256    its digest, in hexadecimal
#   upgrades  `no` if it must not replace an older version that is configured, else `yes`
: "${url?}" "${file?}" "${user?}" "${sha256?}" "${upgrades?}"
set -eu
. library/package.sh
dpkg_name() { dpkg-deb --field "$1" Package; }
fetch_package
check_digest
name=$(dpkg_name "$file")
version=$(dpkg-deb --field "$file" Version)
is=$(dpkg-query -W -f '${Status} ${Version}' "$name" 2> /dev/null) || is=none
# The first word is what dpkg is asked to do with it: a package may be on hold.
asked=${is%% *} is=${is#* }
if [ "$is" = "ok installed $version" ]; then
  echo "$name $version is already installed"
  exit 0
fi
# A package whose configuration did not finish has had no effect, so another version may replace it.
case $is in
  *" installed "* | *" triggers-"*)
    if dpkg --compare-versions "$version" lt "${is##* }"; then
      refuse_downgrade "$name" "${is##* }" "$version"
    fi
    ;;
esac
case $is in
  none | *" not-installed "* | *" config-files "*) ;;
  *) if [ "$upgrades" = no ]; then refuse_upgrade "$name" "${is##* }" "$version"; fi ;;
esac
tried=/var/lib/dpkg/chef-rollout-tried
printf '#!/bin/sh\n' > "$tried"
chmod 0700 "$tried"
runs=yes
"$tried" 2> /dev/null || runs=no
rm "$tried"
if [ "$runs" = no ]; then
  echo "/var/lib/dpkg is mounted noexec, and dpkg runs a package's own scripts there. Nothing was changed here."
  echo "Do:   let them run (sudo mount -o remount,exec /var, or what is mounted there), then run pulumi up again"
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
out=/var/lib/chef-rollout/dpkg.out
# Wait for other users of dpkg (unattended upgrades after the first boot), up to the task's time limit.
until LC_ALL=C dpkg -i "$file" > "$out" 2>&1; do
  cat "$out"
  if ! grep -q 'lock.* by another process\|lock.*Resource temporarily unavailable' "$out"; then
    rm "$out"
    exit 1
  fi
  sleep 2
done
cat "$out"
rm "$out"
# dpkg takes it off hold.
if [ "$asked" = hold ]; then echo "$name hold" | dpkg --set-selections; fi
remove_older_uploads "$name" dpkg_name
