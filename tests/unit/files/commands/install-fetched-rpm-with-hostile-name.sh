set -eu
file=/var/lib/chef-rollout/'opscode push;$(id).rpm'
trap 'rm -f "$file"' EXIT
curl -fsSL --retry 3 --max-time 600 --output "$file" 'https://packages.test/a b;$(id)'"'"'.rpm'
echo "3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b  $file" | sha256sum --check --strict --quiet
refuse_downgrade() {
  echo "$1 $2 is installed here, but the stack asks for $3: a downgrade is not supported."
  echo "Rule: the newer version has moved the credentials to where the older one does not look for them."
  echo "Do:   set the package in the stack's settings to $2 or newer. Nothing was changed here."
  exit 1
}
name=$(rpm -qp --queryformat '%{NAME}' "$file")
version=$(rpm -qp --queryformat '%{VERSION}-%{RELEASE}' "$file")
if is=$(rpm -q --queryformat '%{VERSION}-%{RELEASE}' "$name"); then
  if [ "$is" = "$version" ]; then
    echo "$name $version is installed already"
    exit 0
  fi
  if ! printf '%s\n' "$is" "$version" | sort -V -C; then
    refuse_downgrade "$name" "$is" "$version"
  fi
fi
rpm -U "$file"
