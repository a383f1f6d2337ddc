# Shared by install-deb.sh and install-rpm.sh. Needs url, file, user and sha256.
: "${url?}" "${file?}" "${user?}" "${sha256?}"

# Set `file` to the package's path: fetched now, and deleted when the script ends; or in the home of who uploaded it.
fetch_package() {
  if [ -n "$url" ]; then
    file=/var/lib/chef-rollout/$file
    trap 'rm -f "$file"' EXIT
    curl=$(command -v curl || echo /opt/opscode/embedded/bin/curl)
    if [ ! -x "$curl" ]; then
      echo "there is no curl on this server, to fetch the package with. Nothing was changed here."
      echo "Do:   install curl, or set the package's file in place of its url: that is uploaded"
      exit 1
    fi
    "$curl" -fsSL --retry 3 --max-time 600 --output "$file" "$url"
  else
    home=$(getent passwd "$user" | cut -d: -f6)
    if [ ! -e "$home/$file" ]; then
      echo "the package was uploaded, and is not in $home. Nothing was changed here."
      echo "Rule: SFTP of $user begins in the home (in sshd_config neither internal-sftp -d nor ChrootDirectory)."
      echo "Do:   mend that, or set the package's url in place of its file"
      exit 1
    fi
    file=$home/$file
  fi
}

# remove_older_uploads NAME COMMAND: remove other versions' files. COMMAND prints the name of a file's package.
remove_older_uploads() {
  [ -z "$url" ] || return 0
  for older in "${file%/*}"/chef-rollout-????????????-*; do
    if [ "$older" != "$file" ] && [ "$("$2" "$older" 2> /dev/null)" = "$1" ]; then rm -f "$older"; fi
  done
}

check_digest() { printf '%s  %s\n' "$sha256" "$file" | sha256sum --check --strict --quiet; }

# refuse_downgrade NAME INSTALLED WANTED: called before the package manager runs, because an older version does not undo
# what a newer one did to the credentials.
refuse_downgrade() {
  echo "$1 $2 is installed here, but the stack requests $3: a downgrade is not supported."
  echo "Rule: the newer version has moved the credentials to a place that the older one does not know."
  echo "Do:   set the package in the stack's settings to $2 or newer. Nothing was changed here."
  exit 1
}

# refuse_upgrade NAME INSTALLED WANTED: if a first installation failed, nothing is configured yet, so another version may
# continue it.
refuse_upgrade() {
  if [ "$2" = "$3" ] || [ ! -e /etc/opscode/chef-server-running.json ]; then return; fi
  echo "$1 $2 is installed and configured here, but the stack requests $3: a rollout does not upgrade it."
  echo "Rule: an upgrade of Chef server stops it and migrates its data, with Chef's own procedure."
  echo "Do:   follow that procedure on all servers, or set the stack's package back to $2. Nothing was changed here."
  exit 1
}
