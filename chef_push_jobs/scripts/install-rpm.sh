#!/bin/sh
# Install a .rpm package if its digest is right and this version is not installed. Never replace a newer version.
#
#   url       where to fetch it from; empty if it was uploaded
#   file      the name of its file
#   user      the login user to whose home it was uploaded; empty if it is fetched
#   sha256    its digest, in hexadecimal
#   upgrades  `no` if it must not replace an older version that is configured, else `yes`
: "${url?}" "${file?}" "${user?}" "${sha256?}" "${upgrades?}"
set -eu
. library/package.sh
rpm_name() { rpm -qp --queryformat '%{NAME}' "$1"; }
fetch_package
check_digest
name=$(rpm_name "$file")
version=$(rpm -qp --queryformat '%{VERSION}-%{RELEASE}' "$file")
# An interrupted upgrade leaves two versions; installing the newer one again removes the older one.
if installed=$(rpm -q --queryformat '%{VERSION}-%{RELEASE}\n' "$name"); then
  if [ "$installed" = "$version" ]; then
    echo "$name $version is already installed"
    exit 0
  fi
  is=$(printf '%s\n' "$installed" | sort -V | tail -n 1)
  if ! printf '%s\n' "$is" "$version" | sort -V -C; then
    refuse_downgrade "$name" "$is" "$version"
  fi
  if [ "$upgrades" = no ]; then refuse_upgrade "$name" "$is" "$version"; fi
fi
rpm -U --replacepkgs "$file"
remove_older_uploads "$name" rpm_name
