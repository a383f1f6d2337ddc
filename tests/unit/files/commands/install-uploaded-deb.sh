set -eu
file=$(getent passwd ubuntu | cut -d: -f6)/chef-rollout-3b3b3b3b3b3b-opscode-push-jobs-server_1.1.6-1_amd64.deb
echo "3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b  $file" | sha256sum --check --strict --quiet
name=$(dpkg-deb --field "$file" Package)
version=$(dpkg-deb --field "$file" Version)
is=$(dpkg-query -W -f '${Status} ${Version}' "$name" 2> /dev/null) || is=none
if [ "$is" = "install ok installed $version" ]; then
  echo "$name $version is installed already"
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
out=$(mktemp /var/lib/chef-rollout/dpkg.XXXXXX)
until dpkg -i "$file" > "$out" 2>&1; do
  cat "$out"
  if ! grep -q 'lock.* by another process\|lock.*Resource temporarily unavailable' "$out"; then
    rm "$out"
    exit 1
  fi
  sleep 2
done
cat "$out"
rm "$out"
