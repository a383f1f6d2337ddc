# Of Chef server's secrets, only push jobs' group is shared together with push jobs' directory.
secrets=etc/opscode/private-chef-secrets.json

# shared_paths WHAT: the shared files, a word each, below /. Each side uses its own list, not the other's.
shared_paths() {
  case ${1-} in
    chef) echo etc/opscode ;;
    push-jobs) echo etc/opscode-push-jobs-server "$secrets" ;;
    *) echo "only chef or push-jobs can be shared" >&2; return 64 ;;
  esac
}

# line_each: turn names, each ended by a zero byte, into lines. A name may contain line ends, so they are escaped as for %b.
line_each() { LC_ALL=C sed -z 's/\\/\\\\/g; s/\t/\\t/g; s/\n/\\n/g' | tr '\000' '\n'; }
