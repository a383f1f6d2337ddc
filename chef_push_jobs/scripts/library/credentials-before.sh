# The sets of credentials that were replaced on this server.
. library/credentials.sh

sets=/var/lib/chef-rollout/credentials-before

# keep_credentials DIGEST: save them, a file each, before those with that digest replace them ("none": new ones). The last
# three sets are kept, readable only by root.
keep_credentials() {
  digest=$(credentials_digest "$etc" "$stored")
  if [ "$digest" = none ] || [ "$digest" = "$1" ]; then return; fi
  mkdir -p "$sets"
  chmod 0700 "$sets"
  rm -rf "$sets"/*.new
  # The names are in order, also if the clock was set back.
  time=$(date -u +%Y%m%dT%H%M%SZ)
  newest=$(kept_sets | tail -n 1)
  if [ "$(printf '%s\n' "$sets/$time-" "$newest" | LC_ALL=C sort | tail -n 1)" = "$newest" ]; then
    time=${newest##*/}
    time=${time%-*}.
  fi
  kept=$sets/$time-$digest
  if again=$(kept_sets | grep -e "-$digest\$"); then
    mv -T "$again" "$kept"
    return
  fi
  mkdir "$kept.new"
  for file in pushy_priv.pem pushy_pub.pem opscode-push-jobs-server-secrets.json; do
    if [ -s "$etc/$file" ]; then cp -L --preserve=mode,ownership,timestamps "$etc/$file" "$kept.new"; fi
  done
  if [ "$(push_jobs_secrets "$stored")" != '{}' ]; then
    secrets_in_ruby "$stored" "$kept.new" << 'END-OF-RUBY'
secrets = Veil::CredentialCollection::ChefSecretsFile.from_file(ARGV[0])
secrets.credentials_for_export["push-jobs-server"].each do |name, value|
  File.write(File.join(ARGV[1], "push-jobs-server.#{name}"), value)
end
END-OF-RUBY
  fi
  mv -T "$kept.new" "$kept"
  kept_sets | head -n -3 | xargs -r rm -rf
}

# Print the sets, the oldest first.
kept_sets() { find "$sets" -mindepth 1 -maxdepth 1 | LC_ALL=C sort; }
