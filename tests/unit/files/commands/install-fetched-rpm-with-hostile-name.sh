set -eu
file=/var/lib/chef-rollout/'opscode push;$(id).rpm'
trap 'rm -f "$file"' EXIT
curl -fsSL --retry 3 --max-time 600 --output "$file" 'https://packages.test/a b;$(id)'"'"'.rpm'
echo "3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b  $file" | sha256sum --check --strict --quiet
name=$(rpm -qp --queryformat '%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}' "$file")
if rpm -q "$name" > /dev/null; then
  echo "$name is installed already"
  exit 0
fi
rpm -U "$file"
