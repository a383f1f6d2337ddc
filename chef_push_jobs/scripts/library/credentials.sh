# Push jobs' credentials on this server, for both generations of the package. Needs library/secrets.sh.

etc=/etc/opscode-push-jobs-server stored=/etc/opscode/private-chef-secrets.json
# Records the set that this rollout wrote here, or found equal: another set may replace it.
given=/var/lib/chef-rollout/credentials

# credentials_digest FOLDER SECRETS: print a digest of those there, keyed with the stack's name; "none" without any.
credentials_digest() {
  group=$(push_jobs_secrets "$2")
  if [ ! -s "$1/pushy_priv.pem" ] && [ "$group" = '{}' ]; then
    echo none
    return
  fi
  {
    sed 's|/[^/]*$||' /var/lib/chef-rollout/owner
    for file in pushy_priv.pem pushy_pub.pem opscode-push-jobs-server-secrets.json; do
      if [ -s "$1/$file" ]; then cat "$1/$file"; fi
    done
    printf '%s\n' "$group"
  } | sha256sum | cut -c 1-32
}

# note_credentials: record that this rollout owns the credentials on this server.
note_credentials() {
  credentials_digest "$etc" "$stored" > "$given.new"
  mv "$given.new" "$given"
}
