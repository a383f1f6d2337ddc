# Chef server's secrets, which it encrypts from 12.14 on. From push jobs 2.2 on, its credentials are one group of them; the
# others belong to Chef server and other add-ons, and differ between servers.

# secrets_in_ruby FILE...: run a Ruby program (standard input) with Chef server's own library for these files.
secrets_in_ruby() { timeout 60 /opt/opscode/embedded/bin/ruby -r json -r veil - "$@"; }

# encrypted FILE: whether Chef server has encrypted it.
encrypted() { grep -qs '"veil"' "$1"; }

# push_jobs_secrets FILE: print push jobs' group as JSON; {} if there is none, or nothing is encrypted.
push_jobs_secrets() {
  if encrypted "$1"; then
    secrets_in_ruby "$1" << 'END-OF-RUBY'
groups = Veil::CredentialCollection::ChefSecretsFile.from_file(ARGV[0]).credentials_for_export
puts JSON.generate((groups["push-jobs-server"] || {}).sort.to_h)
END-OF-RUBY
  else
    echo '{}'
  fi
}

# take_push_jobs_secrets GIVEN FILE: replace push jobs' group in FILE by the one in GIVEN (JSON). All else in FILE stays;
# if the groups are equal, FILE is not touched.
take_push_jobs_secrets() {
  secrets_in_ruby "$1" "$2" << 'END-OF-RUBY'
group = "push-jobs-server"
given = JSON.parse(File.read(ARGV[0]))
abort "the credentials are not names with texts" unless given.is_a?(Hash) && given.all? do |name, value|
  name.match?(/\A[a-z_]{1,64}\z/) && value.is_a?(String) && value.length < 16_384
end
secrets = Veil::CredentialCollection::ChefSecretsFile.from_file(ARGV[1])
here = secrets.credentials_for_export[group] || {}
exit if here == given
(here.keys - given.keys).each { |name| secrets.delete(group, name) }
given.each do |name, value|
  secrets.add(group, name, value: value, frozen: true, force: true) unless here[name] == value
end
secrets.save
END-OF-RUBY
}

# same_chef_secrets ONE OTHER: whether all groups but push jobs' are equal in the two files.
same_chef_secrets() {
  secrets_in_ruby "$1" "$2" << 'END-OF-RUBY'
one, other = ARGV.map do |path|
  Veil::CredentialCollection::ChefSecretsFile.from_file(path).credentials_for_export.reject { |group, _| group == "push-jobs-server" }
end
exit one == other
END-OF-RUBY
}

# keep_own_secrets FILE HERE: add the groups that only HERE has to FILE: those of add-ons that only this server runs.
keep_own_secrets() {
  secrets_in_ruby "$1" "$2" << 'END-OF-RUBY'
secrets, here = ARGV.map { |path| Veil::CredentialCollection::ChefSecretsFile.from_file(path) }
theirs = secrets.credentials_for_export
own = here.credentials_for_export.select { |group, names| names.is_a?(Hash) && !theirs.key?(group) }
own.each do |group, names|
  names.each { |name, value| secrets.add(group, name, value: value, frozen: true, force: true) }
end
secrets.save unless own.empty?
END-OF-RUBY
}
