set -eu
file=$(getent passwd ubuntu | cut -d: -f6)/chef-rollout-3b3b3b3b3b3b-chef-server-core_12.19.31-1_amd64.deb
echo "3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b  $file" | sha256sum --check --strict --quiet
refuse_downgrade() {
  echo "$1 $2 is installed here, but the stack asks for $3: a downgrade is not supported."
  echo "Rule: the newer version has moved the credentials to where the older one does not look for them."
  echo "Do:   set the package in the stack's settings to $2 or newer. Nothing was changed here."
  exit 1
}
refuse_upgrade() {
  if [ "$2" = "$3" ] || [ ! -e /etc/opscode/chef-server-running.json ]; then return; fi
  echo "$1 $2 is installed here and configured, but the stack asks for $3: a rollout does not upgrade it."
  echo "Rule: Chef server is stopped for an upgrade, and its data is migrated, by Chef's own procedure."
  echo "Do:   follow that on all servers, or set the stack's package to $2 again. Nothing was changed here."
  exit 1
}
name=$(dpkg-deb --field "$file" Package)
version=$(dpkg-deb --field "$file" Version)
is=$(dpkg-query -W -f '${Status} ${Version}' "$name" 2> /dev/null) || is=none
if [ "$is" = "install ok installed $version" ]; then
  echo "$name $version is installed already"
  exit 0
fi
case $is in
  none | *" not-installed "* | *" config-files "*) ;;
  *)
    is=${is##* }
    if dpkg --compare-versions "$version" lt "$is"; then
      refuse_downgrade "$name" "$is" "$version"
    fi
    refuse_upgrade "$name" "$is" "$version"
    ;;
esac
export DEBIAN_FRONTEND=noninteractive
out=/var/lib/chef-rollout/dpkg.out
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
