# Of Chef server's secrets, push jobs' group alone is shared with push jobs' folder.
secrets=etc/opscode/private-chef-secrets.json

# shared_paths WHAT: the files that are shared, a word each, below /. Both sides go by this list, and not by each other's.
shared_paths() {
  case ${1-} in
    chef) echo etc/opscode ;;
    push-jobs) echo etc/opscode-push-jobs-server "$secrets" ;;
    *) echo "only chef or push-jobs can be shared" >&2; return 64 ;;
  esac
}
