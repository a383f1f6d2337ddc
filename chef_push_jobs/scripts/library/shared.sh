# shared_paths WHAT: the files that are shared, a word each, below /. Both sides go by this list, and not by each other's.
shared_paths() {
  case ${1-} in
    chef) echo etc/opscode ;;
    # From push jobs 2.2 on the second file holds the credentials, encrypted, so that nobody can see whether it does.
    push-jobs) echo etc/opscode-push-jobs-server etc/opscode/private-chef-secrets.json ;;
    *) echo "chef or push-jobs is shared, and nothing else" >&2; return 64 ;;
  esac
}
